//! The clock on the wall.

/// The local time of a moment: year, month, day, hour and minute (localtime_r(3)).
pub fn local_time(seconds: i64) -> Option<[i32; 5]> {
    let mut fields = std::mem::MaybeUninit::<libc::tm>::uninit();
    // SAFETY: the C library reads one time_t and fills `fields`, or returns NULL.
    let filled = unsafe { libc::localtime_r(&raw const seconds, fields.as_mut_ptr()) };
    if filled.is_null() {
        return None;
    }
    // SAFETY: it was filled.
    let at = unsafe { fields.assume_init() };
    Some([
        at.tm_year + 1900,
        at.tm_mon + 1,
        at.tm_mday,
        at.tm_hour,
        at.tm_min,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_a_local_time() {
        // Whatever the zone: 2001-09-09 01:46:40 UTC.
        let [year, month, day, _, minute] = local_time(1_000_000_000).unwrap();
        assert_eq!((year, month), (2001, 9));
        assert!((8..=10).contains(&day), "{day}");
        assert!((0..60).contains(&minute), "{minute}");
    }
}
