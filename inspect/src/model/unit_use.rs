//! What the processes of a unit have in use together.

use super::Unit;
use serde::Serialize;

/// What the processes of one unit have in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnitRow {
    /// The unit; `None` for those in none that is known.
    pub unit: Option<Unit>,
    /// What they have.
    #[serde(flatten)]
    pub used: UnitUse,
}

/// Sums over processes. An instance that several have counts for the first of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnitUse {
    /// Processes.
    pub processes: u64,
    /// Those whose descriptors may not be read: watches and instances are lower bounds then.
    pub unreadable: u64,
    /// Watches of all their instances.
    pub watches: u64,
    /// Their instances.
    pub instances: u64,
    /// Descriptors; `None` if those of one process are not known.
    pub fds: Option<u64>,
}

impl UnitUse {
    /// Adds what others have.
    pub fn add(&mut self, other: &UnitUse) {
        let first = self.processes == 0;
        self.processes += other.processes;
        self.unreadable += other.unreadable;
        self.watches += other.watches;
        self.instances += other.instances;
        self.fds = match first {
            true => other.fds,
            false => self.fds.zip(other.fds).map(|(a, b)| a + b),
        };
    }

    /// Whether nothing of them could be read.
    pub fn is_unknown(&self) -> bool {
        self.unreadable == self.processes
    }
}
