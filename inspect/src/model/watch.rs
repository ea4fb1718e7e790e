//! Inotify instances and their watches.

use super::{Device, Events, Identity, Mask, Name};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::collections::HashMap;

/// One inotify descriptor.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Instance {
    /// The descriptor in the process.
    pub fd: i32,
    /// The thread whose descriptor it is, if that thread has its own table (clone(2), CLONE_FILES).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<u32>,
    /// How many watches it has.
    pub watch_count: usize,
    /// The masks in use, most watches first.
    pub masks: Vec<MaskCount>,
    /// Every watch, newest first as the kernel lists them. Empty if `same_instance_as` is set.
    pub watches: Vec<Watch>,
    /// The lower descriptor of the process that is the same instance (dup(2)): its watches stand there.
    pub same_instance_as: Option<i32>,
    /// Which part of watchfix is between it and the process; `null` if none is seen.
    pub covered_by: Option<CoveredBy>,
    /// Whether a read of it waits for events: it is not O_NONBLOCK.
    #[serde(skip)]
    pub waits: Option<bool>,
}

/// Which part of watchfix is between an instance and the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CoveredBy {
    /// libwatchfix: it judges watches and events.
    Library,
    /// `watchfix run`: its supervisor judges watches and events.
    Reads,
    /// `watchfix run`: its supervisor judges only the masks of watches.
    Masks,
}

impl CoveredBy {
    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            CoveredBy::Library => "library",
            CoveredBy::Reads => "reads",
            CoveredBy::Masks => "masks",
        }
    }
}

/// How many watches of an instance share a mask.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MaskCount {
    /// The mask.
    pub mask: Mask,
    /// Its bits by name.
    pub events: Events,
    /// How many watches have it.
    pub watches: usize,
}

impl MaskCount {
    /// The sums by mask, most watches first.
    pub fn roll_up(counts: impl Iterator<Item = (Mask, usize)>) -> Vec<MaskCount> {
        let mut sums: HashMap<Mask, usize> = HashMap::new();
        for (mask, watches) in counts {
            *sums.entry(mask).or_insert(0) += watches;
        }
        let mut list: Vec<_> = sums
            .into_iter()
            .map(|(mask, watches)| MaskCount {
                mask,
                events: mask.events(),
                watches,
            })
            .collect();
        list.sort_by(|a, b| b.watches.cmp(&a.watches).then(a.mask.cmp(&b.mask)));
        list
    }
}

/// One watch. There may be 100,000 of them, so it is kept small.
#[derive(Debug)]
pub struct Watch {
    /// The watch descriptor.
    pub wd: i32,
    /// The watched inode.
    pub inode: u64,
    /// The device of the inode's file system.
    pub device: Device,
    /// As in [`Identity`]; `None` where nothing tells it from other inodes of that number.
    pub handle: Option<u64>,
    /// What it asks for.
    pub mask: Mask,
    /// Where the inode is, as the process sees it.
    pub path: Option<Name>,
    /// How the path was found.
    pub resolved_by: Option<ResolvedBy>,
    /// Whether it is deleted; `path` is where it was.
    pub deleted: bool,
    /// Why there is no path. Also `None` if none was searched for.
    pub unresolved: Option<&'static str>,
}

/// How a path was found. Each way proves that it leads to the watched inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ResolvedBy {
    /// The kernel opened the file handle.
    Handle,
    /// A likely place was compared.
    Candidate,
    /// Its directory was listed.
    Walk,
}

impl Watch {
    /// The watched inode; `None` where nothing tells it from others of that number.
    pub fn identity(&self) -> Option<Identity> {
        Some(Identity {
            device: self.device,
            inode: self.inode,
            handle: self.handle?,
        })
    }
}

impl Serialize for Watch {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let optional = usize::from(self.deleted) + usize::from(self.unresolved.is_some());
        let mut map = to.serialize_struct("Watch", 7 + optional)?;
        map.serialize_field("wd", &self.wd)?;
        map.serialize_field("inode", &self.inode)?;
        map.serialize_field("device", &self.device)?;
        map.serialize_field("mask", &self.mask)?;
        map.serialize_field("events", &self.mask.events())?;
        map.serialize_field("path", &self.path)?;
        map.serialize_field("resolved_by", &self.resolved_by)?;
        if self.deleted {
            map.serialize_field("deleted", &true)?;
        }
        if let Some(why) = self.unresolved {
            map.serialize_field("unresolved", why)?;
        }
        map.end()
    }
}
