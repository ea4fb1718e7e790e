//! When many descriptors of one kind are leaked, and when they are kept open: one rule for all findings about leaks.
//!
//! A count tells that there are many; only time tells that they are not closed. What did not become more within `--for`
//! is kept, as a pool, a cache or a server with many files does, unless half of the limit is gone. What has no use at
//! all, such as a connection its peer has closed, is leaked all the same: its finding does not ask here.

use super::Severity;
use crate::model::Process;

/// Whether they are kept open, of which there were so many `more` in the end; `None` for one look.
pub fn is_kept(process: &Process, more: Option<i64>) -> bool {
    more.is_some_and(|more| more <= 0) && !is_half_gone(process)
}

/// Whether half of the limit on descriptors is gone; also where it is not known.
fn is_half_gone(process: &Process) -> bool {
    let fds = &process.fds;
    let (Some(open), Some(limit)) = (fds.open, fds.soft_limit) else {
        return true;
    };
    u128::from(open) * 2 >= u128::from(limit)
}

/// How bad it is and what is said of it, after a count: `leaked` where they are, and what was seen `since`.
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
    fn what_does_not_become_more_is_kept_until_half_of_the_limit_is_gone() {
        let mut process = Fixture::new().process;
        (process.fds.open, process.fds.soft_limit) = (Some(511), Some(1024));
        assert!(is_kept(&process, Some(0)) && is_kept(&process, Some(-3)));
        assert!(!is_kept(&process, Some(1)) && !is_kept(&process, None));
        process.fds.open = Some(512);
        assert!(!is_kept(&process, Some(0)));
        process.fds.open = None;
        assert!(!is_kept(&process, Some(0)));
    }
}
