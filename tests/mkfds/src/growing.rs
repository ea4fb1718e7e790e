//! States that grow, one step after the other, until standard input is closed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use rusqlite::Connection;

use crate::files::{allow_open, set_soft_limit};
use crate::inotify::Instance;
use crate::report::{self, Outcome, Report};
use crate::sqlite::{begin_reading, open, open_wal, read, report_database};

/// What there is more of with every step.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Open files, a new one each.
    Files,
    /// Descriptors of one file.
    Handles,
    /// Watches of one instance.
    Watches,
    /// Inotify instances.
    Instances,
    /// Connections to one database, each of which has read.
    Connections,
    /// Frames of a -wal behind a reader.
    Frames,
}

/// How it grows.
pub struct Pace {
    /// So much before it is ready.
    pub count: usize,
    /// And then one after the other up to so much.
    pub most: usize,
    /// Between two steps.
    pub every: Duration,
}

/// Grows until there is no more to come, and waits.
pub fn hold(
    mut report: Report,
    dir: &Path,
    what: What,
    Pace { count, most, every }: Pace,
    limit: Option<u64>,
) -> Outcome {
    match limit {
        Some(limit) => set_soft_limit(limit)?,
        // A log grows in one file.
        None if what == What::Frames => {}
        None => allow_open(most as u64 * 3)?,
    }
    let mut state = State::new(dir, what)?;
    for _ in 0..count {
        state.grow()?;
    }
    if let Some(database) = &state.database {
        report_database(&mut report, database)?;
    }
    report.path("dir", dir)?;
    let ended = std::thread::spawn(report::wait_for_end);
    report.ready()?;
    for _ in count..most {
        if ended.is_finished() {
            break;
        }
        state.grow()?;
        std::thread::sleep(every);
    }
    ended
        .join()
        .map_err(|_| "The waiting thread panicked.".to_owned())?
}

struct State {
    what: What,
    dir: PathBuf,
    steps: usize,
    database: Option<PathBuf>,
    files: Vec<File>,
    instances: Vec<Instance>,
    // The first writes, the second of `Frames` reads.
    connections: Vec<Connection>,
}

impl State {
    fn new(dir: &Path, what: What) -> Result<State, String> {
        let mut state = State {
            what,
            dir: dir.to_owned(),
            steps: 0,
            database: None,
            files: Vec::new(),
            instances: Vec::new(),
            connections: Vec::new(),
        };
        match what {
            What::Watches => state.instances.push(Instance::new()?),
            What::Connections | What::Frames => {
                let database = dir.join("state0.db");
                state.connections.push(open_wal(&database)?);
                if what == What::Frames {
                    let reader = open(&database)?;
                    begin_reading(&reader, &database)?;
                    state.connections.push(reader);
                }
                state.database = Some(database);
            }
            _ => {}
        }
        Ok(state)
    }

    fn grow(&mut self) -> Outcome {
        let step = self.steps;
        self.steps += 1;
        match self.what {
            What::Files => self.open(&format!("session{step}.jsonl")),
            What::Handles => self.open("many"),
            What::Watches => {
                let path = self.dir.join(format!("d{step}"));
                std::fs::create_dir(&path)
                    .map_err(|e| format!("{} cannot be made: {e}.", path.display()))?;
                self.instances[0].watch(&path, 0x3c8).map(drop)
            }
            What::Instances => {
                self.instances.push(Instance::new()?);
                Ok(())
            }
            What::Connections => {
                let database = self.database.clone().unwrap_or_default();
                let connection = open(&database)?;
                read(&connection, &database)?;
                self.connections.push(connection);
                Ok(())
            }
            What::Frames => self.connections[0]
                .execute_batch("REPLACE INTO entries (id, body) VALUES (1, 'changed')")
                .map_err(|e| format!("The database cannot be written: {e}.")),
        }
    }

    fn open(&mut self, name: &str) -> Outcome {
        let path = self.dir.join(name);
        let file = File::options()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(|e| format!("{} cannot be opened: {e}.", path.display()))?;
        self.files.push(file);
        Ok(())
    }
}
