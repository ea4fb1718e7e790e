//! Beside a file system that does not answer any more: nothing waits for it, and what is left out is said.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use clap::CommandFactory;
use support::{Ending, Halting};

use crate::common::{Fixture, Stage, fdscan_binary, is_root};

/// What a command may wait beside what it takes: the file system is asked for two seconds, once, and `report` measures
/// for three.
const TIMEOUT: Duration = Duration::from_secs(8);

/// So many commands run at the same time: they do little but wait.
const AT_ONCE: usize = 8;

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
        let mut halting = Halting::ready(&dead, &command)?;
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

    /// fdscan, in this mount namespace or in that of the process.
    fn command(&self, inside: bool, args: &[&str]) -> Command {
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
        command
    }

    /// Starts it.
    fn start(&self, inside: bool, args: &[&str]) -> Started {
        let begun = Instant::now();
        let child = self.command(inside, args).spawn().unwrap();
        Started {
            place: format!("fdscan {args:?} (in the process's mount namespace: {inside})"),
            ending: Ending::of(child, begun),
        }
    }

    fn start_all(&self, inside: bool, some: &[Vec<&str>]) -> Vec<Started> {
        some.iter().map(|args| self.start(inside, args)).collect()
    }

    /// What fdscan says.
    fn fdscan(&self, inside: bool, args: &[&str]) -> Output {
        self.start(inside, args).says()
    }

    /// What it says that cannot do what it is asked for.
    fn fdscan_that_fails(&self, args: &[&str]) -> Output {
        let output = self.start(true, args).output();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        output
    }
}

/// fdscan, which runs.
struct Started {
    place: String,
    ending: Ending,
}

impl Started {
    /// What it says, in time.
    fn output(self) -> Output {
        self.ending.in_time(&self.place, TIMEOUT)
    }

    /// What it says that can do what it is asked for.
    fn says(self) -> Output {
        let place = self.place.clone();
        let output = self.output();
        let well = output.status.code();
        let well = well.is_some_and(|code| code < 5 && code != 2);
        assert!(well, "{place}: {}: {}", output.status, text(&output));
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

/// Of a process; each says that something is left out.
fn telling(pid: &str) -> Vec<Vec<&str>> {
    vec![
        vec![pid, "--tables"],
        vec![pid, "--all"],
        vec![pid, "--json"],
        vec![pid, "--wake", "--user", "root", "--all"],
        vec![pid, "--redact", "--tables"],
        vec![pid, "--path-timeout", "0", "--tables"],
        vec!["--pid", pid, "--for", "0.5", "--tables"],
        vec!["report", pid],
        vec!["report", "--pid", pid, "--user", "root", "--format", "html"],
        vec!["report", pid, "--for", "0.5", "--path-timeout", "1"],
        vec!["events", pid, "--for", "0.5", "--tables"],
        vec!["events", "--pid", pid, "--for", "0.5", "--json"],
        vec![
            "events", pid, "--user", "root", "--for", "0.5", "--wake", "--tables",
        ],
    ]
}

/// Here nothing of it is shown, or only counted.
fn silent(pid: &str) -> Vec<Vec<&str>> {
    vec![
        vec![pid],
        vec![pid, "--no-paths", "--color", "always", "--fail-on", "never"],
        vec!["events", pid, "--for", "0.5", "--color", "always"],
        vec!["watch", pid, "--for", "0.5", "--interval", "0.2"],
        vec![
            "watch", "--pid", pid, "--user", "root", "--for", "0.5", "--json",
        ],
        vec![
            "watch",
            pid,
            "--until",
            "fds>1",
            "--samples",
            "1",
            "--color",
            "always",
        ],
        vec![
            "watch",
            pid,
            "--until",
            "fds>1",
            "--samples",
            "1",
            "--exec",
            "true",
        ],
        vec!["check", pid],
        vec![
            "check",
            "--pid",
            pid,
            "--max-watches",
            "1",
            "--json",
            "--user",
            "root",
        ],
        vec![
            "check",
            pid,
            "--deny-event",
            "open",
            "--max-fds",
            "9",
            "--max-wal",
            "1K",
        ],
        vec![
            "check",
            pid,
            "--max-connections",
            "1",
            "--fail-on",
            "never",
            "--color",
            "always",
        ],
        vec!["check", "--", "true"],
        vec!["check", "true"],
        vec![
            "top",
            "--limit",
            "5",
            "--color",
            "always",
            "--fail-on",
            "never",
        ],
        vec!["top", "--json"],
        vec!["top", "--name", "python3"],
        vec!["top", "--user", "root"],
        vec!["top", "--sort", "unit"],
        // All processes are looked through for who is meant.
        vec!["no-such-process-here"],
        vec![":1"],
        vec!["events", "no-such-process-here"],
        vec!["check", "-p", ":1"],
        vec!["claims", ":1"],
        vec!["export"],
        vec![
            "export",
            "--pid",
            pid,
            "--user",
            "root",
            "--max-processes",
            "1",
        ],
        vec!["export", "--name", "python3"],
        vec!["export", "--all"],
    ]
}

/// What lies on the file system is named: one path or several.
fn naming<'a>(pid: &'a str, socket: &'a str, database: &'a str) -> Vec<Vec<&'a str>> {
    vec![
        vec![
            "claims",
            pid,
            socket,
            database,
            "--json",
            "--fail-on",
            "never",
        ],
        vec!["claims", pid, "--redact"],
        vec![
            "reach",
            pid,
            database,
            "--json",
            "--fail-on",
            "info",
            "--color",
            "always",
        ],
        vec!["claims", pid, "--ttl", "1", "--color", "always"],
        vec!["wal", database, "--for", "0.5", "--color", "always"],
        vec![
            "wal",
            database,
            pid,
            socket,
            "--json",
            "--fail-on",
            "never",
            "--tables",
        ],
    ]
}

#[test]
fn no_look_at_a_process_waits_for_a_dead_file_system() {
    let Some(scene) = Scene::new() else { return };
    let [pid, beside] = scene.pids.each_ref().map(String::as_str);
    let mut telling = telling(pid);
    telling.push(vec![pid, beside, "--tables"]);
    let mut silent = silent(pid);
    silent.push(vec![beside]);
    for inside in [true, false] {
        for some in telling.chunks(AT_ONCE) {
            for started in scene.start_all(inside, some) {
                says(&started.says(), LEFT_OUT);
            }
        }
        for some in silent.chunks(AT_ONCE) {
            for started in scene.start_all(inside, some) {
                started.says();
            }
        }
    }
}

#[test]
fn what_is_named_on_a_dead_file_system_is_tried_for_a_moment() {
    let Some(scene) = Scene::new() else { return };
    let path = |dir: &Path, name: &str| dir.join(name).to_str().unwrap().to_owned();
    let named = [
        ("claims", path(&scene.dead, "held.pid")),
        ("claims", path(&scene.dead, "held.sock")),
        ("claims", path(&scene.dead, "")),
        ("claims", path(&scene.good, "other.pid")),
        ("claims", path(&scene.good, "home/held.pid")),
        ("wal", path(&scene.dead, "state.db")),
        ("wal", path(&scene.good, "link.db")),
        ("wal", path(&scene.good, "home/state.db")),
    ];
    let named: Vec<_> = named.iter().map(|(what, path)| vec![*what, path]).collect();
    for started in scene.start_all(true, &named) {
        let output = started.says();
        says(&output, LEFT_OUT);
        says(&output, "did not answer");
    }
    let [pid, socket, database] =
        ["held.pid", "held.sock", "state.db"].map(|name| path(&scene.dead, name));
    for started in scene.start_all(true, &naming(&pid, &socket, &database)) {
        says(&started.says(), "did not answer");
    }
    // A script leads there, or its interpreter may lie there, as PATH says.
    let script = scene.good.join("script");
    std::fs::write(&script, format!("#!{}\n", path(&scene.dead, "sh"))).unwrap();
    let script = script.to_str().unwrap();
    says(&scene.fdscan(true, &["reach", script]), "did not answer");
    std::fs::write(script, "#!/usr/bin/env nosuchprogram\n").unwrap();
    says(&scene.fdscan(true, &["reach", script]), "/usr/bin/env");
    // Of a directory that answers, all but the link that leads there is judged.
    let output = scene.fdscan(true, &["claims", scene.good.to_str().unwrap()]);
    says(&output, LEFT_OUT);
    says(&output, &format!("Process {} runs", scene.pids[0]));
    says(&output, "Somebody listens on it");
    // Nothing is written there either.
    let output = scene.fdscan_that_fails(&["export", "--output", &path(&scene.dead, "new.prom")]);
    says(&output, "did not answer");
    let pid = &*scene.pids[1];
    let file = path(&scene.dead, "new.json");
    let output = scene.fdscan_that_fails(&["check", pid, "--json-file", &file]);
    says(&output, "did not answer");
    let output = scene.fdscan_that_fails(&["man", &path(&scene.dead, "man")]);
    says(&output, "did not answer");
}

#[test]
fn who_scrapes_is_answered_beside_a_dead_file_system() {
    let Some(scene) = Scene::new() else { return };
    let args = [
        "export",
        &scene.pids[0],
        "--listen",
        "0",
        "--allow-host",
        "x",
    ];
    let mut server = scene.command(true, &args).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stderr.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.split("http://").nth(1).unwrap().trim_end();
    let mut stream = TcpStream::connect(address.strip_suffix("/metrics").unwrap()).unwrap();
    stream.set_read_timeout(Some(support::DEADLINE)).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("# EOF\n"), "{answer}");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn every_command_and_flag_is_tried_beside_a_dead_file_system() {
    let program = inspect::cli::Cli::command();
    let commands: Vec<_> = program.get_subcommands().collect();
    let named = |word: &str| commands.iter().find(|command| command.get_name() == word);
    // These do nothing else, or are tried in a test of their own.
    let mut tried: BTreeSet<(String, String)> = [
        ("export", "listen"),
        ("export", "allow-host"),
        ("export", "output"),
        ("check", "json-file"),
    ]
    .map(|(command, flag)| (command.to_owned(), flag.to_owned()))
    .into();
    let pid = "1";
    for args in [telling(pid), silent(pid), naming(pid, pid, pid)].concat() {
        let command = named(args[0]).map_or("", |command| command.get_name());
        // Behind `--` they are another program's.
        let own = args.iter().take_while(|arg| **arg != "--");
        let flags = own.filter_map(|arg| arg.strip_prefix("--"));
        tried.extend(flags.map(|flag| (command.to_owned(), flag.to_owned())));
    }
    let mut missing = Vec::new();
    for command in commands.iter().copied().chain([&program]) {
        let name = match command.get_name() {
            "completions" | "man" | "help" => continue,
            name if name == program.get_name() => "",
            name => name,
        };
        for flag in command.get_arguments().filter_map(|arg| arg.get_long()) {
            let is_tried = tried.contains(&(name.to_owned(), flag.to_owned()));
            if !is_tried && !["help", "version"].contains(&flag) {
                missing.push(format!("{name} --{flag}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}
