//! What single arguments may be.

use crate::model::Mask;
use std::time::Duration;

/// A PID of the command line.
///
/// # Errors
/// For a text that is not a PID: what one is.
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
/// For a text that is not a time: what one is.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    // f64 also reads "inf", "nan" and "-0".
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match text.parse::<f64>() {
        Ok(seconds) if plain => Duration::try_from_secs_f64(seconds).ok(),
        _ => None,
    }
    .ok_or_else(|| "a time is a number of seconds, 0 or more, such as 2 or 0.5".into())
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

/// A size of the command line, in bytes: `64MiB`. K, M, G and T are binary, as in du(1); KB is 1,000.
///
/// # Errors
/// For a text that is not a size: what one is.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: Option<u64> = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kib" => Some(1 << 10),
        "m" | "mib" => Some(1 << 20),
        "g" | "gib" => Some(1 << 30),
        "t" | "tib" => Some(1 << 40),
        "kb" => Some(1_000),
        "mb" => Some(1_000_000),
        "gb" => Some(1_000_000_000),
        "tb" => Some(1_000_000_000_000),
        _ => None,
    };
    let number = number.parse::<u64>().ok();
    number
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .ok_or_else(|| "a size is a whole number of bytes or with a unit, such as 64MiB".into())
}

/// Events of the command line: `open,close_nowrite`.
///
/// # Errors
/// For a text that is not an event: what one is.
pub fn parse_events(text: &str) -> Result<Mask, String> {
    let mut bits = text.split(',').map(|name| {
        rules::event::bits(name.as_bytes()).ok_or_else(|| {
            let all: Vec<_> = rules::event::EVENTS.iter().map(|(_, name)| *name).collect();
            format!("{name:?} is not an event; these are: {}", all.join(", "))
        })
    });
    bits.try_fold(0, |mask, bits| Ok(mask | bits?)).map(Mask)
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

    #[test]
    fn a_size_is_a_number_with_or_without_a_unit() {
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("64m"), Ok(64 << 20));
        assert_eq!(parse_size("5kB"), Ok(5000));
        assert_eq!(parse_size("7"), Ok(7));
        for wrong in ["", "MiB", "1.5G", "-1", "1 MiB", "1x", "99999999999T"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn events_are_names_with_commas() {
        assert_eq!(parse_events("open,access"), Ok(Mask(0x21)));
        assert_eq!(parse_events("close"), Ok(Mask(0x18)));
        for wrong in ["", "open,", "OPEN", "onlydir", "0x20"] {
            assert!(parse_events(wrong).is_err(), "{wrong}");
        }
    }
}
