//! Whether many descriptors of one kind are leaked or kept open on purpose: one rule for all findings about leaks.
//!
//! A count shows that there are many; only time shows that they are not closed. Descriptors that did not become more
//! during `--for` are kept open, as in a pool, a cache or a server with many files, unless half of the limit is in use.
//! Descriptors without any use, such as a connection that the peer has closed, are leaked in any case: their finding
//! does not apply this rule.

use super::Severity;
use crate::model::Process;

/// Whether they are kept open. `more` is how many were added; `None` after a single look.
pub fn is_kept(process: &Process, more: Option<i64>) -> bool {
    more.is_some_and(|more| more <= 0) && !is_half_gone(process)
}

/// Whether half of the limit on descriptors is in use, or the limit is not known.
fn is_half_gone(process: &Process) -> bool {
    let fds = &process.fds;
    let (Some(open), Some(limit)) = (fds.open, fds.soft_limit) else {
        return true;
    };
    u128::from(open) * 2 >= u128::from(limit)
}

/// What is said of them if they are leaked: with one look at a part of the limit that is a guess.
pub fn leaked(process: &Process, more: Option<i64>) -> &'static str {
    match more {
        None if !is_half_gone(process) => {
            "probably opened and not closed (`--for 60` shows whether they become more)"
        }
        _ => "opened and not closed",
    }
}

/// The severity, and the text after a count: `leaked` if they are leaked, and what was seen `since`.
pub fn verdict(kept: bool, leaked: &str, since: &str) -> (Severity, String) {
    match kept {
        true => (
            Severity::Info,
            format!(".{since} As far as that shows, they are kept open and not leaked."),
        ),
        false => (Severity::Warning, format!("{leaked}{since}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    #[test]
    fn a_count_that_does_not_grow_is_kept_until_half_of_the_limit_is_in_use() {
        let mut process = Fixture::new().process;
        (process.fds.open, process.fds.soft_limit) = (Some(511), Some(1024));
        assert!(is_kept(&process, Some(0)) && is_kept(&process, Some(-3)));
        assert!(!is_kept(&process, Some(1)) && !is_kept(&process, None));
        assert_eq!(leaked(&process, Some(1)), "opened and not closed");
        assert!(leaked(&process, None).starts_with("probably"));
        process.fds.open = Some(512);
        assert!(!is_kept(&process, Some(0)));
        assert_eq!(leaked(&process, None), "opened and not closed");
        process.fds.open = None;
        assert!(!is_kept(&process, Some(0)));
    }
}
