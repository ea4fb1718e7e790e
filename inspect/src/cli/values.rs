//! What single arguments may be.

use std::time::Duration;

/// A PID of the command line.
///
/// # Errors
/// What a PID is, for a text that is none.
pub fn parse_pid(text: &str) -> Result<u32, String> {
    // The kernel's PIDs are positive ints (PID_MAX_LIMIT is 2^22).
    match text.parse::<i32>() {
        Ok(pid) if pid > 0 => Ok(pid.unsigned_abs()),
        _ => Err("a PID is a whole number above 0, as pgrep or ps shows it".into()),
    }
}

/// A time of the command line.
///
/// # Errors
/// What a time is, for a text that is none.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    // f64 also reads "inf", "nan" and "-0".
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match text.parse::<f64>() {
        Ok(seconds) if plain => Duration::try_from_secs_f64(seconds).ok(),
        _ => None,
    }
    .ok_or_else(|| "a time is a number of seconds, 0 or more, as 2 or 0.5".into())
}

/// How far two samples lie apart: with no time between them there is no rate.
///
/// # Errors
/// What is wrong with it.
pub fn parse_window(text: &str) -> Result<Duration, String> {
    match parse_seconds(text) {
        Ok(window) if window.is_zero() => {
            Err("two samples need a time above 0 between them".into())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_is_a_whole_number_above_zero() {
        for wrong in ["", "0", "-1", "x", "1.5", "99999999999"] {
            assert!(parse_pid(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_pid("4194304"), Ok(4_194_304));
    }

    #[test]
    fn a_time_may_have_decimals_and_is_never_negative() {
        for wrong in ["", "-1", "x", "inf", "nan", ".", "1e3", "1,5"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_seconds("0"), Ok(Duration::ZERO));
        assert!(parse_window("0").is_err());
        assert_eq!(parse_window("5"), Ok(Duration::from_secs(5)));
    }
}
