//! `--json`: what the text says, as data. Schema `watchfix-heal/1`: keys may be added, never renamed.

use super::exit::Exit;
use super::pass::{Failed, Pass};
use super::plan::{By, Change};
use super::planned::Planned;
use super::undo::Undone;
use inspect::gather::ProcessHandle;
use inspect::model::{Failure, Mask, Name, StillWoken};
use serde::Serialize;
use std::time::Duration;

/// The whole answer.
#[derive(Serialize)]
pub struct Document {
    schema: &'static str,
    watchfix_version: &'static str,
    /// `heal`, `dry-run` or `undo`.
    action: &'static str,
    /// In the order they were asked for.
    pub processes: Vec<OfProcess>,
    /// Names and ports that led to no process.
    pub errors: Vec<Failure>,
    /// What is said about all of them.
    pub notes: Vec<String>,
}

impl Document {
    /// With nothing in it yet.
    pub fn new(action: &'static str, errors: Vec<Failure>) -> Document {
        Document {
            schema: "watchfix-heal/1",
            watchfix_version: env!("CARGO_PKG_VERSION"),
            action,
            processes: Vec::new(),
            errors,
            notes: Vec::new(),
        }
    }
}

/// What became, or would become, of one process. `None` stands for what is not known or was not asked for.
#[derive(Default, Serialize)]
pub struct OfProcess {
    pub pid: u32,
    pub comm: Option<Name>,
    /// What the exit status would be if it had been the only one.
    pub status: u8,
    /// Why nothing was done.
    pub error: Option<String>,
    /// Watches the kernel lists in the end; of `undo`, those that were healed.
    watches: Option<usize>,
    /// Of these, how many are as asked for, or would be.
    as_asked: Option<usize>,
    seconds: Option<f64>,
    /// The changes that hold, or would be made.
    changes: Vec<Changed>,
    /// What is not as asked for, and why.
    not_changed: Vec<NotChanged>,
    /// Of `dry-run`: what would be found level by level.
    found_later: Vec<NotChanged>,
    /// Watches that went while they were to be changed.
    vanished: usize,
    /// Watches without a known path: --drop and --settle could not be applied.
    unjudged: usize,
    /// Of `undo`: watches the process has placed anew since.
    changed_since: usize,
    /// Who starts the process again, and what that undoes: a sentence.
    pub restart: Option<String>,
    /// Threads with descriptors of their own, whose watches could not be changed.
    threads_left: Vec<u32>,
    /// Databases that wake the process whatever its masks are.
    still_woken: Vec<StillWoken>,
}

#[derive(Serialize)]
struct Changed {
    fd: i32,
    wd: i32,
    path: Option<Name>,
    before: Mask,
    after: Mask,
    /// `strip`, `settle`, `drop`, `ignore`, `budget` or `undo`.
    rule: &'static str,
    /// It asked for nothing but what is taken out.
    hears_nothing: bool,
}

#[derive(Serialize)]
struct NotChanged {
    wd: i32,
    /// A path, or inode and device.
    place: Name,
    mask: Mask,
    why: String,
}

impl OfProcess {
    /// Of a process nothing was done to.
    pub fn refused(pid: u32, exit: Exit, why: &str) -> OfProcess {
        OfProcess {
            error: Some(why.into()),
            ..OfProcess::new(pid, exit)
        }
    }

    /// Of one that was healed.
    pub fn healed(pid: u32, exit: Exit, pass: &Pass, took: Duration) -> OfProcess {
        OfProcess {
            watches: Some(pass.watches),
            as_asked: Some(pass.good()),
            seconds: Some(took.as_secs_f64()),
            ..OfProcess::changed(pid, exit, pass)
        }
    }

    /// Of one that got its masks back.
    pub fn undone(pid: u32, exit: Exit, undone: &Undone, took: Duration) -> OfProcess {
        OfProcess {
            watches: Some(undone.watches),
            as_asked: Some(undone.good()),
            seconds: Some(took.as_secs_f64()),
            changed_since: undone.changed_since,
            ..OfProcess::changed(pid, exit, &undone.pass)
        }
    }

    /// Of one that would be healed.
    pub fn planned(handle: &ProcessHandle, exit: Exit, planned: &Planned) -> OfProcess {
        let changed = |change: &Change| {
            let (instance, watch) = change.watched(handle.process())?;
            Some(Changed::new(change, instance.fd, watch.path.clone()))
        };
        let mut changes: Vec<Changed> = planned.now.iter().filter_map(changed).collect();
        changes.sort_by_key(|change| (change.fd, change.wd));
        OfProcess {
            watches: Some(planned.watches),
            as_asked: Some(planned.watches - planned.failed.len().min(planned.watches)),
            changes,
            not_changed: planned.failed.iter().map(NotChanged::of).collect(),
            found_later: planned.later.iter().map(NotChanged::of).collect(),
            ..OfProcess::new(handle.process().pid, exit)
        }
    }

    fn new(pid: u32, exit: Exit) -> OfProcess {
        OfProcess {
            pid,
            comm: inspect::gather::comm_of(pid),
            status: exit as u8,
            ..OfProcess::default()
        }
    }

    fn changed(pid: u32, exit: Exit, pass: &Pass) -> OfProcess {
        let done = pass.done.iter();
        OfProcess {
            changes: done
                .map(|done| Changed::new(&done.change, done.fd, done.path.clone()))
                .collect(),
            not_changed: pass.failed.iter().map(NotChanged::of).collect(),
            vanished: pass.vanished,
            unjudged: pass.unjudged,
            threads_left: pass.left.clone(),
            still_woken: pass.still_woken.clone(),
            ..OfProcess::new(pid, exit)
        }
    }
}

impl Changed {
    fn new(change: &Change, fd: i32, path: Option<Name>) -> Changed {
        Changed {
            fd,
            wd: change.wd,
            path,
            before: Mask(change.before),
            after: Mask(change.shown()),
            rule: match change.by {
                By::Strip => "strip",
                By::Settle => "settle",
                By::Drop => "drop",
                By::Ignore => "ignore",
                By::Budget => "budget",
                By::Undo => "undo",
                By::Pause => "pause",
            },
            hears_nothing: change.silences(),
        }
    }
}

impl NotChanged {
    fn of(failed: &Failed) -> NotChanged {
        NotChanged {
            wd: failed.change.wd,
            place: failed.place.as_str().into(),
            mask: Mask(failed.change.before),
            why: failed.why.clone(),
        }
    }
}
