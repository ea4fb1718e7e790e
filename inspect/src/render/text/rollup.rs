//! Watches by directory: thousands of rows become the few directories that hold most of them.

use crate::model::{Process, Watch};
use std::collections::HashMap;

/// Directories shown.
const SHOWN: usize = 10;

/// The directories with most watches at or below them, as narrow as that count allows, and how many
/// watches have a path at all.
pub fn top_directories(process: &Process) -> (Vec<(String, usize)>, usize) {
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    let mut known = 0;
    let watches = process.inotify.iter().flat_map(|i| &i.watches);
    for path in watches.filter_map(|watch: &Watch| watch.path.as_ref()) {
        known += 1;
        *counts.entry(parent(path.as_bytes())).or_insert(0) += 1;
    }
    let mut list: Vec<_> = counts.into_iter().collect();
    list.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    list.truncate(SHOWN);
    let shown = list
        .into_iter()
        .map(|(path, count)| (crate::model::Name::from(path).to_string(), count))
        .collect();
    (shown, known)
}

fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&b| b == b'/') {
        Some(0) | None => b"/",
        Some(at) => path.get(..at).unwrap_or(path),
    }
}
