//! From bytes to findings, on a constructed Mac: a stand-in. That a real one answers so needs a Mac.

use super::constructed::{BEGAN, ConstructedMac, File, WRITE_AND_ATTRIB};
use super::{arguments, bytes::Bytes, files, jobs, process, sockets};
use crate::findings::Remedies;
use crate::mac_scan::scan;
use crate::model::{
    Copies, FailureKind, Finding, Kind, LocalSystem, Report, Scan, Severity, Verdict,
};
use crate::render::{self, Detail, Layout, Style};
use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap};
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
        person: super::constructed::USER,
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

#[test]
fn on_a_constructed_mac_the_server_of_incident_4_leaks_connections_and_is_an_orphan() {
    let directory = tempfile::tempdir().unwrap();
    let _writer = database(directory.path());
    let mut mac = server();
    open(&mut mac, directory.path(), 150, 80 << 20);
    mac.tcp(SERVER, 0xfeed, 8787, 0, 1);
    mac.jobs = Some("PID\tStatus\tLabel\n-\t0\tcom.example.webui\n77\t0\tcom.apple.Finder\n");
    let report = only(&mac);
    let leak = finding(&report, "sqlite-handle-leak");
    assert_eq!(leak.severity, Severity::Warning);
    assert_eq!(leak.evidence["connections"], 150);
    assert_eq!(leak.evidence["libraries"], 1);
    let large = finding(&report, "sqlite-wal-large");
    assert!(
        large.message.contains("cannot be seen here"),
        "{}",
        large.message
    );
    assert!(large.remedy.as_deref().unwrap().starts_with("sqlite3 "));
    // Frames and page size are the file's own.
    let wal = report.process.sqlite[0].wal.as_ref().unwrap();
    assert_eq!(wal.page_size, Some(4096));
    assert!(wal.frames.unwrap() > 1000 && wal.locks.is_none());
    let orphan = finding(&report, "orphaned-server");
    assert_eq!(orphan.severity, Severity::Info);
    assert_eq!(orphan.evidence["parent"]["comm"], "launchd");
    assert_eq!(orphan.evidence["port"], 8787);
    assert_eq!(report.process.fds.open, Some(302));
    assert_eq!(
        report.process.start_time.as_deref(),
        Some("2023-11-14T22:15:00.25Z")
    );
}

#[test]
fn on_a_constructed_mac_a_start_that_waits_for_the_orphans_port_makes_it_a_warning() {
    let mut mac = server();
    mac.tcp(SERVER, 0xfeed, 8787, 0, 1);
    mac.jobs = Some("PID\tStatus\tLabel\n90\t0\tcom.example.webui\n");
    mac.process(90, 1, &["/opt/py/bin/python3", "bootstrap.py"], 900);
    mac.process(91, 90, WORDS, 901);
    let report = only(&mac);
    let orphan = finding(&report, "orphaned-server");
    assert_eq!(orphan.severity, Severity::Warning);
    assert_eq!(orphan.evidence["siblings"][0], 91);
    assert_eq!(orphan.remedy.as_deref(), Some("kill 4711"));
    assert!(
        orphan.message.contains("lsof -nP -iTCP:8787"),
        "{}",
        orphan.message
    );
}

#[test]
fn on_a_constructed_mac_two_servers_that_write_one_database_are_told() {
    let mut mac = server();
    mac.tcp(SERVER, 0xfeed, 8787, 0, 1);
    mac.process(90, 1, &[WORDS[0], WORDS[1], "--port", "8788"], 900);
    mac.tcp(90, 0xbeef, 8788, 0, 1);
    for pid in [SERVER, 90] {
        mac.file(pid, &File::made_up("/srv/state.db", 5, 4096));
        mac.file(pid, &File::made_up("/srv/state.db-wal", 6, 4096));
    }
    let report = only(&mac);
    let twice = finding(&report, "duplicate-instance");
    assert_eq!(twice.evidence["pid"], 90);
    assert_eq!(twice.evidence["shared_databases"][0], "/srv/state.db");
    // A worker has its server's socket.
    mac.tcp(90, 0xfeed, 8787, 0, 1);
    assert!(!has(&only(&mac), "duplicate-instance"));
}

#[test]
fn on_a_constructed_mac_a_job_of_launchd_is_no_orphan_and_an_unknown_one_is_said() {
    let mut mac = server();
    mac.tcp(SERVER, 0xfeed, 8787, 0, 1);
    mac.jobs = Some("PID\tStatus\tLabel\n4711\t0\tcom.example.webui\n");
    let report = only(&mac);
    assert!(!has(&report, "orphaned-server"));
    let said = |report: &Report| {
        let mut gaps = report.incomplete.iter();
        gaps.any(|gap| gap.what.contains("launchd started it") && !gap.aside)
    };
    assert!(!said(&report));
    for none in [None, Some("PID\tStatus\tLabel\n-\t0\tcom.example.webui\n")] {
        mac.jobs = none;
        let report = only(&mac);
        assert!(!has(&report, "orphaned-server") && said(&report));
    }
}

#[test]
fn on_a_constructed_mac_notes_are_kqueues_own_and_attrib_is_not_close_write() {
    let mut mac = server();
    let watched = mac.file(SERVER, &File::made_up("/srv/a.py", 9, 10));
    let idents = |flags| (u64::from(watched.unsigned_abs()), -4i16, flags);
    // An event loop's own: a socket that is read.
    mac.kqueue(SERVER, &[(3, -1, 0)]);
    let fd = mac.kqueue(
        SERVER,
        &[idents(WRITE_AND_ATTRIB), (3, -1, 0x8), idents(0x2)],
    );
    let report = only(&mac);
    let process = &report.process;
    assert!(process.inotify.is_empty());
    let [kqueue] = &process.kqueue[..] else {
        panic!("{:?}", process.kqueue)
    };
    assert_eq!((kqueue.fd, kqueue.watch_count), (fd, 2));
    assert_eq!(
        kqueue.watches[0].path.as_ref().unwrap(),
        &"/srv/a.py".into()
    );
    let wakes = finding(&report, "watch-wakes-on-attrib");
    assert_eq!(wakes.evidence["watches"], 1);
    assert_eq!(wakes.evidence["masks"][0]["mask"], "0xa");
    assert_eq!(wakes.evidence["masks"][0]["events"][1], "attrib");
    assert!(!has(&report, "watch-wakes-on-read"));
    // The library judges them.
    let library = ["DYLD_INSERT_LIBRARIES=/x/libwatchfix.dylib", "SECRET=1"];
    mac.started_with(SERVER, WORDS, &library);
    let report = only(&mac);
    assert!(!has(&report, "watch-wakes-on-attrib"));
    assert_eq!(report.process.preload.mapped, Some(true));
    // Unless it was told to let chmod pass.
    let rules = [library[0], "WATCHFIX_STRIP=none"];
    mac.started_with(SERVER, WORDS, &rules);
    assert!(has(&only(&mac), "watch-wakes-on-attrib"));
}

#[test]
fn on_a_constructed_mac_files_leak_and_deleted_ones_hold_space() {
    let mut mac = server();
    for n in 0..130 {
        let path = format!("/srv/sessions/{n}.jsonl");
        mac.file(SERVER, &File::made_up(&path, 1000 + n, 100));
    }
    let gone = File {
        links: 0,
        ..File::made_up("/srv/old.log", 7, 90 << 20)
    };
    mac.file(SERVER, &gone);
    let report = only(&mac);
    let leak = finding(&report, "file-handle-leak");
    assert_eq!(leak.evidence["pattern"], "*.jsonl");
    assert_eq!(leak.evidence["soft_limit"], serde_json::Value::Null);
    let held = finding(&report, "deleted-file-held");
    assert_eq!(held.severity, Severity::Warning);
    assert_eq!(held.evidence["bytes"], 90 << 20);
    assert!(!held.message.contains("/proc"), "{}", held.message);
}

#[test]
fn on_a_constructed_mac_an_unlinked_log_has_no_command_that_cannot_run() {
    let mut mac = server();
    mac.file(SERVER, &File::made_up("/srv/state.db", 5, 4096));
    let wal = File {
        links: 0,
        ..File::made_up("/srv/state.db-wal", 6, 4096)
    };
    mac.file(SERVER, &wal);
    let report = only(&mac);
    let lost = finding(&report, "sqlite-wal-deleted");
    assert_eq!((lost.severity, &lost.remedy), (Severity::Critical, &None));
    assert!(
        lost.message.contains("let the process itself"),
        "{}",
        lost.message
    );
}

#[test]
fn on_a_constructed_mac_a_file_that_was_replaced_is_not_read_for_the_open_one() {
    let directory = tempfile::tempdir().unwrap();
    let _writer = database(directory.path());
    let mut mac = server();
    let real = directory.path().join("state.db-shm");
    let other = File {
        inode: 1,
        ..File::real(&real)
    };
    mac.file(SERVER, &File::real(&directory.path().join("state.db")));
    mac.file(SERVER, &other);
    let report = only(&mac);
    let wal = report.process.sqlite[0].wal.as_ref().unwrap();
    assert_eq!(wal.frames, None);
}

#[test]
fn on_a_constructed_mac_claims_are_judged_by_pid_and_start() {
    let directory = tempfile::tempdir().unwrap();
    let began = BEGAN + 100;
    for (name, text) in [
        ("live.pid", format!("{SERVER}:{began}")),
        ("reused.pid", format!("{SERVER}:{}", began - 500)),
        ("stale.pid", "99999".into()),
        ("corrupt.pid", "x".into()),
        ("here.port", "8787".into()),
        ("there.port", "1".into()),
        ("a.lock", String::new()),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let mut mac = server();
    mac.works_in(SERVER, directory.path());
    mac.tcp(SERVER, 0xfeed, 8787, 0, 1);
    let report = only(&mac);
    let claims = &report.process.surroundings.claims;
    let verdicts: HashMap<_, _> = claims
        .iter()
        .map(|claim| {
            (
                String::from_utf8_lossy(claim.path.base()).into_owned(),
                claim.verdict,
            )
        })
        .collect();
    for (name, verdict) in [
        ("live.pid", Verdict::Live),
        ("reused.pid", Verdict::Reused),
        ("stale.pid", Verdict::Stale),
        ("corrupt.pid", Verdict::Corrupt),
        ("here.port", Verdict::Live),
        ("there.port", Verdict::Unknown),
        ("a.lock", Verdict::Unknown),
    ] {
        assert_eq!(verdicts.get(name), Some(&verdict), "{name}");
    }
    // A process that a valid PID file names was meant to run alone.
    assert!(!has(&report, "orphaned-server"));
}

#[test]
fn on_a_constructed_mac_who_may_not_be_looked_into_is_named_and_who_is_not_there_is_said() {
    let mut mac = server();
    mac.refuse(SERVER);
    let scan = scanned(&mac, false);
    let process = &scan.processes[0].process;
    assert_eq!(process.comm.as_ref().unwrap(), &"python3".into());
    assert_eq!(
        (process.uid, process.start_time.as_ref()),
        (Some(502), None)
    );
    assert_eq!(scan.errors[0].kind, FailureKind::NotPermitted);
    let none = scanned(&ConstructedMac::new(), false);
    assert!(none.processes.is_empty());
    assert_eq!(none.errors[0].kind, FailureKind::NoProcess);
}

#[test]
fn on_a_constructed_mac_what_was_closed_meanwhile_is_counted_and_secrets_are_hidden() {
    let mut mac = server();
    let fd = mac.file(SERVER, &File::made_up("/srv/a", 9, 10));
    mac.close(SERVER, fd);
    mac.started_with(SERVER, &[WORDS[0], "--password", "hunter2"], &[]);
    let report = only(&mac);
    let closed = report
        .incomplete
        .iter()
        .find(|gap| gap.what == "descriptors");
    assert_eq!(closed.unwrap().count, Some(1));
    let json = serde_json::to_string(&report).unwrap();
    assert!(
        json.contains("--password") && !json.contains("hunter2"),
        "{json}"
    );
}

#[test]
fn on_a_constructed_mac_the_answer_names_kqueue_and_nothing_that_only_linux_has() {
    let mut mac = server();
    let file = mac.file(SERVER, &File::made_up("/srv/a", 9, 10));
    mac.kqueue(SERVER, &[(u64::from(file.unsigned_abs()), -4, 0x2f)]);
    mac.pipe(SERVER, 0x20, 0x10);
    mac.pipe(SERVER, 0x10, 0x20);
    let unix = mac.unix(SERVER, 0xabc, "/private/tmp/s.sock");
    let scan = scanned(&mac, true);
    let process = &scan.processes[0].process;
    let pipes = process.descriptors.iter().filter(|d| d.kind == Kind::Pipe);
    let pipes: Vec<_> = pipes.map(|d| d.target.to_string()).collect();
    assert_eq!(pipes, ["pipe:[10]", "pipe:[10]"]);
    let listener = &process.surroundings.listeners[0];
    assert_eq!((listener.fd, listener.protocol), (unix, "unix"));
    assert_eq!(
        listener.address.as_ref().unwrap(),
        &"/private/tmp/s.sock".into()
    );
    let mut text = Vec::new();
    let layout = Layout {
        width: 200,
        style: Style { colour: false },
        detail: Detail::All,
        ascii: true,
    };
    render::text(&scan, layout, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    for word in [
        "1 kqueue with watches on files",
        "delete write extend attrib rename",
        "FSEvents",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(
        !text.contains("inotify") && !text.contains("/proc"),
        "{text}"
    );
    let json = serde_json::to_value(&scan).unwrap();
    assert_eq!(
        json["processes"][0]["kqueue"][0]["watches"][0]["path"],
        "/srv/a"
    );
    assert_eq!(json["limits"]["max_user_watches"], serde_json::Value::Null);
}

#[test]
fn both_architectures_write_a_port_and_an_address_in_network_order() {
    let mut mac = server();
    let fd = mac.tcp(SERVER, 0xfeed, 8787, 40000, 5);
    let answer = super::Kernel::ask(&mac, SERVER, super::Question::Socket(fd)).unwrap();
    let socket = sockets::parse(&answer).unwrap();
    assert_eq!(socket.local.unwrap().to_string(), "127.0.0.1:8787");
    assert_eq!(socket.peer.unwrap().port(), 40000);
    assert!(!socket.listens);
}

#[test]
fn a_list_of_jobs_is_one_only_if_one_runs() {
    let running = |text: &str| jobs::running(text.as_bytes()).map(|pids| pids.len());
    assert_eq!(
        running("PID\tStatus\tLabel\n12\t0\ta\n-\t78\tb\n13\t-9\tc\n"),
        Some(2)
    );
    assert_eq!(running("PID\tStatus\tLabel\n-\t0\ta\n"), None);
    assert_eq!(running("12\n"), None);
    assert_eq!(running(""), None);
}

proptest! {
    /// The kernel may be newer than this program.
    #[test]
    fn no_answer_of_any_length_is_more_than_unknown(answer: Vec<u8>, at in 0usize..4096) {
        let _ = process::of(&answer);
        let _ = process::of_short(&answer);
        let _ = process::working_directory(&answer);
        let _ = files::list(&answer);
        let _ = files::file(3, &answer);
        let _ = files::pipe(3, &answer);
        let _ = sockets::parse(&answer);
        let _ = super::notes::parse(3, &answer, &HashMap::new());
        let _ = arguments::parse(&answer);
        let _ = jobs::running(&answer);
        let _ = (Bytes(&answer).u64(at), Bytes(&answer).text(at, 9));
    }

    #[test]
    fn arguments_are_as_many_as_are_said(words in prop::collection::vec("[a-z]{0,4}", 0..5)) {
        let mut mac = server();
        let words: Vec<&str> = ["/bin/x"].into_iter().chain(words.iter().map(String::as_str)).collect();
        mac.started_with(SERVER, &words, &["A=1"]);
        let answer = super::Kernel::ask(&mac, SERVER, super::Question::Arguments).unwrap();
        let started = arguments::parse(&answer).unwrap();
        prop_assert_eq!(started.arguments.len(), words.len());
        prop_assert_eq!(started.variable(b"A"), Some(&b"1"[..]));
        prop_assert_eq!(started.environment.len(), 1);
    }
}
