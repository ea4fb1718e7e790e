//! Where watches without a known path most likely are.

use super::Name;
use serde::Serialize;

/// Watched trees of one file system whose tops are known, but not all watches in them: listing them would wake the
/// process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WatchTree {
    /// The tops, none below another, up to 10.
    pub tops: Vec<Name>,
    /// How many tops are not listed.
    pub more_tops: usize,
    /// The process's watches on that file system. Some are proved to be at or below the tops, the others most likely
    /// are.
    pub watches: usize,
    /// How many of these have a known path.
    pub found: usize,
}

impl WatchTree {
    /// `/home/me/app and below`
    pub fn place(&self) -> String {
        let mut tops: Vec<_> = self.tops.iter().take(3).map(ToString::to_string).collect();
        let more = self.more_tops + self.tops.len() - tops.len();
        if more > 0 {
            tops.push(format!("{more} more"));
        }
        let tops: Vec<_> = tops.iter().map(String::as_str).collect();
        format!("{} and below", crate::words::list_words(&tops, "and"))
    }
}
