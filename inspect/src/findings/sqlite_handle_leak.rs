//! `sqlite-handle-leak`: a SQLite database has many connections, or many descriptors that SQLite cannot close.
//!
//! Meaning: Connections are opened and not closed, or descriptors of closed ones are parked: SQLite keeps a descriptor
//! open while another connection of the process holds a lock (incident 4). In WAL mode a connection has one descriptor
//! of the database and one of the -wal.
//!
//! Evidence: `kind` is "connections" or "parked". `pid` is the process that has them in `fdscan wal DB`, else null.
//! `database` (path). `handles`, `wal_handles` and `shm_handles` count descriptors of the database, the -wal and the
//! -shm. `connections` that have read are as many as descriptors of the -wal, `libraries` as those of the -shm, and
//! `parked` is the surplus of the database over the -wal. `open` is all descriptors of the process. `growth` is null
//! without `--for`, else it has `seconds` and how many `more` there were after them. Reported from 32 connections of
//! one process on, or 32 parked descriptors. With a rollback journal, the descriptors of the database count.
//!
//! Severity: warning from 128, if they became more during `--for`, and for 32 that are parked. Else info, also if
//! `--for` saw no connection added and less than half of the soft limit is in use. If the `handles` are at least half
//! of what `fd-limit-near` counts, the severity is that of the limit finding.
//!
//! Remedy: no command closes them. A restart frees them. The program must close each connection; parked ones go when
//! all connections are closed for a moment.
//!
//! Not to be confused with: a connection pool, which has a fixed size and does not grow, as `--for 60` shows. Many
//! processes with a few connections each, which are judged one by one.

use super::{Facts, Finding, Severity, growth, leak};
use crate::model::{Database, Growth, Holder, Process};
use crate::words::number;
use serde_json::json;

/// A connection pool has a few connections, rarely 20. A leak exceeds this within an hour. With three descriptors for
/// each connection it is still well below the usual limit of 1,024.
const MANY: usize = 32;
/// Some pools are larger on purpose (PocketBase has up to 120). Below this, only growth tells a leak from a pool.
const MORE_THAN_A_POOL: usize = 128;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let of = |database| {
        let own = Handles {
            database,
            main: database.handles,
            wal: database.wal_handles,
            shm: database.shm_handles,
            holder: None,
            process: Some(process),
        };
        own.findings()
    };
    process.sqlite.iter().flat_map(of).collect()
}

/// The same for every process that has a database open.
pub fn of(database: &Database) -> Vec<Finding> {
    let of = |holder: &Holder| {
        let theirs = Handles {
            database,
            main: holder.handles?,
            wal: holder.wal_handles?,
            shm: holder.shm_handles?,
            holder: Some(holder),
            process: None,
        };
        Some(theirs.findings())
    };
    database.holders.iter().filter_map(of).flatten().collect()
}

/// The descriptors that one process has of a database.
struct Handles<'a> {
    database: &'a Database,
    main: usize,
    wal: usize,
    shm: usize,
    /// The process that has them; `None` for the process that was asked for.
    holder: Option<&'a Holder>,
    /// The process that was asked for.
    process: Option<&'a Process>,
}

impl Handles<'_> {
    fn findings(&self) -> Vec<Finding> {
        [self.connections(), self.parked(), self.rollback()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Every connection that has read has a descriptor of the -wal.
    fn connections(&self) -> Option<Finding> {
        (self.wal >= MANY).then(|| {
            let all = self.main + self.wal + self.shm;
            let of = self.open().map_or_else(
                || " in all".into(),
                |open| format!(" of the {} it has open", number(open)),
            );
            let message = format!(
                "{} connections to {} are open at once: {} descriptors of its -wal, with {} of the database and {} of its -shm, {}{of}. {}",
                count(self.wal),
                self.database.database,
                count(self.wal),
                count(self.main),
                count(self.shm),
                count(all),
                self.judgement(self.wal),
            );
            self.finding("connections", self.wal, message)
        })
    }

    /// More descriptors of the database than connections: SQLite may not close a descriptor while another
    /// connection of the process holds a lock (sqlite/src/os_unix.c, `setPendingFd`), and keeps it.
    fn parked(&self) -> Option<Finding> {
        let wal_mode = self.database.wal_mode == Some(true);
        let parked = self.main.saturating_sub(self.wal);
        if !wal_mode || parked < MANY {
            return None;
        }
        // Unless a connection reads, nothing is locked, and SQLite parks nothing.
        if self.wal == 0 {
            return Some(self.unread());
        }
        let message = format!(
            "{} descriptors of {} do not belong to a connection that reads ({} of the database minus {} of its -wal): SQLite parks the descriptor of a closed connection while another one holds a lock. They are closed when all connections are closed for a moment; no command does that from outside.",
            count(parked),
            self.database.database,
            count(self.main),
            count(self.wal),
        );
        Some(self.finding("parked", MORE_THAN_A_POOL, message))
    }

    /// Connections that were opened and have not read yet have no descriptor of the -wal.
    fn unread(&self) -> Finding {
        let message = format!(
            "{} connections to {} are open at once, and none of them has read yet (no descriptor of its -wal). {}",
            count(self.main),
            self.database.database,
            self.judgement(self.main),
        );
        self.finding("connections", self.main, message)
    }

    /// With a rollback journal every connection has a descriptor of the database, and so has one that was
    /// closed while another one held a lock.
    fn rollback(&self) -> Option<Finding> {
        if self.database.wal_mode != Some(false) || self.main < MANY {
            return None;
        }
        let message = format!(
            "{} descriptors of {} (with a rollback journal) are open at once: of connections, or of closed ones that SQLite parked while another one held a lock. {}",
            count(self.main),
            self.database.database,
            self.judgement(self.main),
        );
        Some(self.finding("connections", self.main, message))
    }

    /// What so many connections mean. If they do not grow, it may be a pool.
    fn judgement(&self, connections: usize) -> String {
        let grew = self.grown("connections").map(|(_, more)| more > 0);
        let leak = "Connections are opened and not closed. No command closes them. A restart frees them; to keep them from coming back, the program must close each connection.";
        match (grew, &self.holder) {
            (Some(true), _) => leak.into(),
            _ if connections >= MORE_THAN_A_POOL && !self.is_kept("connections") => {
                format!("No pool has so many. {leak}")
            }
            (Some(false), _) => "They did not become more, so it may be a pool.".into(),
            (None, None) => {
                "It may be a pool, or connections that are not closed: `--for 60` shows whether they become more.".into()
            }
            (None, Some(holder)) => format!(
                "It may be a pool, or connections that are not closed: `fdscan --for 60 {}` shows whether they become more.",
                holder.pid
            ),
        }
    }

    /// All descriptors of the process that was asked for.
    fn open(&self) -> Option<u64> {
        self.process?.fds.open
    }

    /// What grew in the process that was asked for.
    fn growth(&self) -> Option<&Growth> {
        self.process?.growth.as_ref()
    }

    fn is_kept(&self, kind: &str) -> bool {
        let more = self.grown(kind).map(|(_, more)| more);
        self.process
            .is_some_and(|process| leak::is_kept(process, more))
    }

    /// How many more were opened, and in how many seconds. A database's growth counts the descriptors of the process
    /// that was asked for.
    fn grown(&self, kind: &str) -> Option<(f64, i64)> {
        if self.holder.is_some() {
            return None;
        }
        if let Some(growth) = self.database.growth {
            let change = match kind {
                "connections" if self.wal > 0 => growth.wal_handles?,
                _ => growth.handles?,
            };
            return Some((growth.seconds, change.by()));
        }
        let growth = self.growth()?;
        Some((growth.seconds, growth.of_file(&self.database.database)))
    }

    fn finding(&self, kind: &str, connections: usize, mut message: String) -> Finding {
        if let Some(holder) = self.holder {
            message = format!("Process {} ({}): {message}", holder.pid, holder.command());
        }
        let grown = self.grown(kind);
        let ahead = self.growth().and_then(|growth| growth.limits.descriptors);
        // A parked descriptor is useless, whether or not more come.
        let kept = kind == "connections" && self.is_kept(kind);
        let many = connections >= MORE_THAN_A_POOL && !kept;
        let leaks = many || grown.is_some_and(|(_, more)| more > 0);
        if let Some((seconds, more)) = grown {
            message += &growth::sentence(seconds, more, ahead);
        }
        Finding {
            code: "sqlite-handle-leak",
            severity: if leaks {
                Severity::Warning
            } else {
                Severity::Info
            },
            message,
            evidence: json!({
                "kind": kind,
                "pid": self.holder.map(|holder| holder.pid),
                "database": self.database.database,
                "handles": self.main,
                "wal_handles": self.wal,
                "shm_handles": self.shm,
                "connections": self.wal,
                "libraries": self.shm,
                "parked": self.main.saturating_sub(self.wal),
                "open": self.open(),
                "growth": grown.map(|(seconds, more)| growth::evidence(seconds, more, ahead)),
            }),
            remedy: None,
            remedy_live: None,
            change: None,
        }
    }
}

fn count(n: usize) -> String {
    number(n as u64)
}

#[cfg(test)]
mod tests;
