//! The scans: what was asked for is read by [`gather`], judged by [`findings`] and handed on as data.

use crate::findings::{Facts, Remedies};
use crate::gather::inotify::activity::MOMENT;
use crate::gather::{self, Gaps, LogWindow, Monitors, Options, Selection, Session, Users, Window};
use crate::model::{
    ClaimScan, DatabaseReport, DatabaseScan, Healed, InotifyLimits, Process, Report, Row, SCHEMA,
    Scan, SeenDatabase, Top, UnitRow,
};
use crate::{findings, sys};
use std::cmp::Reverse;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Scans the processes `pids` in this order.
pub fn scan(pids: &[u32], options: Options) -> Scan {
    let remedies = Remedies::new(gather::local_system);
    let (mut scan, session) = scan_within(pids, options, Session::new(options), &remedies);
    for report in &mut scan.processes {
        look_below(report, &session.limits, &remedies, options);
    }
    scan
}

/// Adds to what is wrong with a process that one it has started loops.
pub fn look_below(
    report: &mut Report,
    limits: &InotifyLimits,
    remedies: &Remedies,
    options: Options,
) {
    let children = children(report.process.pid, options);
    if children.is_empty() {
        return;
    }
    let facts = Facts {
        process: &report.process,
        limits,
        remedies,
    };
    report.findings = findings::with_children(&facts, &children);
}

/// Descendants that are looked at.
const CHILDREN: usize = 64;

/// The descendants of a process that watch something, listened to for a moment.
fn children(pid: u32, options: Options) -> Vec<Process> {
    let options = Options {
        path_timeout: Duration::ZERO,
        progress: false,
        all: false,
        window: None,
        ..options
    };
    let mut below = gather::watching(pid, CHILDREN).peekable();
    if below.peek().is_none() {
        return Vec::new();
    }
    let mut session = Session::new(options).with(Monitors::default());
    // What could not be seen of them is said where they are looked at themselves.
    let read = below.filter_map(|pid| session.process(pid, &mut Gaps::default()).0);
    let mut found: Vec<_> = read.collect();
    if session.begin_to_hear() {
        std::thread::sleep(MOMENT);
    }
    for child in &mut found {
        child.woken = session.woken(child.pid);
    }
    found
}

/// The same for who looks again and again: what `monitors` hear between the looks counts.
pub fn scan_with_monitors(pids: &[u32], options: Options, monitors: Monitors) -> (Scan, Monitors) {
    let session = Session::new(options).with(monitors);
    let (scan, session) = scan_within(pids, options, session, &Remedies::new(gather::local_system));
    (scan, session.monitors())
}

fn scan_within(
    pids: &[u32],
    options: Options,
    mut session: Session,
    remedies: &Remedies,
) -> (Scan, Session) {
    let taken_at = jiff::Timestamp::now().to_string();
    let mut seen = Vec::new();
    let mut errors = Vec::new();
    for &pid in pids {
        let mut gaps = Gaps::default();
        // Of what cannot be sampled, the look itself says why.
        let mut window = options.window.and_then(|_| Window::open(pid).ok());
        let (process, failure) = session.process(pid, &mut gaps);
        errors.extend(failure);
        let Some(process) = process else { continue };
        if let Some(window) = &mut window {
            window.look_out(&process);
        }
        seen.push((process, gaps, window));
    }
    // What was seen is kept: the process may end before the second sample.
    let windows = seen.iter_mut().filter_map(|(_, _, window)| window.as_mut());
    let mut windows: Vec<&mut Window> = windows.collect();
    let mut began = windows.iter().map(|window| window.began()).max();
    // On a busy machine a look may take longer than the window: nothing would be heard in what is left of it.
    if began.is_some() && session.begin_to_hear() {
        began = Some(Instant::now());
    }
    pause(began, options.window, || {
        windows.iter_mut().filter_map(|window| window.look()).min()
    });
    let mut report = |(mut process, mut gaps, window): (Process, Gaps, Option<Window>)| {
        // Before the second sample, which is a look as well.
        process.woken = session.woken(process.pid).or(process.woken.take());
        if let Some(window) = window {
            window.close(&mut process, &mut gaps);
        }
        judged(process, &session.limits, remedies, gaps)
    };
    let processes = seen.into_iter().map(&mut report).collect();
    let scan = Scan {
        schema: SCHEMA,
        fdscan_version: env!("CARGO_PKG_VERSION"),
        taken_at,
        limits: session.limits.clone(),
        processes,
        errors,
    };
    (scan, session)
}

/// What is wrong with a process, and what was done to it.
pub fn judged(process: Process, limits: &InotifyLimits, remedies: &Remedies, gaps: Gaps) -> Report {
    let findings = findings::all(&Facts {
        process: &process,
        limits,
        remedies,
    });
    let healed = process.healed.clone().map(|healed| Healed {
        undo: remedies.undo(&process, healed.uid),
        ..healed
    });
    Report {
        notes: remedies.notes(&process, &findings),
        healed,
        paused: process.paused.clone(),
        process,
        findings,
        incomplete: gaps.into_list(),
    }
}

/// Waits until `window` has passed since `began`, or somebody interrupts: then it was long enough. `look`
/// is called meanwhile, and again after the time it asks for.
fn pause(
    began: Option<Instant>,
    window: Option<Duration>,
    mut look: impl FnMut() -> Option<Duration>,
) {
    let (Some(began), Some(window)) = (began, window) else {
        return;
    };
    let signals = sys::Signals::catch(&[]);
    loop {
        let again = look();
        let left = window.saturating_sub(began.elapsed());
        if left.is_zero() {
            return;
        }
        let time = again.map_or(left, |again| left.min(again));
        match &signals {
            Ok(signals) if signals.wait(&[], time) => return,
            Ok(_) => {}
            Err(_) => std::thread::sleep(time),
        }
    }
}

/// Looks at the databases at `paths`, in this order, and at every process that has one of them open; with
/// a `window`, at their logs once more when it has passed.
pub fn scan_databases(paths: &[PathBuf], window: Option<Duration>) -> DatabaseScan {
    let taken_at = jiff::Timestamp::now().to_string();
    let remedies = Remedies::new(gather::local_system);
    let mut all = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        let mut gaps = Gaps::default();
        match gather::database(path, &mut gaps) {
            Ok(seen) => {
                // Before the window begins: what is held to its end is held for all of it.
                let looked = Instant::now();
                let first = window.map(|_| LogWindow::open(&seen.database));
                all.push((path, looked, seen, gaps, first));
            }
            Err(failure) => errors.push(failure),
        }
    }
    let firsts = all.iter().filter_map(|(.., first)| first.as_ref());
    pause(firsts.map(LogWindow::began).max(), window, || None);
    // Without a window, most transactions end within this.
    if window.is_none() && all.iter().any(|(_, _, seen, ..)| holds_up(seen)) {
        std::thread::sleep(MOMENT);
    }
    for (path, looked, seen, ..) in &mut all {
        if holds_up(seen) {
            gather::database_again(path, seen, looked.elapsed());
        }
    }
    let report = |(_, _, mut seen, gaps, first): (_, _, SeenDatabase, Gaps, Option<LogWindow>)| {
        seen.database.growth = first.map(|first| first.close(&seen.database));
        DatabaseReport {
            findings: findings::of_database(&seen, &gather::owners_of(&seen), &remedies),
            database: seen.database,
            incomplete: gaps.into_list(),
        }
    };
    let databases = all.into_iter().map(report).collect();
    DatabaseScan {
        schema: SCHEMA,
        fdscan_version: env!("CARGO_PKG_VERSION"),
        taken_at,
        databases,
        errors,
    }
}

/// Whether somebody writes it, or reads what is behind: of these is told for how long.
fn holds_up(seen: &SeenDatabase) -> bool {
    let wal = seen.database.wal.as_ref();
    seen.database.is_held_up() || wal.is_some_and(|wal| wal.pins().next().is_some())
}

/// Judges the claims at `paths`, in this order. A stop file holds, and a claim may be empty, for `ttl`.
pub fn scan_claims(paths: &[PathBuf], ttl: Duration) -> ClaimScan {
    ClaimScan {
        schema: SCHEMA,
        fdscan_version: env!("CARGO_PKG_VERSION"),
        taken_at: jiff::Timestamp::now().to_string(),
        claims: gather::claims_at(paths, ttl),
    }
}

/// Looks at every process in one pass and shows those of `selection`.
///
/// # Errors
/// The errno of opening or listing /proc.
pub fn top(selection: &Selection, users: &Users) -> io::Result<Top> {
    let taken_at = jiff::Timestamp::now().to_string();
    let remedies = Remedies::new(gather::local_system);
    let limits = gather::inotify_limits();
    let mut gaps = Gaps::default();
    let pass = gather::pass(selection, users, &limits, &mut gaps)?;
    let row = |(process, readable): &(Process, bool)| {
        let findings = findings::in_passing(&Facts {
            process,
            limits: &limits,
            remedies: &remedies,
        });
        Row::new(
            process,
            process.uid.and_then(|uid| users.name(uid)),
            *readable,
            &findings,
        )
    };
    let mut users = pass.users;
    for user in &mut users {
        user.findings = findings::of_user(user);
    }
    let unit = |(unit, used)| UnitRow { unit, used };
    let mut units: Vec<UnitRow> = pass.units.into_iter().map(unit).collect();
    units.sort_by_key(|unit| Reverse((unit.used.watches, unit.used.instances, unit.used.fds)));
    Ok(Top {
        schema: SCHEMA,
        fdscan_version: env!("CARGO_PKG_VERSION"),
        taken_at,
        processes: pass.processes.iter().map(row).collect(),
        limits,
        users,
        units,
        processes_left_out: 0,
        incomplete: gaps.into_list(),
        by_unit: false,
    })
}

/// From now on every name is shown redacted, until this program ends: those of this host and its users are met first, so
/// that they are told from other names wherever they turn up.
pub fn redact_names() {
    crate::model::redact_names(&gather::host_name(), &Users::read().of_people());
}
