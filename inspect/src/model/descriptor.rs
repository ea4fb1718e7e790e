//! Open descriptors.

use super::{Device, Name};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The census of a process's descriptors.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fds {
    /// How many are open. Known to any user since Linux 6.2.
    pub open: Option<u64>,
    /// RLIMIT_NOFILE, soft.
    pub soft_limit: Option<u64>,
    /// RLIMIT_NOFILE, hard.
    pub hard_limit: Option<u64>,
    /// How many there are of each kind; `None` if they may not be read.
    pub by_type: Option<BTreeMap<Kind, usize>>,
    /// Every descriptor, if the whole list was asked for (`--all`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<Descriptor>>,
    /// The directories with most descriptors of regular files in them, most first.
    pub top_directories: Vec<FileCount>,
    /// The extensions with most descriptors of regular files, most first; `None` stands for names without an extension.
    pub top_extensions: Vec<ExtensionCount>,
}

/// The descriptors of regular files in one directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileCount {
    /// The directory.
    pub directory: Name,
    /// Descriptors of files in it, not below it.
    pub descriptors: usize,
}

/// The descriptors of regular files with one extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExtensionCount {
    /// The extension, without its dot.
    pub extension: Option<Name>,
    /// Descriptors of such files.
    pub descriptors: usize,
}

/// One open descriptor.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Descriptor {
    /// Its number.
    pub fd: i32,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Its path, or the name the kernel has for it (`anon_inode:inotify`), without ` (deleted)`.
    pub target: Name,
    /// Whether the file is deleted.
    pub deleted: bool,
    /// Whether it can be written through. Known for what has a path.
    pub writable: Option<bool>,
    /// Its size in bytes. Known for regular files that can be looked at without risk of hanging.
    pub bytes: Option<u64>,
    /// What it takes on its file system, in bytes: less than its size when it is sparse. Known with `bytes`.
    #[serde(skip)]
    pub space: Option<u64>,
    /// Inode and device. Known for what has a path.
    #[serde(flatten)]
    pub identity: Option<Identity>,
    /// Inode and device of the directory that it is or was in: regular files only.
    #[serde(skip)]
    pub parent: Option<Identity>,
}

impl Descriptor {
    /// A descriptor of which no more is known than its number and kind.
    pub fn of_kind(fd: i32, kind: Kind) -> Descriptor {
        Descriptor {
            fd,
            kind,
            target: Name::default(),
            deleted: false,
            writable: None,
            bytes: None,
            space: None,
            identity: None,
            parent: None,
        }
    }
}

/// What an inode is known by across names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Identity {
    /// The device of its superblock.
    pub device: Device,
    /// Its number there.
    pub inode: u64,
    /// Distinguishes it from others with that number, made of its file handle; 0 if device and number do.
    #[serde(skip)]
    pub handle: u64,
}

impl Identity {
    /// Of a file that device and number tell from every other one.
    pub fn plain(device: Device, inode: u64) -> Identity {
        Identity {
            device,
            inode,
            handle: 0,
        }
    }

    /// Device and number alone: locks are listed by these.
    pub fn number(self) -> Identity {
        Identity::plain(self.device, self.inode)
    }
}

/// What a descriptor is. The order is that of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// An inotify instance.
    Inotify,
    /// A socket of any family.
    Socket,
    /// A pipe or FIFO.
    Pipe,
    /// An epoll instance.
    Epoll,
    /// A kqueue, on a Mac.
    Kqueue,
    /// An eventfd.
    Eventfd,
    /// A timerfd.
    Timerfd,
    /// A signalfd.
    Signalfd,
    /// A pidfd.
    Pidfd,
    /// A memfd.
    Memfd,
    /// An io_uring instance.
    IoUring,
    /// A fanotify group.
    Fanotify,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A namespace.
    Namespace,
    /// Any other anonymous inode (bpf, perf, kvm, ...).
    Anonymous,
    /// Something with a path that could not be looked at.
    Unknown,
}

impl Kind {
    /// Its name in JSON and in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Directory => "directory",
            Kind::Inotify => "inotify",
            Kind::Socket => "socket",
            Kind::Pipe => "pipe",
            Kind::Epoll => "epoll",
            Kind::Kqueue => "kqueue",
            Kind::Eventfd => "eventfd",
            Kind::Timerfd => "timerfd",
            Kind::Signalfd => "signalfd",
            Kind::Pidfd => "pidfd",
            Kind::Memfd => "memfd",
            Kind::IoUring => "io_uring",
            Kind::Fanotify => "fanotify",
            Kind::CharDevice => "char_device",
            Kind::BlockDevice => "block_device",
            Kind::Namespace => "namespace",
            Kind::Anonymous => "anonymous",
            Kind::Unknown => "unknown",
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}
