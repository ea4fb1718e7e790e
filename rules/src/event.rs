//! The bits of an inotify mask and their names, in one table.
//!
//! Source: include/uapi/linux/inotify.h and inotify(7). Names are those without `IN_`, in lower case.

macro_rules! bits {
    ($table:ident: $($(#[$doc:meta])* $name:ident = $bit:literal, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: u32 = $bit;)*
        /// Bit and name, in the order of the bits.
        pub const $table: &[(u32, &str)] = &[$(($name, $text)),*];
    };
}

bits! { EVENTS:
    /// A file was read.
    ACCESS = 0x1, "access";
    /// A file was written or truncated.
    MODIFY = 0x2, "modify";
    /// Metadata changed: mode, owner, times, link count.
    ATTRIB = 0x4, "attrib";
    /// A file open for writing was closed.
    CLOSE_WRITE = 0x8, "close_write";
    /// A file or directory not open for writing was closed.
    CLOSE_NOWRITE = 0x10, "close_nowrite";
    /// A file or directory was opened.
    OPEN = 0x20, "open";
    /// The old name of a rename.
    MOVED_FROM = 0x40, "moved_from";
    /// The new name of a rename.
    MOVED_TO = 0x80, "moved_to";
    /// An entry was made in the watched directory.
    CREATE = 0x100, "create";
    /// An entry was removed from the watched directory.
    DELETE = 0x200, "delete";
    /// The watched inode itself was deleted.
    DELETE_SELF = 0x400, "delete_self";
    /// The watched inode itself was moved.
    MOVE_SELF = 0x800, "move_self";
}

bits! { NOTICES:
    /// The watched file system was unmounted. The kernel adds it to every watch.
    UNMOUNT = 0x2000, "unmount";
    /// Events were lost: the queue was full. Its wd is -1.
    Q_OVERFLOW = 0x4000, "q_overflow";
    /// The watch is gone.
    IGNORED = 0x8000, "ignored";
    /// The event is about a directory.
    ISDIR = 0x4000_0000, "isdir";
}

bits! { FLAGS:
    /// Only watch the path if it is a directory.
    ONLYDIR = 0x0100_0000, "onlydir";
    /// Do not follow a symbolic link.
    DONT_FOLLOW = 0x0200_0000, "dont_follow";
    /// No events for names that were unlinked.
    EXCL_UNLINK = 0x0400_0000, "excl_unlink";
    /// Fail if the inode is watched already (4.18).
    MASK_CREATE = 0x1000_0000, "mask_create";
    /// Add to the mask of an existing watch instead of replacing it.
    MASK_ADD = 0x2000_0000, "mask_add";
    /// Remove the watch after its first event.
    ONESHOT = 0x8000_0000, "oneshot";
}

/// Every event a caller can ask for (`IN_ALL_EVENTS`).
pub const ALL_EVENTS: u32 = 0xfff;

/// The groups inotify(7) names besides the single events.
pub const GROUPS: &[(u32, &str)] = &[
    (CLOSE_WRITE | CLOSE_NOWRITE, "close"),
    (MOVED_FROM | MOVED_TO, "move"),
    (ALL_EVENTS, "all_events"),
];

/// The names of the known bits in `mask`: events, then notices, then flags.
pub fn names(mask: u32) -> impl Iterator<Item = &'static str> {
    EVENTS
        .iter()
        .chain(NOTICES)
        .chain(FLAGS)
        .filter(move |(bit, _)| mask & bit != 0)
        .map(|&(_, name)| name)
}

/// The bits of `mask` that have no name: a newer kernel's, to be shown as hex.
pub fn unknown(mask: u32) -> u32 {
    EVENTS
        .iter()
        .chain(NOTICES)
        .chain(FLAGS)
        .fold(mask, |left, (bit, _)| left & !bit)
}

/// The bits a name stands for: an event or a group, never a flag.
#[inline(never)]
pub fn bits(name: &[u8]) -> Option<u32> {
    EVENTS
        .iter()
        .chain(GROUPS)
        .find(|(_, text)| text.as_bytes() == name)
        .map(|&(bit, _)| bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(mask: u32) -> std::vec::Vec<&'static str> {
        names(mask).collect()
    }

    #[test]
    fn the_known_bits_have_names_and_the_others_are_left() {
        assert_eq!(named(0), [""; 0]);
        assert_eq!(
            named(ISDIR | MODIFY | ONESHOT | IGNORED | ACCESS),
            ["access", "modify", "ignored", "isdir", "oneshot"]
        );
        assert_eq!(unknown(ALL_EVENTS | UNMOUNT | Q_OVERFLOW | MASK_ADD), 0);
        assert_eq!(unknown(0x0010_1000 | MODIFY), 0x0010_1000);
        let all = EVENTS.iter().chain(NOTICES).chain(FLAGS);
        assert_eq!(named(all.fold(0, |mask, (bit, _)| mask | bit)).len(), 22);
    }

    #[test]
    fn groups_are_those_of_the_manual() {
        assert_eq!(bits(b"close"), Some(0x18));
        assert_eq!(bits(b"move"), Some(0xc0));
        assert_eq!(bits(b"all_events"), Some(0xfff));
        assert_eq!(bits(b"oneshot"), None);
    }
}
