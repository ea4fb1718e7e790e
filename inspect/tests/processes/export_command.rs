//! `fdscan export`: what Prometheus makes of it, and what its server does with clients of every kind.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rusqlite::Connection;
use support::Victim;

use crate::common::{Stage, fdscan, is_root, proc_number};

pub fn promtool() -> Option<PathBuf> {
    let found = support::tool("promtool");
    if found.is_none() {
        support::skip("there is no promtool: scripts/install-test-tools");
    }
    found
}

fn export(args: &[&str]) -> String {
    let stage = Stage::new();
    let scan = stage.scan(&[&["export"], args].concat());
    assert_eq!(scan.code(), 0, "{}", scan.stderr);
    scan.text().to_owned()
}

/// Fails unless promtool has nothing to say about `text`.
#[track_caller]
fn must_be_clean(promtool: &Path, text: &str) {
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}

/// The value of a series, by its name and a part of its labels.
fn value(text: &str, name: &str, label: &str) -> Option<f64> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let line = lines.find(|line| {
        line.starts_with(name)
            && matches!(line.as_bytes().get(name.len()), Some(b'{' | b' '))
            && line.contains(label)
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_process_has_a_series_for_each_figure_and_promtool_has_nothing_to_say() {
    let stage = Stage::new();
    let watcher = stage.mkfds_in(
        &stage.make("a"),
        &["watches", "--count", "6", "--mask", "0x20"],
    );
    let sqlite = stage.mkfds_in(&stage.make("b"), &["sqlite-connections", "--count", "3"]);
    let pids = [&watcher, &sqlite].map(|fixture| fixture.pid().to_string());
    let text = export(&[&pids[0], &pids[1]]);
    let [watcher_pid, sqlite_pid] = pids.map(|pid| format!("pid=\"{pid}\""));

    let of = |name: &str, label: &str| value(&text, name, label);
    assert_eq!(
        of("fdscan_process_inotify_watches", &watcher_pid),
        Some(6.0)
    );
    assert_eq!(
        of("fdscan_process_inotify_instances", &watcher_pid),
        Some(1.0)
    );
    let fds = stage.look(&watcher).0["fds"].clone();
    assert_eq!(
        of("fdscan_process_open_fds", &watcher_pid),
        fds["open"].as_f64()
    );
    assert_eq!(
        of("fdscan_process_max_fds", &watcher_pid),
        fds["soft_limit"].as_f64()
    );
    let notes = format!("{watcher_pid},comm=\"mkfds\",severity=\"info\"");
    assert_eq!(of("fdscan_process_findings", &notes), Some(1.0));
    assert_eq!(of("fdscan_sqlite_connections", &sqlite_pid), Some(3.0));
    assert!(of("fdscan_sqlite_wal_bytes", &sqlite_pid) > Some(0.0));
    assert!(of("fdscan_sqlite_wal_pending_bytes", &sqlite_pid).is_some());
    assert_eq!(of("fdscan_processes", ""), Some(2.0));
    let limit = proc_number("/proc/sys/fs/inotify/max_user_watches") as f64;
    assert_eq!(of("fdscan_inotify_max_user_watches", ""), Some(limit));
    assert!(text.ends_with("# EOF\n"));
    // The name of a database, and not where it lies.
    let databases: Vec<_> = text
        .lines()
        .filter_map(|line| line.split("database=\"").nth(1)?.split('"').next())
        .collect();
    assert!(
        !databases.is_empty() && databases.iter().all(|name| !name.contains('/')),
        "{text}"
    );

    if let Some(promtool) = promtool() {
        must_be_clean(&promtool, &text);
    }
}

#[test]
fn names_with_any_bytes_are_labels_that_can_be_read() {
    let Some(promtool) = promtool() else { return };
    let stage = Stage::new();
    let fixture = stage.mkfds_in(&stage.make("names"), &["names"]);
    let text = export(&[&fixture.pid().to_string()]);
    assert_eq!(value(&text, "fdscan_processes", ""), Some(1.0));
    must_be_clean(&promtool, &text);
}

#[test]
fn without_a_selection_there_are_users_and_limits_alone() {
    let text = export(&[]);
    assert!(!text.contains("pid="), "{text}");
    assert_eq!(value(&text, "fdscan_processes", ""), Some(0.0));
    assert!(
        value(&text, "fdscan_user_inotify_instances", "uid=").is_some(),
        "{text}"
    );
}

#[test]
fn what_is_not_known_has_no_series() {
    if !is_root() {
        return support::skip("only root has processes that others may not read");
    }
    let stage = Stage::as_user(60721);
    let other = Stage::as_user(60722);
    let fixture = other.mkfds_in(&other.make("a"), &["watches", "--count", "2"]);
    let pid = fixture.pid().to_string();
    let scan = stage.scan_as_user(&["export", &pid]);
    let text = scan.text();
    let label = format!("pid=\"{pid}\"");
    assert!(
        value(text, "fdscan_process_open_fds", &label) > Some(0.0),
        "{text}"
    );
    assert_eq!(value(text, "fdscan_process_inotify_watches", &label), None);
    assert_eq!(value(text, "fdscan_process_findings", &label), None);
    assert_eq!(
        value(text, "fdscan_user_inotify_watches", "uid=\"60722\""),
        None
    );
    assert!(value(text, "fdscan_processes_unreadable", "") >= Some(1.0));
}

#[test]
fn series_are_bounded_and_what_is_dropped_is_counted() {
    let stage = Stage::new();
    let dir = stage.make("many");
    let open: Vec<_> = (0..11)
        .map(|n| {
            let database = Connection::open(dir.join(format!("{n}.db"))).unwrap();
            let setup = "PRAGMA journal_mode = wal; CREATE TABLE t(x);";
            database.execute_batch(setup).unwrap();
            database
        })
        .collect();
    let quiet = stage.mkfds(&["idle"]);
    let own = std::process::id().to_string();
    let text = export(&[&own, &quiet.pid().to_string(), "--max-processes", "1"]);
    let series = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    // This process has more descriptors.
    assert_eq!(series("fdscan_process_open_fds{"), 1, "{text}");
    assert!(value(&text, "fdscan_process_open_fds", &own).is_some());
    assert_eq!(series("fdscan_sqlite_wal_bytes{"), 8);
    assert_eq!(value(&text, "fdscan_processes", ""), Some(2.0));
    assert_eq!(value(&text, "fdscan_processes_dropped", ""), Some(1.0));
    // Other tests of this process may have databases open as well.
    assert!(
        value(&text, "fdscan_databases_dropped", "") >= Some(3.0),
        "{text}"
    );
    drop(open);
}

#[test]
fn all_processes_have_series_and_those_with_most_of_anything_first() {
    let stage = Stage::new();
    let quiet = stage.mkfds(&["idle"]);
    let text = export(&["--all", "--max-processes", "100000"]);
    let label = format!("pid=\"{}\"", quiet.pid());
    assert!(
        value(&text, "fdscan_process_open_fds", &label).is_some(),
        "{text}"
    );
    assert_eq!(value(&text, "fdscan_processes_dropped", ""), Some(0.0));
    // Of two the one without a watch stays, for it has as many descriptors as it may.
    let watcher = stage.mkfds_in(&stage.make("w"), &["watches", "--count", "6"]);
    let full = stage.mkfds(&["fd-limit", "--limit", "200", "--percent", "90"]);
    let pids = [&quiet, &watcher, &full].map(|fixture| fixture.pid().to_string());
    let text = export(&[&pids[0], &pids[1], &pids[2], "--max-processes", "2"]);
    let shown = pids.map(|pid| text.contains(&format!("fdscan_process_open_fds{{pid=\"{pid}\"")));
    assert_eq!(shown, [false, true, true], "{text}");
    let scan = stage.scan(&["export", "--all", "--name", "mkfds"]);
    assert_eq!(scan.code(), 2, "{}", scan.stderr);
}

#[test]
fn a_file_is_replaced_in_one_step_and_everyone_may_read_it() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["idle"]);
    let dir = stage.make("textfile");
    let file = dir.join("fdscan.prom");
    let path = file.to_str().unwrap();
    let pid = fixture.pid().to_string();
    for _ in 0..2 {
        let scan = stage.scan(&["export", &pid, "--output", path]);
        assert_eq!((scan.code(), scan.text()), (0, ""), "{}", scan.stderr);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);

    let nowhere = dir.join("no/such/directory.prom");
    let scan = stage.scan(&["export", &pid, "--output", nowhere.to_str().unwrap()]);
    assert_eq!(scan.code(), 2);
    assert!(
        scan.stderr.contains("could not be written"),
        "{}",
        scan.stderr
    );
}

#[test]
fn nothing_that_matches_is_3_and_the_rest_is_written_all_the_same() {
    let stage = Stage::new();
    let scan = stage.scan(&["export", "--name", "no process has this name"]);
    assert_eq!(scan.code(), 3);
    assert_eq!(value(scan.text(), "fdscan_processes", ""), Some(0.0));
}

/// A server, and where it listens.
pub struct Server {
    victim: Victim,
    pub address: String,
}

impl Server {
    pub fn start(args: &[&str]) -> Server {
        Server::run(fdscan().args(["export", "--listen", "0"]).args(args))
    }

    /// A command that becomes one.
    pub fn run(command: &mut Command) -> Server {
        let mut victim = Victim::spawn(command);
        let line = victim.line_with("listening at http://");
        let address = line.split("http://").nth(1).unwrap();
        let address = address.strip_suffix("/metrics").unwrap().to_owned();
        Server { victim, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(support::DEADLINE)).unwrap();
        stream
    }

    /// The answer to a request, whole.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        let host = &self.address;
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    }
}

#[test]
fn a_port_alone_is_answered_on_this_machine_only() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["idle"]);
    let server = Server::start(&[&fixture.pid().to_string()]);
    assert!(
        server.address.starts_with("127.0.0.1:"),
        "{}",
        server.address
    );

    let answer = server.get("/metrics");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains("Content-Type: application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    assert!(
        head.contains(&format!("Content-Length: {}\r\n", body.len())),
        "{head}"
    );
    let label = format!("pid=\"{}\"", fixture.pid());
    assert!(
        value(body, "fdscan_process_open_fds", &label).is_some(),
        "{body}"
    );

    let head = server.ask("HEAD /metrics HTTP/1.0\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    assert!(server.get("/").starts_with("HTTP/1.1 404 "));
    assert!(
        server
            .ask("POST /metrics HTTP/1.1\r\n\r\n")
            .starts_with("HTTP/1.1 405 ")
    );
    assert!(
        server
            .ask("\u{16}\u{3}\u{1}\r\n\r\n")
            .starts_with("HTTP/1.1 400 ")
    );
}

#[test]
fn clients_that_say_nothing_do_not_hold_up_the_others() {
    let server = Server::start(&[]);
    let mut silent: Vec<TcpStream> = (0..7).map(|_| server.connect()).collect();
    assert!(server.get("/metrics").starts_with("HTTP/1.1 200 OK"));
    // They are sent away without a word.
    for stream in &mut silent {
        let mut rest = String::new();
        assert_eq!(stream.read_to_string(&mut rest).unwrap(), 0, "{rest}");
    }
    assert!(server.get("/metrics").starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn who_asks_is_answered_at_once_however_many_say_nothing() {
    let server = Server::start(&[]);
    // Each would keep its place for seconds, and is replaced as soon as it lets go.
    let mut silent: Vec<TcpStream> = Vec::new();
    for round in 0..40 {
        silent.push(server.connect());
        if round % 10 == 9 {
            assert!(server.get("/metrics").starts_with("HTTP/1.1 200 OK"));
        }
    }
    // Whoever was silent for longest went first, without a word.
    let mut rest = String::new();
    assert_eq!(silent[0].read_to_string(&mut rest).unwrap_or(0), 0);
}

#[test]
fn who_asks_for_another_host_is_refused() {
    let server = Server::start(&["--allow-host", "metrics.example"]);
    let port = server.address.rsplit(':').next().unwrap();
    let ask = |host: &str| {
        let answer = server.ask(&format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    for host in ["localhost", "127.0.0.1", "[::1]", "metrics.example"] {
        assert_eq!(ask(&format!("{host}:{port}")), "200", "{host}");
    }
    // The page of another site, whose name was made to lead here.
    for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""] {
        assert_eq!(ask(&format!("{host}:{port}")), "421", "{host}");
    }
    let bare = server.ask("GET /metrics HTTP/1.1\nHost: localhost\n\n");
    assert!(bare.starts_with("HTTP/1.1 200 OK"), "{bare}");
}

#[test]
fn a_request_without_end_is_cut_off() {
    let server = Server::start(&[]);
    let mut stream = server.connect();
    let line = format!("X: {}\r\n", "x".repeat(1000));
    // It stops reading after 8 KiB; what is sent after that may fail or not.
    let sent = (0..1000).try_for_each(|_| stream.write_all(line.as_bytes()));
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    assert!(sent.is_err() || read.is_err() || answer.starts_with(b"HTTP/1.1 400 "));
    assert!(server.get("/metrics").starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn a_signal_ends_the_server_at_once() {
    let server = Server::start(&[]);
    let _silent = server.connect();
    server.victim.signal(libc::SIGTERM);
    let (status, lines) = server.victim.finish();
    assert_eq!(status.signal(), Some(libc::SIGTERM), "{lines:?}");
}

#[test]
fn an_address_in_use_is_said_and_is_2() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let scan = Stage::new().scan(&["export", "--listen", &address]);
    assert_eq!(scan.code(), 2);
    assert!(
        scan.stderr.contains(&format!("cannot listen at {address}")),
        "{}",
        scan.stderr
    );
}
