//! Beside a file system that does not answer any more: nothing waits for it, and what is left out is said.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use support::Halting;

use crate::common::{Fixture, Stage, fdscan_binary, is_root};

/// Far more than any of the commands takes, on a busy machine too. Who hangs does so for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// What somebody has on the file system: script, working directory, state directory by a link, databases, claims,
/// sockets, watches. Another process of the same program has nothing there.
const HOLDER: &str = r#"
import ctypes, os, socket, sys
libc = ctypes.CDLL(None)
instance = libc.inotify_init1(0)
good = os.environ["GOOD"]
for path in [".", "inner", good]:
    assert libc.inotify_add_watch(instance, path.encode(), 0x3ee) > 0
held = [open(name, "w+b") for name in ["state.db", "state.db-wal", "state.db-shm", "held.pid"]]
held += [open(good + "/own.pid", "w")]
held[-1].write(str(os.getpid()))
held[-1].flush()
listening = []
for place in ["held.sock", good + "/good.sock"]:
    listening.append(socket.socket(socket.AF_UNIX))
    listening[-1].bind(place)
    listening[-1].listen()
listening.append(socket.create_server(("127.0.0.1", 0)))
print("READY", flush=True)
sys.stdin.read()
"#;

const BESIDE: &str = "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); \
    print('READY', flush=True); sys.stdin.read()";

struct Scene {
    // The file system ends before whatever waits for it.
    halting: Halting,
    _beside: Fixture,
    stage: Stage,
    good: PathBuf,
    dead: PathBuf,
    pids: [String; 2],
}

impl Scene {
    /// `None` where there can be none: the test is skipped.
    fn new() -> Option<Scene> {
        let stage = Stage::new();
        let (good, dead) = (stage.make("good"), stage.make("dead"));
        if !is_root() || !Path::new("/usr/bin/python3").exists() {
            support::skip("it needs root, to mount, and python3");
            return None;
        }
        std::fs::write(good.join("holder.py"), HOLDER).unwrap();
        std::os::unix::fs::symlink(&dead, good.join("home")).unwrap();
        std::os::unix::fs::symlink(dead.join("held.pid"), good.join("other.pid")).unwrap();
        std::os::unix::fs::symlink(dead.join("state.db"), good.join("link.db")).unwrap();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "cd \"$0\" && mkdir inner && cp \"$GOOD/holder.py\" . && exec /usr/bin/python3 holder.py",
        ]);
        command.arg(&dead);
        command
            .env("GOOD", &good)
            .env("HOLDER_HOME", good.join("home"));
        let mut halting = match Halting::start(&dead, &command) {
            Ok(halting) => halting,
            Err(why) => {
                support::skip(&format!("no file system can be made here: {why}"));
                return None;
            }
        };
        halting.victim.line_with("READY");
        let mut python = Command::new("/usr/bin/python3");
        python.args(["-c", BESIDE]).current_dir(&good);
        let beside = Fixture::start(&mut python);
        halting.halt();
        let pids = [halting.victim.pid(), beside.pid()].map(|pid| pid.to_string());
        Some(Scene {
            halting,
            _beside: beside,
            stage,
            good,
            dead,
            pids,
        })
    }

    /// What fdscan says, in this mount namespace or in that of the process.
    fn fdscan(&self, inside: bool, args: &[&str]) -> Output {
        let mut command = match inside {
            true => self.halting.beside(fdscan_binary()),
            false => self.stage.scan_command(),
        };
        command.args(args).current_dir("/");
        command.env("HOME", self.good.join("home"));
        let path = format!("/usr/bin:/bin:{}", self.dead.display());
        command.env("PATH", path);
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let (done, result) = channel();
        std::thread::spawn(move || {
            // The test may have given up waiting.
            let _ = done.send(child.wait_with_output());
        });
        let Ok(output) = result.recv_timeout(PATIENCE) else {
            panic!("fdscan {args:?} hangs (in the process's mount namespace: {inside})");
        };
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output
                .status
                .code()
                .is_some_and(|code| code < 5 && code != 2),
            "{args:?}: {}: {said}",
            output.status
        );
        output
    }
}

fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr]
        .map(String::from_utf8_lossy)
        .concat()
}

/// In words, wherever they are wrapped.
fn says(output: &Output, what: &str) {
    let words = text(output)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(words.contains(what), "{what} is not in {}", text(output));
}

const LEFT_OUT: &str = "user-space";

#[test]
fn no_look_at_a_process_waits_for_a_dead_file_system() {
    let Some(scene) = Scene::new() else { return };
    let [pid, beside] = scene.pids.each_ref().map(String::as_str);
    for inside in [true, false] {
        for args in [
            &[pid, "--tables"][..],
            &[pid, beside, "--tables"],
            &[beside],
            &[pid, "--all"],
            &[pid, "--json"],
            &[pid, "--redact", "--tables"],
            &[pid, "--path-timeout", "0", "--tables"],
            &[pid, "--for", "0.5", "--tables"],
            &["report", pid],
            &["report", pid, "--format", "html"],
            &["report", pid, "--for", "0.5"],
            &["events", pid, "--for", "0.5", "--tables"],
            &["events", pid, "--for", "0.5", "--json"],
        ] {
            let output = scene.fdscan(inside, args);
            if args[0] != beside {
                says(&output, LEFT_OUT);
            }
        }
        // Here nothing of it is shown, or only counted.
        for args in [
            &[pid][..],
            &[pid, "--no-paths"],
            &["events", pid, "--for", "0.5"],
            &["watch", pid, "--for", "0.5", "--interval", "0.2"],
            &["watch", pid, "--for", "0.5", "--json"],
            &["watch", pid, "--until", "fds>1", "--samples", "1"],
            &["check", pid],
            &["check", pid, "--max-watches", "1", "--json"],
            &["check", pid, "--deny-event", "open"],
            &["check", "--", "true"],
            &["check", "true"],
            &["top", "--limit", "5"],
            &["top", "--json"],
            &["top", "--name", "python3"],
            &["top", "--user", "root"],
            &["top", "--sort", "unit"],
            // All processes are looked through for who is meant.
            &["no-such-process-here"],
            &[":1"],
            &["events", "no-such-process-here"],
            &["check", "-p", ":1"],
            &["claims", ":1"],
            &["export"],
            &["export", "--name", "python3"],
        ] {
            scene.fdscan(inside, args);
        }
    }
}

#[test]
fn what_is_named_on_a_dead_file_system_is_tried_for_a_moment() {
    let Some(scene) = Scene::new() else { return };
    let path = |dir: &Path, name: &str| dir.join(name).to_str().unwrap().to_owned();
    for (command, path) in [
        ("claims", path(&scene.dead, "held.pid")),
        ("claims", path(&scene.dead, "held.sock")),
        ("claims", path(&scene.dead, "")),
        ("claims", path(&scene.good, "other.pid")),
        ("claims", path(&scene.good, "home/held.pid")),
        ("wal", path(&scene.dead, "state.db")),
        ("wal", path(&scene.good, "link.db")),
        ("wal", path(&scene.good, "home/state.db")),
    ] {
        let output = scene.fdscan(true, &[command, &path]);
        says(&output, LEFT_OUT);
        says(&output, "did not answer");
    }
    let (pid, database) = (path(&scene.dead, "held.pid"), path(&scene.dead, "state.db"));
    for args in [
        &["claims", &pid, &database, "--json"][..],
        &["claims", &pid, "--redact"],
        &["claims", &pid, "--ttl", "1"],
        &["wal", &database, "--for", "0.5"],
        &["wal", &database, "--json"],
    ] {
        says(&scene.fdscan(true, args), "did not answer");
    }
    // Of a directory that answers, all but the link that leads there is judged.
    let output = scene.fdscan(true, &["claims", scene.good.to_str().unwrap()]);
    says(&output, LEFT_OUT);
    says(&output, &format!("Process {} runs", scene.pids[0]));
    says(&output, "Somebody listens on it");
}
