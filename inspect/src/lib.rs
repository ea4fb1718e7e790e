//! `fdscan`: why a process drowns in watches, descriptors or SQLite logs.
//!
//! Four steps, kept apart: [`gather`] reads the kernel's tables, [`model`] holds what was seen,
//! [`findings`] says what is wrong, [`render`] writes it down. [`scan`] does the first three.
//!
//! It looks and never touches: no lock is taken, nothing is created, no real path of a watched file or
//! database is opened, and the scanned process's own watches do not see it.

pub mod cli;
mod exit;
pub mod findings;
pub mod gather;
pub mod model;
pub mod render;
mod sys;

pub use exit::Exit;
pub use gather::Options;
pub use sys::terminal_width;

use findings::{Facts, Remedies};
use gather::{Gaps, Session};
use model::{ClaimScan, DatabaseReport, DatabaseScan, Report, SCHEMA, Scan};
use std::path::PathBuf;
use std::time::Duration;

/// Scans the processes `pids` in this order.
pub fn scan(pids: &[u32], options: Options) -> Scan {
    let taken_at = jiff::Timestamp::now().to_string();
    let remedies = Remedies::locate();
    let mut session = Session::new(options);
    let mut processes = Vec::new();
    let mut errors = Vec::new();
    for &pid in pids {
        let mut gaps = Gaps::default();
        let (process, failure) = session.process(pid, &mut gaps);
        errors.extend(failure);
        processes.extend(process.map(|process| {
            let findings = findings::all(&Facts {
                process: &process,
                limits: &session.limits,
                remedies: &remedies,
            });
            Report {
                process,
                findings,
                incomplete: gaps.into_list(),
            }
        }));
    }
    Scan {
        schema: SCHEMA,
        fdscan_version: env!("CARGO_PKG_VERSION"),
        taken_at,
        limits: session.limits,
        processes,
        errors,
    }
}

/// Looks at the databases at `paths`, in this order, and at every process that has one of them open.
pub fn scan_databases(paths: &[PathBuf]) -> DatabaseScan {
    let taken_at = jiff::Timestamp::now().to_string();
    let remedies = Remedies::locate();
    let mut databases = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        let mut gaps = Gaps::default();
        match gather::database(path, &mut gaps) {
            Ok(seen) => databases.push(DatabaseReport {
                findings: findings::of_database(&seen, &remedies),
                database: seen.database,
                incomplete: gaps.into_list(),
            }),
            Err(failure) => errors.push(failure),
        }
    }
    DatabaseScan {
        schema: SCHEMA,
        fdscan_version: env!("CARGO_PKG_VERSION"),
        taken_at,
        databases,
        errors,
    }
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
