//! Orphans and duplicates: real servers on the loopback.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use support::DEADLINE;

use crate::common::{Fixture, Process, Stage};

/// What fdscan says about the server a fixture started.
fn server(stage: &Stage, fixture: &Fixture) -> Process {
    stage.scan(&[fixture.fact("server"), "--json"]).process()
}

fn parent(pid: &str) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(1).unwrap().to_owned()
}

#[track_caller]
fn names_port_sibling_and_supervisor(process: &Process, fixture: &Fixture) {
    let evidence = &process.finding("orphaned-server", "warning")["evidence"];
    assert_eq!(evidence["port"], fixture.number("port"));
    assert_eq!(evidence["siblings"][0], fixture.number("sibling"));
    assert_eq!(evidence["supervisor"]["pid"], fixture.pid());
}

#[test]
fn an_orphan_that_keeps_its_port_from_a_respawned_server_is_a_warning() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["orphan", "--respawn"]);
    let process = server(&stage, &fixture);
    names_port_sibling_and_supervisor(&process, &fixture);
    let listener = &process.0["listeners"][0];
    assert_eq!(listener["protocol"], "tcp");
    assert_eq!(listener["address"], "127.0.0.1");
    assert_eq!(listener["port"], fixture.number("port"));
}

#[test]
fn an_orphan_that_leads_its_session_is_known_by_its_parent_being_init() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["orphan", "--respawn", "--leads"]);
    if parent(fixture.fact("server")) != "1" {
        return support::skip_optional("orphans are taken in by a subreaper here, not by init");
    }
    names_port_sibling_and_supervisor(&server(&stage, &fixture), &fixture);
}

#[test]
fn an_orphan_without_a_sibling_is_not_a_warning() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["orphan"]);
    let process = server(&stage, &fixture);
    assert!(
        process
            .all("orphaned-server")
            .iter()
            .all(|f| f["severity"] == "info")
    );
}

#[test]
fn a_server_whose_supervisor_is_its_parent_is_not_an_orphan() {
    let stage = Stage::new();
    for args in [
        &["orphan", "--supervised"][..],
        &["orphan", "--supervised", "--respawn"],
    ] {
        let fixture = stage.mkfds(args);
        server(&stage, &fixture).must_not_raise("orphaned-server");
    }
}

#[test]
fn the_respawned_server_itself_is_not_an_orphan() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["orphan", "--respawn"]);
    let scan = stage.scan(&[fixture.fact("sibling"), "--json"]);
    scan.process().must_not_raise("orphaned-server");
}

#[test]
fn two_servers_on_one_database_are_duplicates_and_each_names_the_other() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let pair = [(); 2].map(|()| stage.mkfds_in(&dir, &["server", "--database"]));
    for (own, other) in [(0, 1), (1, 0)] {
        let process = server(&stage, &pair[own]);
        let evidence = &process.finding("duplicate-instance", "warning")["evidence"];
        assert_eq!(evidence["pids"][0], pair[own].number("server"));
        assert_eq!(evidence["pids"][1], pair[other].number("server"));
        let database = dir.join("state.db");
        assert_eq!(evidence["shared_databases"][0], database.to_str().unwrap());
    }
}

#[test]
fn two_servers_with_one_pid_file_are_duplicates() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let pair = [(); 2].map(|()| stage.mkfds_in(&dir, &["server", "--pid-file"]));
    let process = server(&stage, &pair[0]);
    let evidence = &process.finding("duplicate-instance", "warning")["evidence"];
    let claim = dir.join("serve.pid");
    assert_eq!(evidence["shared_claims"][0], claim.to_str().unwrap());
}

/// A server that opens its state in `home` for a moment only. Its script is called `path` from `cwd`.
fn tool(path: &Path, cwd: &Path, home: &Path) -> Fixture {
    let mut python = Command::new("/usr/bin/python3");
    python.arg(path).arg("serve").current_dir(cwd);
    Fixture::start(python.env("TOOL_HOME", home))
}

fn tool_script(stage: &Stage) -> PathBuf {
    let file = stage.make("bin").join("tool.py");
    let text = "import os, socket, sys; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); \
                print('server=%d\\nREADY' % os.getpid(), flush=True); sys.stdin.read()";
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn of_two_servers_the_one_no_pid_file_names_is_a_duplicate_though_none_has_it_open() {
    let stage = Stage::new();
    let (file, dir) = (tool_script(&stage), stage.make("state"));
    let [lost, named] = [(); 2].map(|()| tool(&file, Path::new("/"), &dir));
    server(&stage, &lost).must_not_raise("duplicate-instance");
    let claim = dir.join("serve.pid");
    std::fs::write(&claim, named.fact("server")).unwrap();
    for (own, other) in [(&lost, &named), (&named, &lost)] {
        let process = server(&stage, own);
        let finding = process.finding("duplicate-instance", "warning");
        let evidence = &finding["evidence"];
        assert_eq!(evidence["pid"], other.number("server"));
        assert_eq!(evidence["claims"][0]["path"], claim.to_str().unwrap());
        assert_eq!(evidence["claims"][0]["pid"], named.number("server"));
        assert_eq!(evidence["unclaimed_pid"], lost.number("server"));
        assert_eq!(finding["remedy"], format!("kill {}", lost.fact("server")));
    }
    // Each with a file of its own: two servers.
    std::fs::write(dir.join("other.pid"), lost.fact("server")).unwrap();
    for own in [&lost, &named] {
        server(&stage, own).must_not_raise("duplicate-instance");
    }
}

#[test]
fn a_script_is_the_same_program_by_whichever_path_it_was_started() {
    let stage = Stage::new();
    let (file, state) = (tool_script(&stage), stage.make("state"));
    let link = stage.make("links").join("tool");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let named = tool(&file, Path::new("/"), &state);
    std::fs::write(state.join("serve.pid"), named.fact("server")).unwrap();
    let bin = file.parent().unwrap();
    for (path, cwd) in [(Path::new("tool.py"), bin), (&link, Path::new("/"))] {
        let lost = tool(path, cwd, &state);
        let process = server(&stage, &named);
        let finding = process.finding("duplicate-instance", "warning");
        assert_eq!(finding["evidence"]["unclaimed_pid"], lost.number("server"));
        lost.victim.finish();
    }
    // With a state of its own it is another server.
    let apart = tool(&file, Path::new("/"), &stage.make("apart"));
    for own in [&apart, &named] {
        server(&stage, own).must_not_raise("duplicate-instance");
    }
}

#[test]
fn two_servers_with_states_of_their_own_are_not_duplicates() {
    let stage = Stage::new();
    let pair = ["one", "two"].map(|name| {
        let dir = stage.make(name);
        stage.mkfds_in(&dir, &["server", "--database", "--pid-file"])
    });
    for fixture in &pair {
        server(&stage, fixture).must_not_raise("duplicate-instance");
    }
}

#[test]
fn a_worker_that_was_forked_with_everything_open_is_not_a_duplicate() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["server", "--database", "--pid-file", "--worker"]);
    server(&stage, &fixture).must_not_raise("duplicate-instance");
    let worker = stage.scan(&[fixture.fact("worker"), "--json"]).process();
    worker.must_not_raise("duplicate-instance");
}

/// Neither orphan nor duplicate, whoever is asked about.
#[track_caller]
fn is_in_order(stage: &Stage, pid: &str) {
    let process = stage.scan(&[pid, "--json"]).process();
    process.must_not_raise("orphaned-server");
    process.must_not_raise("duplicate-instance");
}

#[test]
fn what_was_put_into_the_background_on_purpose_is_not_an_orphan() {
    let stage = Stage::new();
    for args in [
        &["orphan", "--background", "nohup"][..],
        &["orphan", "--background", "daemon"],
        &["orphan", "--background", "daemon", "--leads"],
    ] {
        let fixture = stage.mkfds(args);
        is_in_order(&stage, fixture.fact("server"));
    }
}

#[test]
fn a_daemon_whose_port_a_respawned_server_wants_is_an_orphan_all_the_same() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["orphan", "--background", "daemon", "--respawn"]);
    let process = server(&stage, &fixture);
    names_port_sibling_and_supervisor(&process, &fixture);
    // The command that is offered helps: the port is free when the server has gone.
    let finding = process.finding("orphaned-server", "warning");
    let remedy = finding["remedy"].as_str().unwrap();
    assert_eq!(remedy, format!("kill {}", fixture.fact("server")));
    let place = ("127.0.0.1", fixture.number("port") as u16);
    assert!(std::net::TcpListener::bind(place).is_err());
    let run = Command::new("sh").args(["-c", remedy]).status().unwrap();
    assert!(run.success());
    support::wait_until("the port is still taken", || {
        std::net::TcpListener::bind(place).is_ok()
    });
}

#[test]
fn a_server_with_workers_in_sessions_of_their_own_is_in_order() {
    let stage = Stage::new();
    let args = ["orphan", "--background", "daemon", "--workers"];
    // Two of them, on ports of their own. Their fixtures wait for them under the same command, as a
    // server that fails to start would: so the commands differ.
    let pair = [
        stage.mkfds(&args),
        stage.mkfds(&[&args[..], &["--leads"]].concat()),
    ];
    for fixture in &pair {
        for who in ["server", "worker"] {
            is_in_order(&stage, fixture.fact(who));
        }
    }
}

#[test]
fn terminal_multiplexers_are_in_order() {
    if Command::new("tmux").arg("-V").output().is_err() {
        return support::skip_optional("tmux is not installed");
    }
    let stage = Stage::new();
    let dir = stage.make("tmux");
    let servers = ["one", "two"].map(|name| {
        let tmux = |args: &[&str]| {
            let mut command = Command::new("tmux");
            command
                .env("TMUX_TMPDIR", &dir)
                .args(["-L", name])
                .args(args);
            command.output().unwrap()
        };
        assert!(tmux(&["new-session", "-d", "sleep 600"]).status.success());
        let pid = tmux(&["display-message", "-p", "#{pid}"]).stdout;
        String::from_utf8(pid).unwrap().trim().to_owned()
    });
    for pid in &servers {
        is_in_order(&stage, pid);
    }
    for pid in servers {
        // SAFETY: kill has no memory effects; the server is this test's own.
        unsafe { libc::kill(pid.parse().unwrap(), libc::SIGTERM) };
    }
}

#[test]
fn two_programs_that_share_a_port_by_reuseport_are_duplicates() {
    let stage = Stage::new();
    let script = "import os, socket, sys; os.setsid(); s = socket.socket(); \
                  s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); \
                  s.bind(('127.0.0.1', int(open(sys.argv[1]).read()))); s.listen(); \
                  open(sys.argv[1], 'w').write(str(s.getsockname()[1])); \
                  print('server=%d\\nREADY' % os.getpid(), flush=True); sys.stdin.read()";
    let file = stage.make("state").join("number");
    std::fs::write(&file, "0").unwrap();
    let start = || {
        // A parent each: children of one parent are one server's processes.
        let mut shell = Command::new("bash");
        shell.args(["-c", "/usr/bin/python3 -c \"$0\" \"$1\"; true", script]);
        Fixture::start(shell.arg(&file))
    };
    let (first, second) = (start(), start());
    let port: u64 = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    for (own, other) in [(&first, &second), (&second, &first)] {
        let process = server(&stage, own);
        let evidence = &process.finding("duplicate-instance", "warning")["evidence"];
        assert_eq!(evidence["shared_ports"], serde_json::json!([port]));
        assert_eq!(evidence["pid"], other.number("server"));
        process.must_not_raise("orphaned-server");
    }
}

/// A control group that looks like a service's, gone when it is dropped.
struct Service(PathBuf);

impl Service {
    /// `None` where groups cannot be made.
    fn make() -> Option<Service> {
        let name = format!("watchfix-test-{}.service", std::process::id());
        let roots = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup"];
        let mut paths = roots.iter().map(|root| Path::new(root).join(&name));
        paths
            .find(|path| std::fs::create_dir(path).is_ok() && path.join("cgroup.procs").exists())
            .map(Service)
    }

    fn take(&self, pid: &str) {
        std::fs::write(self.0.join("cgroup.procs"), pid).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let begun = Instant::now();
        // The kernel refuses while a process of it is still ending.
        while std::fs::remove_dir(&self.0).is_err() && begun.elapsed() < DEADLINE {
            std::thread::yield_now();
        }
    }
}

#[test]
fn what_a_service_manager_started_as_a_service_is_in_order() {
    let Some(service) = Service::make() else {
        return support::skip_optional("control groups cannot be made here");
    };
    let stage = Stage::new();
    let fixture = stage.mkfds(&["orphan", "--leads"]);
    service.take(fixture.fact("server"));
    is_in_order(&stage, fixture.fact("server"));
    fixture.victim.finish();
}

#[test]
fn a_server_its_client_has_left_behind_beside_another_one_is_ended() {
    let stage = Stage::new();
    let look = |fixture: &Fixture, name| stage.scan(&[fixture.fact(name), "--json"]).process();
    let fixture = stage.mkfds_in(&stage.make("one"), &["stdio-servers"]);
    let left = look(&fixture, "left");
    let finding = left.finding("orphaned-server", "warning");
    assert_eq!(
        finding["evidence"]["siblings"],
        serde_json::json!([fixture.number("served")])
    );
    let database = &finding["evidence"]["shared_databases"][0];
    assert!(
        database.as_str().unwrap().ends_with("/one/state"),
        "{database}"
    );
    assert_eq!(finding["remedy"], format!("kill {}", fixture.fact("left")));
    look(&fixture, "served").must_not_raise("orphaned-server");
    // With a state of its own it is in nobody's way.
    let fixture = stage.mkfds_in(&stage.make("two"), &["stdio-servers", "--apart"]);
    look(&fixture, "left").must_not_raise("orphaned-server");
}
