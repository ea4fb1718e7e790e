//! Starts that fail because another process has their port, seen with `--for`.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use support::DEADLINE;

use crate::common::{Fixture, Stage};

/// The shell that started it stays, as npm's does.
const KEEPER: &str = "python3 server.py 0; :";

/// One that is given its port.
const CHOSEN: &str = "PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 0)); \
    print(s.getsockname()[1])') python3 server.py env; :";

/// Ends a server that is not the child of this program.
fn end(server: &str) {
    let ended = Command::new("kill").args(["-9", server]).status().unwrap();
    assert!(ended.success());
}

/// A server in Python that says its port, and beside it whatever `loops` starts; NUMBER in it is the port.
fn in_vain(stage: &Stage, keeper: &str, loops: &str) -> (Fixture, Fixture) {
    let dir = stage.make("served");
    let script = dir.join("server.py");
    let text = "import os, socket, sys, time\n\
        crash = os.environ.get('CRASH')\n\
        if crash in ('0', '1'): time.sleep(0.05); sys.exit(int(crash))\n\
        s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
        if os.environ.get('REUSE'): s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n\
        port = int(os.environ['PORT'] if sys.argv[1] == 'env' else sys.argv[1])\n\
        try: s.bind(('127.0.0.1', port))\n\
        except OSError: sys.exit(1)\n\
        s.listen()\n\
        if crash == 'late': time.sleep(0.2); sys.exit(1)\n\
        print(f'server={os.getpid()}\\nport={s.getsockname()[1]}\\nREADY', flush=True)\n\
        time.sleep(600)\n";
    std::fs::write(script, text).unwrap();
    let shell = |text: &str| {
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", text]).current_dir(&dir);
        Fixture::start(&mut command)
    };
    let orphan = shell(keeper);
    let loops = loops.replace("NUMBER", orphan.fact("port"));
    (shell(&format!("echo READY; {loops}")), orphan)
}

/// The finding of a look at the server, once two starts in vain were seen: on a busy machine that takes longer.
fn seen_in_vain(stage: &Stage, server: &str) -> serde_json::Value {
    let begun = Instant::now();
    loop {
        let process = stage.scan(&[server, "--json", "--for", "2"]).process();
        let found = process.all("orphaned-server");
        if let Some(found) = found.iter().find(|f| f["severity"] == "warning") {
            return (*found).clone();
        }
        assert!(begun.elapsed() < DEADLINE, "{:#}", process.0);
    }
}

/// The one whose port others want is told who starts them.
#[track_caller]
fn is_started_in_vain_by(stage: &Stage, supervisor: &Fixture, orphan: &Fixture) {
    let server = orphan.fact("server");
    let finding = seen_in_vain(stage, server);
    let by = &finding["evidence"]["supervisor"]["pid"];
    assert_eq!(*by, supervisor.pid(), "{finding:#}");
    end(server);
}

#[test]
fn starts_in_vain_outweigh_a_parent_that_lives_on() {
    let stage = Stage::new();
    // A supervisor younger than the server starts it again.
    let again = "while :; do python3 server.py NUMBER; sleep 0.1; done";
    let (supervisor, orphan) = in_vain(&stage, KEEPER, again);
    let server = orphan.fact("server").to_owned();
    let finding = seen_in_vain(&stage, &server);
    let evidence = &finding["evidence"];
    assert_eq!(evidence["port"], orphan.number("port"));
    assert_eq!(
        evidence["supervisor"]["pid"],
        supervisor.pid(),
        "{finding:#}"
    );
    assert_eq!(finding["remedy"], format!("kill {server}"));
    end(&server);
}

#[test]
fn a_bootstrap_that_was_under_way_when_the_look_began_is_not_a_supervisor() {
    let stage = Stage::new();
    let again = "while :; do (sleep 0.7; python3 server.py NUMBER; :); done";
    let (supervisor, orphan) = in_vain(&stage, KEEPER, again);
    is_started_in_vain_by(&stage, &supervisor, &orphan);
}

#[test]
fn starts_of_another_command_for_the_same_port_and_directory_count() {
    let stage = Stage::new();
    // The worker of a reloading server is started from code.
    let keeper = "python3 -c \"exec(open('server.py').read())\" 0; :";
    let other = "cp server.py other.py; \
        while :; do python3 -u other.py --listen 127.0.0.1:NUMBER; sleep 0.1; done";
    let (supervisor, orphan) = in_vain(&stage, keeper, other);
    is_started_in_vain_by(&stage, &supervisor, &orphan);
}

/// A server and the supervisor of its successors in one session, that of `shell`, which goes on with `then`.
fn in_one_session(stage: &Stage, shell: &mut Command, then: &str) -> Fixture {
    let dir = stage.make("served");
    // /proc/self is the PID as it is seen from outside a PID namespace.
    let server = "import os, socket, sys, time\n\
        port = int(open('port').read()) if os.path.exists('port') else 0\n\
        s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
        try: s.bind(('127.0.0.1', port))\n\
        except OSError: sys.exit(1)\n\
        s.listen(); print(f\"server={os.readlink('/proc/self')}\\nport={s.getsockname()[1]}\", flush=True)\n\
        open('port.new', 'w').write(str(s.getsockname()[1])); os.rename('port.new', 'port')\n\
        time.sleep(600)\n";
    std::fs::write(dir.join("server.py"), server).unwrap();
    let supervisor = "read pid rest </proc/self/stat; echo supervisor=$pid; echo READY\n\
        while :; do python3 server.py; sleep 0.1; done\n";
    std::fs::write(dir.join("supervisor.sh"), supervisor).unwrap();
    let text = format!(
        "(python3 server.py &); while ! test -e port; do sleep 0.05; done; bash supervisor.sh & {then}"
    );
    Fixture::start(shell.args(["bash", "-c", &text]).current_dir(&dir))
}

#[track_caller]
fn is_an_orphan_of(stage: &Stage, fixture: &Fixture) {
    let server = fixture.fact("server").to_owned();
    let finding = seen_in_vain(stage, &server);
    let evidence = &finding["evidence"];
    assert_eq!(evidence["port"], fixture.number("port"));
    assert_eq!(
        evidence["supervisor"]["pid"],
        fixture.number("supervisor"),
        "{finding:#}"
    );
    assert_eq!(finding["remedy"], format!("kill {server}"));
    end(fixture.fact("supervisor"));
    // In a container it ends with that, as the init has nobody left to wait for.
    let _ = Command::new("kill").args(["-9", &server]).output();
}

#[test]
fn an_orphan_and_its_successors_supervisor_may_share_a_session() {
    // The shell of both is there, or it has ended.
    for then in ["wait", "disown"] {
        let stage = Stage::new();
        let fixture = in_one_session(&stage, &mut Command::new("setsid"), then);
        is_an_orphan_of(&stage, &fixture);
    }
}

#[test]
fn in_a_container_they_share_it_with_its_init() {
    let stage = Stage::new();
    let mut unshare = Command::new("unshare");
    unshare.args([
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--kill-child",
    ]);
    let probe = Command::new("unshare")
        .args(["--user", "--map-root-user", "--pid", "--fork", "true"])
        .output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return support::skip_optional("no user namespace may be made here");
    }
    let fixture = in_one_session(&stage, unshare.arg("setsid"), "wait");
    is_an_orphan_of(&stage, &fixture);
}

/// What `again` starts beside a healthy server, over and over, is not taken for a start that should take its place.
#[track_caller]
fn is_no_rival(keeper: &str, again: &str) {
    let stage = Stage::new();
    let count = stage.make("count").join("ended");
    let text = format!(
        "echo 'import time; time.sleep(0.05)' >health.py; while :; do {again}; echo >>{}; done",
        count.display()
    );
    let (_loops, server) = in_vain(&stage, keeper, &text);
    let server = server.fact("server");
    let before = lines(&count);
    let process = stage.scan(&[server, "--json", "--for", "1"]).process();
    // Two are enough for a warning.
    assert!(lines(&count) > before + 1, "{again}");
    for finding in process.all("orphaned-server") {
        assert_eq!(finding["severity"], "info", "{again}: {finding:#}");
    }
    end(server);
}

#[test]
fn the_next_release_may_start_in_another_directory() {
    let stage = Stage::new();
    let again = "mkdir ../next; cp server.py ../next; cd ../next; \
        while :; do PORT=NUMBER python3 server.py env; sleep 0.1; done";
    let (supervisor, orphan) = in_vain(&stage, CHOSEN, again);
    is_started_in_vain_by(&stage, &supervisor, &orphan);
}

#[test]
fn who_asks_whether_a_server_is_well_does_not_start_it() {
    for ask in [
        "sh -c 'sleep 0.05' probe http://127.0.0.1:NUMBER/health",
        "sh -c 'sleep 0.05' probe 127.0.0.1 NUMBER",
        "python3 -c 'import time; time.sleep(0.05)  # 127.0.0.1:NUMBER'",
        "python3 health.py http://127.0.0.1:NUMBER/health",
        "python3 health.py 127.0.0.1 NUMBER",
        "env PORT=NUMBER python3 health.py",
    ] {
        is_no_rival(KEEPER, ask);
    }
}

#[test]
fn who_ends_for_another_reason_than_the_port_is_no_rival() {
    is_no_rival(CHOSEN, "env CRASH=1 PORT=1 python3 server.py env");
    is_no_rival(
        "REUSE=1 python3 server.py 0; :",
        "env REUSE=1 CRASH=late python3 server.py NUMBER",
    );
    let elsewhere = "unshare --user --map-root-user --net";
    if Command::new("sh")
        .args(["-c", &format!("{elsewhere} true")])
        .status()
        .is_ok_and(|status| status.success())
    {
        is_no_rival(
            KEEPER,
            &format!("env CRASH=1 {elsewhere} python3 server.py 0"),
        );
    } else {
        support::skip_optional("no network namespace may be made here");
    }
    // Whether a process ended with success can be seen from there on (PIDFD_INFO_EXIT).
    if kernel() >= (6, 15) {
        is_no_rival(KEEPER, "env CRASH=0 python3 server.py 0");
    }
}

fn lines(file: &Path) -> usize {
    std::fs::read(file).map_or(0, |text| text.len())
}

#[test]
fn another_directorys_program_of_the_same_command_is_not_a_start_of_it() {
    let again = "mkdir -p ../project; echo 'raise SystemExit(1)' >../project/server.py; \
        (cd ../project; exec python3 server.py 0)";
    is_no_rival(KEEPER, again);
}

fn kernel() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().unwrap().parse().unwrap();
    (next(), next())
}
