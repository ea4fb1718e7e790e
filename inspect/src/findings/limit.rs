//! What the three findings about limits share.

use super::Severity;

/// From here on in percent, a burst of the size a build or a test run makes does not fit any more.
const NEAR: u128 = 80;
/// From here on in percent, the next failure is a matter of minutes.
const ALMOST_FULL: u128 = 95;

/// How bad it is that `used` of `limit` are gone; `None` below [`NEAR`].
pub fn severity(used: u64, limit: u64) -> Option<Severity> {
    let (used, limit) = (u128::from(used) * 100, u128::from(limit));
    if used >= limit * ALMOST_FULL {
        Some(Severity::Critical)
    } else if used >= limit * NEAR {
        Some(Severity::Warning)
    } else {
        None
    }
}

/// `used` of `limit` in whole percent, rounded down.
pub fn percent(used: u64, limit: u64) -> u64 {
    let percent = u128::from(used) * 100 / u128::from(limit.max(1));
    u64::try_from(percent).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eighty_percent_is_a_warning_and_ninety_five_critical() {
        assert_eq!(severity(799, 1000), None);
        assert_eq!(severity(800, 1000), Some(Severity::Warning));
        assert_eq!(severity(949, 1000), Some(Severity::Warning));
        assert_eq!(severity(950, 1000), Some(Severity::Critical));
        assert_eq!(severity(u64::MAX, u64::MAX), Some(Severity::Critical));
    }
}
