//! What is open: how many of each kind, and the directories and extensions with most regular files.

use super::{Descriptor, ExtensionCount, Fds, FileCount, Kind, Name};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// How many directories and extensions are kept: more would be as long as the list itself.
const KEPT: usize = 10;

impl Fds {
    /// Fills in `by_type`.
    pub fn count_kinds(&mut self, descriptors: &[Descriptor]) {
        let mut kinds = BTreeMap::new();
        for descriptor in descriptors {
            *kinds.entry(descriptor.kind).or_insert(0) += 1;
        }
        self.by_type = Some(kinds);
    }

    /// Fills in `top_directories` and `top_extensions`.
    pub fn roll_up(&mut self, descriptors: &[Descriptor]) {
        let files = || descriptors.iter().filter(|d| d.kind == Kind::File);
        self.top_directories = top(files().filter_map(|file| file.target.parent()))
            .into_iter()
            .map(|(directory, descriptors)| FileCount {
                directory: directory.into(),
                descriptors,
            })
            .collect();
        self.top_extensions = top(files().map(|file| file.target.extension()))
            .into_iter()
            .map(|(extension, descriptors)| ExtensionCount {
                extension: extension.map(Name::from),
                descriptors,
            })
            .collect();
    }
}

fn top<K: Hash + Ord + Copy>(keys: impl Iterator<Item = K>) -> Vec<(K, usize)> {
    let mut counts: HashMap<K, usize> = HashMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    let mut list: Vec<_> = counts.into_iter().collect();
    list.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    list.truncate(KEPT);
    list
}
