//! The records of pauses, in the directory `pause` of the runtime directory: this user's alone.

use super::trees::Trees;
use crate::heal::Runtime;
use inspect::gather::has_ended_since;
use inspect::model::{PauseRecord, Started};
use inspect::words::sanitize;
use std::io;
use std::time::Duration;

/// What follows the name of a record in the name of the file with what its directories held.
const NAMES: &str = ".names";

/// The directory in the runtime directory.
const DIR: &str = "pause";

/// How long a pause that is made, or ended by hand, waits for others that are just made or ended.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// The records, which nobody else changes for as long as this is held.
pub struct Store(Runtime);

impl Store {
    /// Waits until nobody else has it, but no longer than so long.
    ///
    /// # Errors
    /// The directory cannot be made, is not this user's alone, or somebody else has it still.
    pub fn open(patience: Duration) -> io::Result<Store> {
        Runtime::open_below(DIR, patience).map(Store)
    }

    /// All pauses that can be read, whoever changes them: nothing is made, and nothing waited for.
    pub fn look() -> Vec<PauseRecord> {
        read(Runtime::texts_below(DIR).iter())
    }

    /// All pauses that can be read.
    pub fn all(&self) -> Vec<PauseRecord> {
        let names = self.0.names();
        let plain = names.iter().filter(|name| !name.contains('.'));
        let texts: Vec<_> = plain.filter_map(|name| self.0.read(name).ok()?).collect();
        read(texts.iter())
    }

    /// Writes one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, record: &PauseRecord) -> io::Result<()> {
        self.0.write(&record.name(), &record.text())
    }

    /// What its directories held.
    pub fn names(&self, record: &PauseRecord) -> Option<String> {
        self.0.read(&(record.name() + NAMES)).ok()?
    }

    /// Writes that.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_names(&self, record: &PauseRecord, text: &str) -> io::Result<()> {
        self.0.write(&(record.name() + NAMES), text)
    }

    /// Removes all of a pause.
    pub fn remove(&self, record: &PauseRecord) {
        self.0.remove(&record.name());
        self.0.remove(&(record.name() + NAMES));
    }
}

fn read<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<PauseRecord> {
    let mut all: Vec<_> = texts.filter_map(|text| PauseRecord::parse(text)).collect();
    all.sort_by_key(|record| (record.since, record.guardian));
    all
}

/// Whether the process that is to end the pause is there.
pub fn is_guarded(record: &PauseRecord) -> bool {
    let Started { pid, ticks } = record.guardian;
    !has_ended_since(pid, ticks)
}

/// A pause in force that covers something `record` has muted.
pub fn covering(store: &Store, record: &PauseRecord) -> Option<PauseRecord> {
    let covers = |other: &PauseRecord| {
        let trees = Trees::of(other);
        record
            .watches
            .iter()
            .any(|watch| !watch.held && trees.place(watch.path.as_bytes()).is_some())
    };
    let mut all = store.all().into_iter();
    all.find(|other| {
        other.guardian != record.guardian && !other.over && is_guarded(other) && covers(other)
    })
}

/// The trees of a pause, for people.
pub fn dirs(record: &PauseRecord) -> String {
    let dirs: Vec<_> = record.dirs.iter().map(ToString::to_string).collect();
    sanitize(&dirs.join(", ")).into_owned()
}
