//! What is wrong: one file per finding. A finding looks at the model only, never at the system.

mod child_loops;
mod claim_stale;
pub(crate) mod cure;
mod deleted_file_held;
mod descriptor_leak;
mod duplicate_instance;
mod fd_limit_near;
mod file_handle_leak;
mod growth;
mod instance_limit_near;
mod limit;
mod order;
mod orphaned_server;
mod orphaned_stdio;
mod preload_ineffective;
mod remedy;
pub(crate) mod rollback_journal;
mod self_watch;
mod socket_leak;
mod sqlite_displaced;
mod sqlite_handle_leak;
mod sqlite_self_watch;
mod sqlite_wal_deleted;
mod sqlite_wal_large;
mod sqlite_wal_pinned;
mod sqlite_write_locked;
mod watch_limit_near;
mod watch_wakes_on_attrib;
mod watch_wakes_on_read;
mod watched_files;

#[cfg(test)]
pub(crate) mod fixture;

pub(crate) use descriptor_leak::named;
pub use remedy::{Remedies, quoted};
pub(crate) use remedy::{pattern, quote};
pub use rollback_journal::still_woken;

use crate::model::{Brief, InotifyLimits, Process, Row, SeenDatabase, User};
use crate::render::number;
use serde::Serialize;
use serde_json::{Value, json};

/// How bad a finding is. The order is that of `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Costs time, descriptors or disk.
    Warning,
    /// Grows without end, loses data or stops the program.
    Critical,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// Its name in JSON and text.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Which, by its contract name.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// Plain sentences.
    pub message: String,
    /// The figures it rests on.
    pub evidence: Value,
    /// A command that helps from the next start on, where there is one.
    pub remedy: Option<String>,
    /// A command that helps the process as it runs, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy_live: Option<String>,
}

impl Finding {
    /// Whether its remedy is another start of the program; else it is for the system, a file or the process as it
    /// runs.
    pub fn needs_start(&self) -> bool {
        remedy::is_about_watchers(self.code)
    }

    /// Its commands with what each is for: now, at the next start, or for a closer look.
    pub fn commands(&self) -> [(&'static str, Option<&str>); 2] {
        let (live, remedy) = (self.remedy_live.as_deref(), self.remedy.as_deref());
        match (self.needs_start(), live) {
            (true, _) => [("Now", live), ("Next start", remedy)],
            (false, Some(_)) => [("Now", live), ("A closer look", remedy)],
            (false, None) => [("Now", remedy), ("", None)],
        }
    }

    /// Makes its command one that runs as it is pasted, about what belongs to the users `owners`; what cannot run here is
    /// said instead.
    fn paste(&mut self, owners: &[u32], remedies: &Remedies) {
        if self.needs_start() {
            return;
        }
        let of_system = matches!(self.code, "watch-limit-near" | "instance-limit-near");
        let Some(command) = self.remedy.take() else {
            return;
        };
        match remedies.permitted(owners, of_system, &command) {
            Ok(command) => self.remedy = Some(command),
            Err(why) => self.message += &format!(" {why}: `{command}`."),
        }
    }
}

/// What a finding may look at.
pub struct Facts<'a> {
    /// The process.
    pub process: &'a Process,
    /// The system's limits.
    pub limits: &'a InotifyLimits,
    /// How commands are written.
    pub remedies: &'a Remedies,
}

type Look = fn(&Facts<'_>) -> Vec<Finding>;

/// Every finding. Within one severity they are shown in this order, what is happening now first ([`order`]).
const ALL: &[Look] = &[
    sqlite_self_watch::look,
    sqlite_wal_deleted::look,
    sqlite_displaced::look,
    watch_wakes_on_read::look,
    self_watch::look,
    sqlite_write_locked::look,
    sqlite_wal_pinned::look,
    sqlite_wal_large::look,
    sqlite_handle_leak::look,
    file_handle_leak::look,
    socket_leak::look,
    descriptor_leak::look,
    // After the leaks that bring them near.
    fd_limit_near::look,
    watch_limit_near::look,
    instance_limit_near::look,
    deleted_file_held::look,
    orphaned_server::look,
    orphaned_stdio::look,
    duplicate_instance::look,
    claim_stale::look,
    preload_ineffective::look,
    watch_wakes_on_attrib::look,
];

/// Those that need no more than a pass over all processes reads of each.
const IN_PASSING: &[Look] = &[
    sqlite_self_watch::look,
    sqlite_wal_deleted::look,
    fd_limit_near::look,
    watch_limit_near::look,
    instance_limit_near::look,
    watch_wakes_on_read::look,
    sqlite_wal_large::look,
    sqlite_handle_leak::look,
    watch_wakes_on_attrib::look,
];

/// Everything that is wrong with a process, worst first.
pub fn all(facts: &Facts<'_>) -> Vec<Finding> {
    of(facts, ALL)
}

/// Everything that is wrong with a process, worst first: of those it started, whether they loop.
pub fn with_children(facts: &Facts<'_>, children: &[Process]) -> Vec<Finding> {
    let mut findings = all(facts);
    findings.extend(child_loops::look(children, facts.limits, facts.remedies));
    order::worst_first(findings)
}

/// What is wrong with a process as a pass over all processes sees it, worst first.
pub fn in_passing(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = of(facts, IN_PASSING);
    // A limit is its user's: of all processes only those are named that have a share of what is used.
    findings.retain(limit::is_of_process);
    findings
}

/// The limits a user is near, whichever process has brought it there.
pub fn of_user(user: &User) -> Vec<Brief> {
    let near = |code, used: Option<u64>, max: Option<u64>| {
        let severity = limit::severity(used?, max?)?;
        Some(Brief { code, severity })
    };
    let watches = near("watch-limit-near", user.watches, user.max_watches);
    let instances = near("instance-limit-near", user.instances, user.max_instances);
    watches.into_iter().chain(instances).collect()
}

/// The limits of its user a command that failed must have met: nothing was left of them when it had ended.
pub fn of_failure(user: &User, rows: &[Row], remedies: &Remedies) -> Vec<Finding> {
    let full = |what, used: Option<u64>, max: Option<u64>, errno, of: fn(&Row) -> Option<u64>| {
        let (used, max) = (used?, max?);
        (used >= max).then(|| Finding {
            code: match what {
                "watches" => "watch-limit-near",
                _ => "instance-limit-near",
            },
            severity: Severity::Critical,
            message: format!(
                "The command failed while all {} inotify {what} of {} were in use: a program that needs one more gets {errno}.{}",
                number(max),
                user.account,
                limit::largest(remedies, rows.iter().filter(|row| row.uid == Some(user.account.uid)), what, of),
            ),
            evidence: json!({
                "uid": user.account.uid,
                what: used,
                "limit": max,
            }),
            remedy: None,
            remedy_live: None,
        })
    };
    let watches = full(
        "watches",
        user.watches,
        user.max_watches,
        "ENOSPC, \"No space left on device\", though the disk has room",
        |row| row.watches,
    );
    let instances = full(
        "instances",
        user.instances,
        user.max_instances,
        "EMFILE, \"Too many open files\", though descriptors are left",
        |row| row.instances,
    );
    watches.into_iter().chain(instances).collect()
}

fn of(facts: &Facts<'_>, looks: &[Look]) -> Vec<Finding> {
    let mut findings: Vec<_> = looks.iter().flat_map(|look| look(facts)).collect();
    for finding in &mut findings {
        finding.paste(facts.process.uid.as_slice(), facts.remedies);
    }
    order::worst_first(findings)
}

/// Everything that is wrong with a database, whoever has it open, worst first. It and who has it open belong to the users
/// `owners`.
pub fn of_database(seen: &SeenDatabase, owners: &[u32], remedies: &Remedies) -> Vec<Finding> {
    let database = &seen.database;
    let orphans = sqlite_wal_deleted::of_orphans(&database.database, &seen.orphans, remedies);
    let findings = orphans
        .into_iter()
        .chain(sqlite_displaced::of(database))
        .chain(sqlite_write_locked::of(database, None))
        .chain(sqlite_wal_pinned::of(database, remedies))
        .chain(sqlite_wal_large::of(database, false, remedies))
        .chain(sqlite_handle_leak::of(database));
    let mut findings: Vec<_> = findings.collect();
    for finding in &mut findings {
        finding.paste(owners, remedies);
    }
    order::worst_first(findings)
}
