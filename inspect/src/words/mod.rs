//! Words and figures for people, and untrusted names made safe to show. Findings, reports and messages share them.

mod sanitize;

pub use sanitize::{is_unsafe, sanitize};
use std::io;

/// A number with commas: 100,000.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun.
pub fn plural(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(n as u64), agree(n as u64, one, many))
}

/// The form of a word that agrees with the number `n`: a noun, a verb or a pronoun.
pub fn agree<'a>(n: u64, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// A size in binary units, with three figures: 11.1 GiB.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut size = n as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    // 999.5 would be printed as 1000, with four figures.
    while size >= 999.5
        && let Some(next) = units.next()
    {
        size /= 1024.0;
        unit = Some(next);
    }
    let digits = if size < 9.995 {
        2
    } else {
        usize::from(size < 99.95)
    };
    format!("{size:.digits$} {}", unit.unwrap_or(&""))
}

/// A time in the largest unit that gives two or more: 90 s, 5 min, 3 h, 12 days.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", number(seconds / 86_400)),
    }
}

/// "a", "a or b", "a, b or c".
pub fn list_words(words: &[&str], last: &str) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).into(),
        [most @ .., end] => format!("{} {last} {end}", most.join(", ")),
    }
}

/// An errno in the words of strerror(3), without Rust's "(os error N)".
pub fn errno_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        _ if error.kind() == io::ErrorKind::PermissionDenied => "permission denied".into(),
        Some(libc::ENOENT | libc::ESRCH) => "it is gone".into(),
        _ => {
            let text = error.to_string();
            match text.find(" (os error") {
                Some(at) => text.get(..at).unwrap_or_default().to_lowercase(),
                None => text,
            }
        }
    }
}

/// The directory with a process's open files by descriptor, as a shell can name it (proc_pid_fd(5)).
pub fn open_files_of(pid: u32) -> String {
    format!("/proc/{pid}/fd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_every_three_digits() {
        assert_eq!(
            [0, 999, 1000, 5299, 1_234_567].map(number),
            ["0", "999", "1,000", "5,299", "1,234,567"]
        );
    }

    #[test]
    fn sizes_have_three_figures_and_the_largest_fitting_unit() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.00 KiB");
        assert_eq!(bytes(64 << 20), "64.0 MiB");
        assert_eq!(bytes(11_900_000_000), "11.1 GiB");
        assert_eq!(bytes(1000 << 20), "0.98 GiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn times_are_in_the_largest_unit_of_which_there_are_two() {
        assert_eq!(
            [0, 119, 120, 7199, 7200, 172_800].map(duration),
            ["0 s", "119 s", "2 min", "119 min", "2 h", "2 days"]
        );
    }

    #[test]
    fn a_word_goes_with_its_number() {
        assert_eq!(plural(1, "watch", "watches"), "1 watch");
        assert_eq!(plural(1001, "watch", "watches"), "1,001 watches");
        assert_eq!(
            [0, 1, 2].map(|n| agree(n, "was", "were")),
            ["were", "was", "were"]
        );
    }

    #[test]
    fn words_are_listed_as_in_speech() {
        assert_eq!(list_words(&["a"], "or"), "a");
        assert_eq!(list_words(&["a", "b", "c"], "or"), "a, b or c");
    }
}
