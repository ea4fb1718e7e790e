//! Attribute changes: ATTRIB says neither what changed nor whether it matters, so the file is asked.
//!
//! The kernel reports ATTRIB for a change of mode, owner, times, extended attributes and link count, and
//! it is all that is said of a watched file that was replaced or unlinked while it was held open or had
//! another link (inotify(7)). A `touch` and the end of a file matter to a watcher, the rest does not.

/// A point in time as stat(2) gives it: seconds and nanoseconds.
pub type Time = (i64, i64);

/// What tells a file from every other: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
}

/// What stat(2) says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Which file it is.
    pub identity: Identity,
    /// `st_mtime`.
    pub modified: Time,
    /// `st_ctime`.
    pub changed: Time,
}

/// True if the attribute change of a file that looks like this is a touch: touch(1) and utimes(2) set
/// both times, anything else the change time alone.
///
/// Below two seconds, because FAT stores the modification time in steps of two. A modification time in the
/// future counts as well. So does one after `read`, when the program last read its events: another change may
/// have followed the touch, and the program has not read of either.
pub fn is_touch(look: &Look, read: Time) -> bool {
    if look.modified > read {
        return true;
    }
    match look.changed.0.saturating_sub(look.modified.0) {
        2 => look.changed.1 < look.modified.1,
        seconds => seconds < 2,
    }
}

/// True if a record with ATTRIB is to be kept, of a watch that was placed on `watched`; `own` and `entry` are as for
/// [`file()`], `read` is as for [`is_touch`]. What is in doubt is kept.
pub fn is_change(
    watched: Identity,
    read: Time,
    own: Option<Look>,
    entry: Option<impl FnOnce() -> Option<Look>>,
) -> bool {
    file(watched, own, entry).is_none_or(|file| is_touch(&file, read))
}

/// The file a record is about, of a watch that was placed on `watched`; `None` where nothing can be learnt about it.
///
/// `own` is what the watch's path leads to now, and `entry` what the record's name leads to in it, where
/// it has one. A look that failed proves nothing.
pub fn file(
    watched: Identity,
    own: Option<Look>,
    entry: Option<impl FnOnce() -> Option<Look>>,
) -> Option<Look> {
    // The watched file was replaced, or the path leads elsewhere.
    let own = own.filter(|own| own.identity == watched)?;
    match entry {
        None => Some(own),
        Some(entry) => entry(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATCHED: Identity = Identity {
        device: 1,
        inode: 7,
    };

    fn look(inode: u64, modified: Time, changed: Time) -> Look {
        Look {
            identity: Identity { inode, ..WATCHED },
            modified,
            changed,
        }
    }

    /// The program has read everything since.
    const LATER: Time = (i64::MAX, 999_999_999);

    /// Without an entry.
    const SELF: Option<fn() -> Option<Look>> = None;

    #[test]
    fn a_touch_sets_both_times_and_a_chmod_the_change_time_alone() {
        for (modified, changed, touch) in [
            ((100, 5), (100, 5), true),
            ((100, 0), (101, 999_999_999), true),
            ((100, 5), (102, 4), true),
            ((100, 5), (102, 5), false),
            ((100, 999_999_999), (102, 0), true),
            ((100, 0), (102, 0), false),
            ((100, 0), (5000, 0), false),
            // In the future.
            ((9000, 0), (100, 0), true),
            ((i64::MAX, 0), (i64::MIN, 0), true),
            ((i64::MIN, 0), (i64::MAX, 0), false),
        ] {
            assert_eq!(
                is_touch(&look(7, modified, changed), LATER),
                touch,
                "{modified:?} {changed:?}"
            );
        }
    }

    /// A busy program reads late: a touch, and a chmod long after it, are read at once.
    #[test]
    fn a_touch_that_was_not_read_yet_is_not_hidden_by_what_came_after_it() {
        let both = look(7, (100, 5), (200, 0));
        assert!(is_touch(&both, (100, 4)));
        assert!(!is_touch(&both, (100, 5)));
        assert!(!is_touch(&both, (150, 0)));
        assert!(is_change(WATCHED, (99, 0), Some(both), SELF));
        assert!(is_change(
            WATCHED,
            (99, 0),
            Some(look(7, (0, 0), (9, 0))),
            Some(|| Some(both))
        ));
    }

    #[test]
    fn what_cannot_be_looked_at_is_kept() {
        assert!(is_change(WATCHED, LATER, None, SELF));
        let old = look(7, (0, 0), (9, 0));
        assert!(is_change(WATCHED, LATER, Some(old), Some(|| None)));
        assert!(is_change(WATCHED, LATER, None, Some(|| Some(old))));
    }

    #[test]
    fn a_path_that_leads_to_another_file_is_a_change() {
        let old = |inode| look(inode, (0, 0), (9, 0));
        assert!(!is_change(WATCHED, LATER, Some(old(7)), SELF));
        assert!(is_change(WATCHED, LATER, Some(old(8)), SELF));
        let elsewhere = Identity {
            device: 2,
            ..WATCHED
        };
        assert!(is_change(elsewhere, LATER, Some(old(7)), SELF));
        // Neither can the entries of another directory tell anything.
        assert!(is_change(
            WATCHED,
            LATER,
            Some(old(8)),
            Some(|| Some(old(9)))
        ));
    }

    #[test]
    fn an_entry_is_judged_by_its_own_times() {
        let old = look(7, (0, 0), (9, 0));
        let new = look(9, (9, 0), (9, 0));
        assert!(is_change(WATCHED, LATER, Some(old), Some(|| Some(new))));
        assert!(!is_change(
            WATCHED,
            LATER,
            Some(new_directory()),
            Some(|| Some(old))
        ));
        assert!(is_change(WATCHED, LATER, Some(new_directory()), SELF));
    }

    fn new_directory() -> Look {
        look(7, (9, 0), (9, 0))
    }
}
