//! Kqueues of a Mac, and the files watched through them. They are apart from inotify's watches: of the same bits each
//! means something else (NOTE_ATTRIB is IN_CLOSE_WRITE's).

use super::Name;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use std::collections::HashMap;
use std::fmt;

/// A kqueue with watches on files.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kqueue {
    /// Its descriptor.
    pub fd: i32,
    /// How many files and directories it watches.
    pub watch_count: usize,
    /// What is asked for, most watches first.
    pub masks: Vec<NoteCount>,
    /// Every watch on a file.
    pub watches: Vec<KqueueWatch>,
}

impl Kqueue {
    /// One with these watches.
    pub fn of(fd: i32, watches: Vec<KqueueWatch>) -> Kqueue {
        Kqueue {
            fd,
            watch_count: watches.len(),
            masks: NoteCount::roll_up(watches.iter().map(|watch| (watch.mask, 1))),
            watches,
        }
    }
}

/// A note with EVFILT_VNODE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KqueueWatch {
    /// The descriptor of the watched file.
    pub descriptor: i32,
    /// What it asks for.
    pub mask: Notes,
    /// The path of the file.
    pub path: Option<Name>,
}

/// How many watches ask for the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NoteCount {
    /// What they ask for.
    pub mask: Notes,
    /// The same by name.
    pub events: NoteNames,
    /// How many there are.
    pub watches: usize,
}

impl NoteCount {
    /// The sums, most watches first.
    pub fn roll_up(counts: impl Iterator<Item = (Notes, usize)>) -> Vec<NoteCount> {
        let mut sums: HashMap<Notes, usize> = HashMap::new();
        for (mask, watches) in counts {
            *sums.entry(mask).or_default() += watches;
        }
        let count = |(mask, watches)| NoteCount {
            mask,
            events: NoteNames(mask),
            watches,
        };
        let mut list: Vec<_> = sums.into_iter().map(count).collect();
        list.sort_by_key(|count| (std::cmp::Reverse(count.watches), count.mask));
        list
    }
}

/// The NOTE_* flags of EVFILT_VNODE (bsd/sys/event.h), shown and serialised as `0x2f`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Notes(pub u32);

/// Their names.
const NAMES: [(u32, &str); 8] = [
    (0x1, "delete"),
    (0x2, "write"),
    (0x4, "extend"),
    (Notes::ATTRIB, "attrib"),
    (0x10, "link"),
    (0x20, "rename"),
    (0x40, "revoke"),
    (0x100, "funlock"),
];

impl Notes {
    /// NOTE_ATTRIB: every change of metadata.
    pub const ATTRIB: u32 = 0x8;

    /// Whether it has any of these bits.
    pub fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    fn names(self) -> impl Iterator<Item = String> {
        let known = NAMES.iter().fold(0, |all, (bit, _)| all | bit);
        let unknown = Some(self.0 & !known).filter(|&bits| bits != 0);
        let named = NAMES.iter().filter(move |(bit, _)| self.has(*bit));
        let named = named.map(|(_, name)| (*name).to_owned());
        named.chain(unknown.map(|bits| format!("{bits:#x}")))
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for Notes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The names of notes; bits without a name come last, as one hexadecimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoteNames(Notes);

impl fmt::Display for NoteNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.names().collect();
        f.write_str(&names.join(" "))
    }
}

impl Serialize for NoteNames {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(None)?;
        for name in self.0.names() {
            list.serialize_element(&name)?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_have_names_of_their_own_and_what_has_none_is_shown_as_hex() {
        let names = NoteNames(Notes(0x2 | Notes::ATTRIB | 0x800));
        assert_eq!(names.to_string(), "write attrib 0x800");
        assert_eq!(
            serde_json::to_string(&names).unwrap(),
            r#"["write","attrib","0x800"]"#
        );
    }
}
