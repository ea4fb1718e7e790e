//! What findings about watches share: masks, and which watch covers which file.

use crate::model::{Identity, MaskCount, Name, Process, Watch, WatchTree};
use crate::words::plural;
use rules::event;
use std::collections::{HashMap, HashSet};

/// The masks of all instances that have one of `bits`, those with most watches first. Every instance counts once.
pub fn masks_with(process: &Process, bits: u32) -> Vec<MaskCount> {
    let counts = process.inotify.iter().flat_map(|instance| &instance.masks);
    MaskCount::roll_up(
        counts
            .filter(|count| count.mask.has(bits))
            .map(|count| (count.mask, count.watches)),
    )
}

/// "2,043 watches with mask 0x3ee in /home/me/app and below fire". Up to three masks are named, and the places if most
/// paths are not known.
pub fn watches_fire(process: &Process, watches: usize, masks: &[MaskCount]) -> String {
    let trees = process.watch_trees.iter().map(WatchTree::place);
    let trees = trees.collect::<Vec<_>>().join("; ");
    let place = if trees.is_empty() {
        trees
    } else {
        format!(" in {trees}")
    };
    let named: Vec<_> = masks.iter().take(3).map(|m| m.mask.to_string()).collect();
    let more = match masks.len().saturating_sub(named.len()) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!(
        "{} with {} {}{more}{place} {}",
        plural(watches, "watch", "watches"),
        if masks.len() == 1 { "mask" } else { "masks" },
        named.join(", "),
        if watches == 1 { "fires" } else { "fire" },
    )
}

/// A file that a process writes.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    /// Its path.
    pub path: &'a Name,
    /// Its inode.
    pub identity: Option<Identity>,
    /// The inode of its directory.
    pub parent: Option<Identity>,
}

/// The watch that reports a write.
#[derive(Clone, Copy)]
pub struct ReportingWatch<'a> {
    /// The inotify descriptor.
    pub fd: i32,
    /// The watch.
    pub watch: &'a Watch,
}

/// The watches for some events that cover given files.
pub struct Watches<'a> {
    by_identity: HashMap<Identity, ReportingWatch<'a>>,
    by_path: HashMap<&'a [u8], ReportingWatch<'a>>,
}

impl<'a> Watches<'a> {
    /// Watches with modify.
    pub fn reporting<'f>(
        process: &'a Process,
        files: impl Iterator<Item = Written<'f>>,
    ) -> Watches<'a> {
        Watches::asking(event::MODIFY, process, files)
    }

    /// Watches with one of `events`. All watches are looked at once, and only those that may matter for `files` are
    /// kept.
    pub fn asking<'f>(
        events: u32,
        process: &'a Process,
        files: impl Iterator<Item = Written<'f>>,
    ) -> Watches<'a> {
        let mut identities: HashSet<Identity> = HashSet::new();
        let mut paths: HashSet<&[u8]> = HashSet::new();
        for file in files {
            identities.extend(file.identity);
            identities.extend(file.parent);
            paths.insert(file.path.as_bytes());
            paths.extend(file.path.parent());
        }
        let mut found = Watches {
            by_identity: HashMap::new(),
            by_path: HashMap::new(),
        };
        if paths.is_empty() {
            return found;
        }
        for instance in &process.inotify {
            for watch in &instance.watches {
                if !watch.mask.has(events) {
                    continue;
                }
                let reporting = ReportingWatch {
                    fd: instance.fd,
                    watch,
                };
                if let Some(identity) = watch.identity().filter(|id| identities.contains(id)) {
                    found.by_identity.entry(identity).or_insert(reporting);
                }
                if let Some(path) = &watch.path
                    && !watch.deleted
                    && paths.contains(path.as_bytes())
                {
                    found.by_path.entry(path.as_bytes()).or_insert(reporting);
                }
            }
        }
        found
    }

    /// The watch that reports a write to `file`: on its directory, else on the file itself. Inodes decide, or a proved
    /// path if only that is known.
    pub fn of(&self, file: &Written<'_>) -> Option<ReportingWatch<'a>> {
        let by_identity = |id: Option<Identity>| self.by_identity.get(&id?).copied();
        let by_path = |path: Option<&[u8]>| self.by_path.get(path?).copied();
        by_identity(file.parent)
            .or_else(|| by_path(file.path.parent()))
            .or_else(|| by_identity(file.identity))
            .or_else(|| by_path(Some(file.path.as_bytes())))
    }
}
