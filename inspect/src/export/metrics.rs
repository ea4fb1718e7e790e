//! A pass over all processes as OpenMetrics. An unknown value has no series; it is never exported as 0.

use super::bounds;
use crate::model::{self, LogInUse, Name, Row, Severity, Top, UnitRow, User};
use crate::words::sanitize;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// How many databases of one process have series: those with the largest logs.
pub const DATABASES: usize = 8;

/// The most characters of a unit's name. Longer names are cut.
const UNIT_NAME: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Process {
    pid: u32,
    comm: String,
    unit: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Found {
    pid: u32,
    comm: String,
    severity: String,
    unit: String,
}

/// The path of a database could be anything, so only its file name is a label. Databases with the same name are added
/// up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Database {
    pid: u32,
    comm: String,
    database: String,
    unit: String,
}

/// A container, a pod or a systemd unit. There may be any number of them over time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InUnit {
    kind: String,
    unit: String,
    namespace: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfUser {
    uid: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Coded {
    code: String,
    severity: String,
}

/// One metric with a series for each set of labels.
type Series<L> = Family<L, Gauge<u64, AtomicU64>>;

/// Encodes what `top` shows, from a pass that took `time`. At most `most` processes have series.
///
/// # Errors
/// None in practice: writing to a String does not fail.
pub fn encode(top: Top, most: usize, time: Duration) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("fdscan");
    let selected = top.processes.len() as u64;
    let unreadable = top.users.iter().map(|user| user.unreadable).sum();
    findings(&mut registry, &top.processes);
    let (shown, left_out) = bounds::processes(top.processes, most);
    let databases_dropped = processes(&mut registry, &shown);
    let units_dropped = units(&mut registry, top.units);
    let users_dropped = users(&mut registry, top.users);
    let mut single = |name: &str, help: &str, value: Option<u64>| {
        if let Some(value) = value {
            let gauge: Gauge<u64, AtomicU64> = Gauge::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        }
    };
    let limits = &top.limits;
    for (name, help, value) in [
        (
            "inotify_max_user_watches",
            "Watches one user may have",
            limits.max_user_watches,
        ),
        (
            "inotify_max_user_instances",
            "Inotify instances one user may have",
            limits.max_user_instances,
        ),
        (
            "processes",
            "Processes that were selected, with series or without",
            Some(selected),
        ),
        (
            "processes_dropped",
            "Selected processes beyond --max-processes, without series",
            Some(left_out),
        ),
        (
            "databases_dropped",
            "Databases beyond 8 of one process, without series",
            Some(databases_dropped),
        ),
        (
            "units_dropped",
            "Containers, pods and units beyond the 100 with most of anything, without series",
            Some(units_dropped),
        ),
        (
            "users_dropped",
            "Users beyond the 200 with most of anything, without series",
            Some(users_dropped),
        ),
        (
            "processes_unreadable",
            "Processes of all users that the exporter may not look into",
            Some(unreadable),
        ),
    ] {
        single(name, help, value);
    }
    let took: Gauge<f64, AtomicU64> = Gauge::default();
    took.set(time.as_secs_f64());
    let help = "Time the last look at all processes took";
    registry.register_with_unit("scan_duration", help, Unit::Seconds, took);
    let mut to = String::new();
    text::encode(&mut to, &registry)?;
    Ok(to)
}

/// Registers the series of processes; returns how many databases have none.
fn processes(registry: &mut Registry, rows: &[Row]) -> u64 {
    let open = series(registry, "process_open_fds", "Open descriptors");
    let limit = series(
        registry,
        "process_max_fds",
        "Soft limit of descriptors (RLIMIT_NOFILE)",
    );
    let watches = series(
        registry,
        "process_inotify_watches",
        "Watches of its instances",
    );
    let instances = series(registry, "process_inotify_instances", "Inotify instances");
    let findings = series::<Found>(
        registry,
        "process_findings",
        "Findings of a quick look, by severity; fdscan PID names them",
    );
    let wal = bytes(
        registry,
        "sqlite_wal",
        "Size of the -wal of its databases of this name",
    );
    let pending = bytes(
        registry,
        "sqlite_wal_pending",
        "Of the -wal, what is not in the database yet",
    );
    let connections = series(
        registry,
        "sqlite_connections",
        "Descriptors of the -wal: one for each connection",
    );
    let mut dropped = 0;
    for row in rows {
        let comm = row.comm.as_ref().map_or_else(|| "?".into(), label);
        let unit = row.unit.as_ref().map(unit_label).unwrap_or_default();
        let labels = Process {
            pid: row.pid,
            comm: comm.clone(),
            unit: unit.clone(),
        };
        for (series, value) in [
            (&open, row.fds.open),
            (&limit, row.fds.soft_limit),
            (&watches, row.watches),
            (&instances, row.instances),
        ] {
            add(series, &labels, value);
        }
        for severity in row.findings.iter().flat_map(|_| Severity::ALL) {
            let count = row
                .findings
                .iter()
                .flatten()
                .filter(|f| f.severity == severity)
                .count();
            let labels = Found {
                pid: row.pid,
                comm: comm.clone(),
                unit: unit.clone(),
                severity: severity.name().into(),
            };
            add(&findings, &labels, Some(count as u64));
        }
        let mut logs: Vec<&LogInUse> = row.sqlite.iter().flatten().collect();
        logs.sort_by_key(|log| std::cmp::Reverse(log.wal_bytes));
        dropped += logs.len().saturating_sub(DATABASES) as u64;
        for log in logs.into_iter().take(DATABASES) {
            let labels = Database {
                pid: row.pid,
                comm: comm.clone(),
                unit: unit.clone(),
                database: label(&Name::from(log.database.base())),
            };
            add(&wal, &labels, log.wal_bytes);
            add(&pending, &labels, log.pending_bytes);
            add(&connections, &labels, Some(log.wal_handles as u64));
        }
    }
    dropped
}

/// A name as the value of a label, which may be shown on a terminal.
fn label(name: &Name) -> String {
    sanitize(&name.to_string()).into_owned()
}

fn unit_label(unit: &model::Unit) -> String {
    sanitize(&unit.to_string())
        .chars()
        .take(UNIT_NAME)
        .collect()
}

/// Registers how many of all selected processes have a finding, including processes without series of their own.
fn findings(registry: &mut Registry, rows: &[Row]) {
    let help = "Selected processes with a finding, by its code";
    let series = series::<Coded>(registry, "findings", help);
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for row in rows {
        let found = row.findings.iter().flatten();
        let mut found: Vec<_> = found.map(|f| (f.code, f.severity.name())).collect();
        found.sort_unstable();
        found.dedup();
        for one in found {
            *counts.entry(one).or_default() += 1;
        }
    }
    for ((code, severity), count) in counts {
        let labels = Coded {
            code: code.into(),
            severity: severity.into(),
        };
        add(&series, &labels, Some(count));
    }
}

/// Registers the series of units; returns how many have none.
fn units(registry: &mut Registry, units: Vec<UnitRow>) -> u64 {
    let watches = series(
        registry,
        "unit_inotify_watches",
        "Watches of all processes of a unit",
    );
    let instances = series(
        registry,
        "unit_inotify_instances",
        "Inotify instances of all processes of a unit, each once",
    );
    let open = series(
        registry,
        "unit_open_fds",
        "Open descriptors of all processes of a unit",
    );
    let (shown, dropped) = bounds::units(units);
    for UnitRow { unit, used } in &shown {
        let Some(unit) = unit else { continue };
        let labels = InUnit {
            kind: unit.kind.name().into(),
            unit: unit_label(unit),
            namespace: unit.namespace.as_ref().map(label).unwrap_or_default(),
        };
        if !used.is_unknown() {
            add(&watches, &labels, Some(used.watches));
            add(&instances, &labels, Some(used.instances));
        }
        add(&open, &labels, used.fds);
    }
    dropped
}

/// Registers the series of users; returns how many have none.
fn users(registry: &mut Registry, users: Vec<User>) -> u64 {
    let watches = series(
        registry,
        "user_inotify_watches",
        "Watches of all processes of a user",
    );
    let instances = series(
        registry,
        "user_inotify_instances",
        "Inotify instances of all processes of a user, each once",
    );
    let (shown, dropped) = bounds::users(users);
    for user in shown {
        let labels = OfUser {
            uid: user.account.uid,
        };
        add(&watches, &labels, user.watches);
        add(&instances, &labels, user.instances);
    }
    dropped
}

fn series<L>(registry: &mut Registry, name: &str, help: &str) -> Series<L>
where
    L: Clone + Hash + Eq + EncodeLabelSet + fmt::Debug + Send + Sync + 'static,
{
    let series = Series::default();
    registry.register(name, help, series.clone());
    series
}

fn bytes(registry: &mut Registry, name: &str, help: &str) -> Series<Database> {
    let series = Series::default();
    registry.register_with_unit(name, help, Unit::Bytes, series.clone());
    series
}

fn add<L>(series: &Series<L>, labels: &L, value: Option<u64>)
where
    L: Clone + Hash + Eq,
{
    if let Some(value) = value {
        series.get_or_create(labels).inc_by(value);
    }
}

#[cfg(test)]
mod tests;
