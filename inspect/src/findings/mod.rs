//! What is wrong: one file per finding. A finding looks only at the model, never at the system.

mod child_loops;
mod claim_stale;
mod deleted_file_held;
mod descriptor_leak;
mod duplicate_instance;
mod facts;
mod fd_limit_near;
mod file_handle_leak;
mod growth;
mod instance_limit_near;
mod leak;
mod limit;
mod one_command;
mod order;
mod orphaned_server;
mod orphaned_stdio;
mod pause_abandoned;
mod preload_ineffective;
mod remedy;
pub(crate) mod rollback_journal;
pub(crate) mod rules_in_force;
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
pub(crate) mod watch_wakes_on_filler;
mod watch_wakes_on_read;
mod watched_files;

#[cfg(test)]
pub(crate) mod fixture;

pub(crate) use descriptor_leak::named;
pub use facts::Facts;
use facts::{Look, of};
pub use orphaned_server::may_be_in_the_way;
pub(crate) use remedy::quote;
pub use remedy::{Remedies, quoted};
pub use rollback_journal::still_woken;

use crate::model::{Finding, FindingSummary, Process, Row, SeenDatabase, Severity, User};
use crate::words::number;
use serde_json::json;

/// Every finding. Within one severity they are shown in this order, after those about what is happening now
/// ([`order`]).
const ALL: &[Look] = &[
    sqlite_self_watch::look,
    sqlite_wal_deleted::look,
    sqlite_displaced::look,
    pause_abandoned::look,
    watch_wakes_on_read::look,
    self_watch::look,
    sqlite_write_locked::look,
    sqlite_wal_pinned::look,
    sqlite_wal_large::look,
    sqlite_handle_leak::look,
    file_handle_leak::look,
    socket_leak::look,
    descriptor_leak::look,
    // After the leaks that lead to them.
    fd_limit_near::look,
    watch_limit_near::look,
    instance_limit_near::look,
    deleted_file_held::look,
    orphaned_server::look,
    orphaned_stdio::look,
    duplicate_instance::look,
    claim_stale::look,
    preload_ineffective::look,
    watch_wakes_on_filler::look,
    watch_wakes_on_attrib::look,
];

/// Findings that need no more than what a pass over all processes reads of each.
const IN_PASSING: &[Look] = &[
    sqlite_self_watch::look,
    sqlite_wal_deleted::look,
    fd_limit_near::look,
    watch_limit_near::look,
    instance_limit_near::look,
    watch_wakes_on_read::look,
    sqlite_wal_large::look,
    sqlite_handle_leak::look,
    file_handle_leak::look,
    socket_leak::look,
    descriptor_leak::look,
    watch_wakes_on_attrib::look,
];

/// Everything that is wrong with a process, worst first.
pub fn all(facts: &Facts<'_>) -> Vec<Finding> {
    of(facts, ALL)
}

/// Everything that is wrong with a process, worst first, including whether processes that it started loop.
pub fn with_children(facts: &Facts<'_>, children: &[Process]) -> Vec<Finding> {
    let mut findings = all(facts);
    findings.extend(child_loops::look(children, facts.limits, facts.remedies));
    order::worst_first(findings)
}

/// What is wrong with a process as a pass over all processes sees it, worst first.
pub fn in_passing(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = of(facts, IN_PASSING);
    // The limit is that of a user. Only processes that contribute to its use are named.
    findings.retain(limit::is_of_process);
    findings
}

/// The limits a user is near, whichever process is to blame.
pub fn of_user(user: &User) -> Vec<FindingSummary> {
    let near = |code, used: Option<u64>, max: Option<u64>| {
        let severity = limit::severity(used?, max?)?;
        Some(FindingSummary { code, severity })
    };
    let watches = near("watch-limit-near", user.watches, user.max_watches);
    let instances = near("instance-limit-near", user.instances, user.max_instances);
    watches.into_iter().chain(instances).collect()
}

/// The limits that a failed command must have met: nothing was left of them when it ended.
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
            change: None,
        })
    };
    let watches = full(
        "watches",
        user.watches,
        user.max_watches,
        "ENOSPC, \"No space left on device\", although the disk has room",
        |row| row.watches,
    );
    let instances = full(
        "instances",
        user.instances,
        user.max_instances,
        "EMFILE, \"Too many open files\", although descriptors are left",
        |row| row.instances,
    );
    watches.into_iter().chain(instances).collect()
}

/// Everything that is wrong with a database, whoever has it open, worst first. `owners` are the users who own the
/// database and the processes that have it open.
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
        remedies.paste(finding, owners);
    }
    order::worst_first(findings)
}
