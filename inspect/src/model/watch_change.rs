//! What is to change about the watches of a process, before it is written as a command.

use super::Name;

/// What a finding wants changed: by another start, and as the process runs.
#[derive(Debug, Clone, Default)]
pub struct WatchChange {
    /// By a new start; `None` if none helps.
    pub start: Option<Restart>,
    /// By `watchfix heal`; `None` if that does not help.
    pub heal: Option<Heal>,
}

/// Whether changes of attributes are taken out. The library judges each of them by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attrib {
    /// As the default rules have it.
    #[default]
    Judged,
    /// By engines that see masks only, which cannot judge.
    OutOfMasks,
    /// By every engine.
    Out,
}

/// Rules for another start, besides the default ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restart {
    /// Names of files to be ignored.
    pub ignore: Vec<Name>,
    /// Directories to settle if names cannot be ignored.
    pub instead: Vec<Name>,
    /// Directories to be settled.
    pub settle: Vec<Name>,
    /// Directories whose watches are to be muted.
    pub drop: Vec<Name>,
    /// Changes of attributes.
    pub attrib: Attrib,
    /// The library does not reach the program, or not in this way: by `watchfix run`.
    pub by_run: bool,
    /// Only the removal of names helps: those above, or those of the default rules.
    pub by_name: bool,
}

/// Rules for `watchfix heal`, besides the default ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heal {
    /// Directories to be settled.
    pub settle: Vec<Name>,
    /// Directories whose watches are to be muted.
    pub drop: Vec<Name>,
    /// Changes of attributes are taken out.
    pub attrib: bool,
}

impl Restart {
    /// With events of these names removed; where names cannot be ignored `dir` is settled, so that a file is reported
    /// when it is closed and not at every write.
    pub fn ignoring(names: &[&[u8]], dir: &Name) -> Restart {
        Restart {
            instead: vec![dir.clone()],
            by_name: false,
            ..Restart::without(names)
        }
    }

    /// The same where only the removal of these names helps.
    pub fn without(names: &[&[u8]]) -> Restart {
        Restart {
            ignore: names.iter().map(|&name| name.into()).collect(),
            by_name: true,
            ..Restart::default()
        }
    }

    /// Takes in what another one wants.
    pub fn join(&mut self, other: Restart) {
        add(&mut self.ignore, other.ignore);
        add(&mut self.instead, other.instead);
        add(&mut self.settle, other.settle);
        add(&mut self.drop, other.drop);
        self.attrib = self.attrib.max(other.attrib);
        self.by_run |= other.by_run;
        self.by_name |= other.by_name;
    }
}

impl Heal {
    /// With a directory settled.
    pub fn settling(dir: &Name) -> Heal {
        Heal {
            settle: vec![dir.clone()],
            ..Heal::default()
        }
    }

    /// Takes in what another one wants.
    pub fn join(&mut self, other: Heal) {
        add(&mut self.settle, other.settle);
        add(&mut self.drop, other.drop);
        self.attrib |= other.attrib;
    }
}

fn add(list: &mut Vec<Name>, more: Vec<Name>) {
    for name in more {
        if !list.contains(&name) {
            list.push(name);
        }
    }
}
