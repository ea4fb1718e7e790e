//! Looking at paths as the process sees them, and whether it would notice that we open them.

use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::subject::mountinfo::Mount;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Identity, Name};

/// What every look at a path needs.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    pub view: &'a View<'a>,
    pub side_effects: &'a SideEffects,
}

impl Look<'_> {
    /// Whether the process's watches would report that this directory is opened.
    pub fn is_seen(&self, path: &[u8]) -> bool {
        if self.side_effects.is_empty() {
            return false;
        }
        let itself = self.identity(path);
        let mount = self.view.mounts().of_path(path);
        let parent = match mount.filter(|mount| mount.point.as_bytes() == path) {
            // fsnotify uses the parent within the file system, not the one above the mount point.
            Some(mount) => self.above_mount(mount).or(itself),
            None => self.identity(Name::from(path).parent().unwrap_or(b"/")),
        };
        self.side_effects.by_opening(itself, parent)
    }

    fn above_mount(&self, mount: &Mount) -> Option<Identity> {
        self.identity(&self.view.mounts().above_root(mount)?)
    }

    /// What a path leads to, without opening it. Also `None` if looking might hang.
    fn identity(&self, path: &[u8]) -> Option<Identity> {
        self.view.identity(path, FinalLink::Stay)
    }
}
