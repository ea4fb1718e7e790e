//! Puts itself into one state `fdscan` must recognise, says what it did, and waits.
//!
//! It prints `PID <n>`, then what a test needs to know as `key=value` lines, then `READY`. The state is
//! complete when `READY` stands there and stays until standard input is closed. Bytes of names that
//! would break a line are printed as `\xNN` (`report::escape`).
//!
//! Exit statuses: 0 the state was held until the end; 1 it could not be reached (a sentence on standard
//! error says why); 2 usage.
//!
//! One state cannot be made from here: a static program. `tests/mkfds/static.c` is for that one.

mod churn;
mod cli;
mod files;
mod growing;
mod held;
mod inotify;
mod leaks;
mod names;
mod processes;
mod report;
mod servers;
mod sqlite;
mod sqlite_locks;
mod sqlite_replaced;
mod sqlite_used;
mod watches;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, State};
use crate::report::{Outcome, Report};

fn main() -> ExitCode {
    let outcome = match Cli::parse().state {
        State::Measure { command } => processes::measure(&command),
        // It prints its PID once and not in every life.
        State::ExecChurn { dir, step } => churn::hold_exec(&dir, step).map(|()| ExitCode::SUCCESS),
        state => run(state).map(|()| ExitCode::SUCCESS),
    };
    match outcome {
        Ok(status) => status,
        Err(sentence) => {
            eprintln!("mkfds: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(state: State) -> Outcome {
    let mut report = Report::start()?;
    match state {
        State::Idle => report.hold(),
        State::Watches { count, mask, dir } => {
            let made = watches::make_directories(&dir, count)?;
            watches::hold_one(report, &made, &mask)
        }
        State::WatchTree {
            tops,
            each,
            mask,
            dir,
        } => {
            let made = watches::make_tree(dir, tops, each)?;
            watches::hold_one(report, &made, &mask)
        }
        State::WatchFiles { count, mask, dir } => {
            let made = watches::make_files(&dir, count)?;
            watches::hold_one(report, &made, &mask)
        }
        State::WatchThese { mask, paths } => watches::hold_one(report, &paths, &mask),
        State::WatchingThread {
            count,
            mask,
            dir,
            of,
        } => {
            let made = watches::make_directories(&dir, count)?;
            watches::hold_in_thread(report, made, mask, of)
        }
        State::Instances {
            count,
            watches,
            total,
            mask,
            dir,
            dup,
            fork,
        } => {
            let made = match dir {
                Some(dir) => watches::make_directories(&dir, watches)?,
                None => Vec::new(),
            };
            watches::hold_many(report, count, &made, total, mask, dup, fork)
        }
        State::Dup { mask, dir } => watches::hold_dup(report, &dir, mask),
        State::DeletedDirectory { mask, dir } => watches::hold_deleted(report, &dir, mask),
        State::SelfWatch {
            mask,
            dir,
            on,
            read_only,
            elsewhere,
        } => watches::hold_self_watch(report, &dir, mask, on, read_only, elsewhere),
        State::SqliteSelfWatch {
            mask,
            dir,
            on,
            elsewhere,
            rested,
        } => sqlite::hold_self_watch(report, &dir, mask, on, elsewhere, rested),
        State::SqliteConnections {
            count,
            dir,
            databases,
        } => sqlite::hold_connections(report, &dir, count, databases),
        State::SqliteParked { count, dir } => sqlite::hold_parked(report, &dir, count),
        State::WalLarge {
            megabytes,
            database_megabytes,
            dir,
            checkpointed,
            pinned,
        } => {
            let size = sqlite::Size {
                megabytes,
                database_megabytes,
            };
            sqlite::hold_large_wal(report, &dir, size, checkpointed, pinned)
        }
        State::SqlitePinned {
            dir,
            frames,
            reader,
            page_size,
        } => sqlite_locks::hold_pinned(report, &dir, frames, reader, page_size),
        State::SqliteBusy { dir, watch } => sqlite_locks::hold_busy(report, &dir, watch),
        State::SqliteLocked { dir, lock } => sqlite_locks::hold_locked(report, &dir, lock),
        State::WalDeleted { dir } => sqlite::hold_deleted_wal(report, &dir),
        State::SqliteDeleted {
            dir,
            rollback,
            wal_only,
        } => sqlite::hold_deleted(report, &dir, rollback, wal_only),
        State::SqliteRollback { count, dir } => sqlite::hold_rollback(report, &dir, count),
        State::SqliteReplaced { dir, rollback } => sqlite_replaced::hold(report, &dir, rollback),
        State::SqliteDisplaced { dir, by } => sqlite_replaced::displace(report, &dir, by),
        State::SqliteOverlapping { dir, megabytes } => {
            sqlite_used::hold_overlapping(report, &dir, megabytes)
        }
        State::Descriptors { count, dir } => files::hold_descriptors(report, &dir, count),
        State::Leak {
            what,
            count,
            limit,
            most,
        } => leaks::hold(report, what, count, limit, most),
        State::FilePattern {
            count,
            extension,
            spread,
            dir,
        } => held::hold_pattern(report, &dir, count, &extension, spread),
        State::DeletedFile {
            megabytes,
            how,
            dir,
        } => held::hold_nameless(report, &dir, megabytes, how),
        State::LockFile { kind, dir } => held::hold_lock(report, &dir, kind),
        State::Orphan {
            respawn,
            leads,
            supervised,
            background,
            workers,
        } => {
            let server = servers::Orphan {
                leads,
                supervised,
                background,
                workers,
            };
            servers::hold_orphan(report, respawn, server)
        }
        State::Server {
            dir,
            database,
            pid_file,
            worker,
        } => servers::hold_server(report, &dir, database, pid_file, worker),
        State::StdioServers { dir, apart } => servers::hold_stdio(report, &dir, apart),
        State::FdLimit {
            limit,
            percent,
            open,
        } => {
            let open = open.unwrap_or_else(|| (limit * percent.unwrap_or(0)).div_ceil(100));
            files::hold_near_limit(report, limit, open)
        }
        State::Names { dir, note } => names::hold(report, &dir, &note),
        State::Zombie => processes::hold_zombie(report),
        State::Undumpable => processes::hold_undumpable(report),
        State::Kinds { dir } => files::hold_kinds(report, &dir),
        State::Growing {
            what,
            count,
            most,
            every,
            limit,
            dir,
        } => {
            let every = std::time::Duration::from_millis(every);
            let pace = growing::Pace { count, most, every };
            growing::hold(report, &dir, what, pace, limit)
        }
        // `main` does these.
        State::Measure { .. } | State::ExecChurn { .. } => Ok(()),
        State::Churn { dir } => churn::hold(report, &dir),
        State::ExitSoon { count, dir } => {
            let made = watches::make_directories(&dir, count)?;
            let instance = inotify::Instance::new()?;
            for path in &made {
                instance.watch(path, 0x3ee)?;
            }
            report.ready()
        }
    }
}
