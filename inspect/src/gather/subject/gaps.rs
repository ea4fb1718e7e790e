//! What could not be seen, and why.

use crate::model::Gap;
use std::io;

/// Collects what could not be seen.
#[derive(Debug, Default)]
pub struct Gaps(Vec<Gap>);

impl Gaps {
    /// Notes that `what` is missing because of `why`.
    pub fn note(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.add(what.into(), why.into(), None);
    }

    /// Notes that `count` of `what` are missing because of `why`.
    pub fn count(&mut self, count: usize, what: impl Into<String>, why: impl Into<String>) {
        self.add(what.into(), why.into(), Some(count));
    }

    fn add(&mut self, what: String, why: String, count: Option<usize>) {
        let aside = false;
        self.0.push(Gap {
            what,
            why,
            count,
            aside,
        });
    }

    /// Gaps that no finding depends on, as far as can be seen.
    pub fn set_aside(&mut self) {
        self.0.iter_mut().for_each(|gap| gap.aside = true);
    }

    /// Adds the gaps of `others`.
    pub fn extend(&mut self, others: &Gaps) {
        self.0.extend_from_slice(&others.0);
    }

    /// All of them, in the order in which they were noted.
    pub fn into_list(self) -> Vec<Gap> {
        self.0
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

/// Whether the error means that what was looked at no longer exists.
pub fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}
