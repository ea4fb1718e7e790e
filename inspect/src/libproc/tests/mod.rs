//! From bytes to findings, on a constructed Mac: a stand-in. That a real one answers so needs a Mac.

mod answers;
mod files;
mod parts;
mod servers;

use super::constructed::{ConstructedMac, File, USER};
use crate::findings::Remedies;
use crate::mac_scan::scan;
use crate::model::{Copies, Finding, LocalSystem, Report, Scan};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;

const SERVER: u32 = 4711;
const WORDS: &[&str] = &[
    "/opt/py/bin/python3",
    "/srv/webui/server.py",
    "--port",
    "8787",
];

fn local_system() -> LocalSystem {
    LocalSystem {
        person: USER,
        sudo: true,
        runuser: false,
        su: true,
        setpriv: false,
        logins: BTreeMap::new(),
        sqlite3: true,
        watchfix: None,
        fdscan: None,
        library: None,
        copies: Copies::Missing,
        supervisors: false,
        judges_reads: false,
        root_may_trace: false,
        ptrace_scope: None,
    }
}

fn scanned(mac: &ConstructedMac, all: bool) -> Scan {
    scan(mac, &[SERVER], all, &Remedies::on_a_mac(local_system))
}

fn only(mac: &ConstructedMac) -> Report {
    let mut scan = scanned(mac, false);
    assert!(scan.errors.is_empty(), "{:?}", scan.errors);
    scan.processes.pop().unwrap()
}

fn finding<'a>(report: &'a Report, code: &str) -> &'a Finding {
    let found = report.findings.iter().find(|finding| finding.code == code);
    found.unwrap_or_else(|| panic!("no {code} in {:#?}", report.findings))
}

fn has(report: &Report, code: &str) -> bool {
    report.findings.iter().any(|finding| finding.code == code)
}

fn server() -> ConstructedMac {
    let mut mac = ConstructedMac::new();
    mac.process(SERVER, 1, WORDS, 100);
    mac
}

/// A database in WAL mode with more in its log than SQLite lets gather by itself.
fn database(directory: &Path) -> Connection {
    let connection = Connection::open(directory.join("state.db")).unwrap();
    let rows = "PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
        INSERT INTO t SELECT zeroblob(4000) FROM n";
    connection.execute_batch(rows).unwrap();
    connection
}

/// Opens the files of a database so often; the log counts as so large.
fn open(mac: &mut ConstructedMac, directory: &Path, times: usize, wal_bytes: u64) {
    for _ in 0..times {
        mac.file(SERVER, &File::real(&directory.join("state.db")));
        let wal = directory.join("state.db-wal");
        let wal = File {
            size: wal_bytes,
            ..File::real(&wal)
        };
        mac.file(SERVER, &wal);
    }
    mac.file(SERVER, &File::real(&directory.join("state.db-shm")));
}
