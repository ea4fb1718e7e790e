//! `fdscan events`: what is done to the watched files is counted as it was done, and who did it is named.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::{
    Fixture, Scan, Stage, fdscan, installed, is_root, proc_number, quiet, violations, waits,
};
use support::Victim;

/// Starts `fdscan events` on a fixture and waits until it listens to `inodes` of them.
fn listen(command: &mut Command, fixture: &Fixture, inodes: usize, args: &[&str]) -> Victim {
    let pid = fixture.pid().to_string();
    command.args(["events", &pid, "--for", "600"]).args(args);
    let listener = Victim::spawn(command);
    let placed = || support::watches(listener.pid()).len() == inodes;
    support::wait_until("it does not listen", || placed() && waits(listener.pid()));
    listener
}

/// Interrupts it once it has heard everything, and returns its document.
fn heard(listener: Victim) -> Value {
    support::wait_until_drained(listener.pid());
    interrupted(listener)
}

/// Interrupts it, and returns its document.
fn interrupted(listener: Victim) -> Value {
    listener.signal(libc::SIGINT);
    let (status, lines) = listener.finish();
    assert_eq!(status.code(), Some(0), "{lines:?}");
    let doc: Value = serde_json::from_str(&lines.join("\n")).unwrap();
    assert_eq!(violations(&doc), Vec::<String>::new());
    doc
}

/// Reads two files in turn: two opens of one file in a row are one event.
fn read_in_turn(dir: &Path, times: usize) {
    for name in ["a", "b"].iter().cycle().take(times) {
        fs::read(dir.join(name)).unwrap();
    }
}

fn message(doc: &Value) -> &str {
    doc["conclusion"]["message"].as_str().unwrap()
}

#[test]
fn reads_are_counted_one_by_one_and_root_learns_who_reads() {
    let _quiet = quiet();
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "3", "--mask", "0x3ee"]);
    let first = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    for name in ["a", "b"] {
        support::overwrite(&first.join(name), "");
    }
    let listener = listen(&mut fdscan(), &fixture, 3, &["--json"]);
    read_in_turn(&first, 200);
    let doc = heard(listener);
    assert_eq!((&doc["watched"], &doc["listened"]), (&3.into(), &3.into()));
    assert_eq!(doc["total"], 200, "{doc:#}");
    assert_eq!(doc["events"][0]["event"], "open");
    assert_eq!(doc["directories"][0]["count"], 200);
    assert_eq!(doc["files"].as_array().unwrap().len(), 2);
    assert_eq!(doc["files"][0]["count"], 100);
    assert!(
        message(&doc).starts_with("200 of 200 events are reads"),
        "{}",
        message(&doc)
    );
    assert!(
        message(&doc).ends_with(": strip open."),
        "{}",
        message(&doc)
    );
    assert_eq!(
        doc["conclusion"]["remedy_live"],
        format!("{} heal {}", installed()[0].display(), fixture.pid())
    );
    if !is_root() {
        support::skip("only root is told by fanotify who causes an event");
        return;
    }
    let own = std::process::id();
    assert_eq!(doc["causes"][0]["pids"][0], own, "{doc:#}");
    assert_eq!(doc["causes"][0]["relation"], "other");
    assert!(
        message(&doc).contains(&format!("by PID {own} (")),
        "{}",
        message(&doc)
    );
}

#[test]
fn a_program_that_writes_what_it_watches_is_told_so() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-busy", "--watch", "0xfce"]);
    let doc = heard_of_writes(&mut fdscan(), &fixture, &dir);
    assert!(
        message(&doc).contains("name state0.db"),
        "{}",
        message(&doc)
    );
    if is_root() {
        assert_eq!(doc["causes"][0]["relation"], "itself");
        assert!(
            message(&doc).contains("written by itself"),
            "{}",
            message(&doc)
        );
    } else {
        assert!(
            message(&doc).contains("open for writing itself"),
            "{}",
            message(&doc)
        );
    }
    assert_eq!(
        doc["conclusion"]["remedy_live"],
        format!("{} heal {}", installed()[0].display(), fixture.pid())
    );
}

/// Listens while the fixture writes its database a good many times.
fn heard_of_writes(command: &mut Command, fixture: &Fixture, dir: &Path) -> Value {
    let listener = listen(command, fixture, 1, &["--json"]);
    let mut seen = std::collections::HashSet::new();
    support::wait_until("nothing is written", || {
        let log = fs::metadata(dir.join("state0.db-wal")).unwrap();
        seen.insert((log.mtime_nsec(), log.len()));
        seen.len() >= 30
    });
    // It goes on being written: there is no end to wait for.
    let doc = interrupted(listener);
    assert!(doc["total"].as_u64().unwrap() > 10, "{doc:#}");
    doc
}

fn fdscan_for(fixture: &Fixture, stage: &Stage, seconds: &str) -> Value {
    let pid = fixture.pid().to_string();
    let scan = stage.scan_as_user(&["events", &pid, "--for", seconds, "--json"]);
    assert_eq!(scan.code(), 0, "{}", scan.stderr);
    scan.json()
}

#[test]
fn without_root_everything_but_the_cause_is_known_and_that_is_said() {
    let stage = Stage::unprivileged(60_242);
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-busy", "--watch", "0xfce"]);
    let doc = heard_of_writes(&mut stage.scan_command(), &fixture, &dir);
    assert_eq!(doc["causes"], Value::Null);
    let gaps = doc["incomplete"].to_string();
    assert!(gaps.contains("fanotify(7) needs root"), "{gaps}");
    let hints = doc["hints"].as_array().unwrap();
    assert!(
        hints
            .iter()
            .any(|hint| hint["pid"] == fixture.pid() && hint["writes"] == true),
        "{doc:#}"
    );
    let says = "which it holds open for writing itself";
    assert!(message(&doc).contains(says), "{}", message(&doc));
}

#[test]
fn listening_is_not_noticed_by_the_process() {
    let _quiet = quiet();
    for stage in [Stage::new(), Stage::unprivileged(60_243)] {
        let dir = stage.make("tree");
        let mut fixture = stage.mkfds_in(&dir, &["watches", "--count", "20", "--mask", "0xfff"]);
        let doc = fdscan_for(&fixture, &stage, "0.1");
        assert_eq!(
            (&doc["listened"], &doc["total"]),
            (&20.into(), &0.into()),
            "{doc:#}"
        );
        assert_eq!(message(&doc), "Nothing woke it in 0.1 s.");
        fixture.victim.send("");
        assert_eq!(fixture.victim.line_with("queued="), "queued=0");
    }
}

#[test]
fn a_queue_that_ran_over_is_said_to_have_lost_events() {
    let _quiet = quiet();
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "1", "--mask", "0x20"]);
    let first = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    for name in ["a", "b"] {
        support::overwrite(&first.join(name), "");
    }
    let listener = listen(&mut fdscan(), &fixture, 1, &["--json"]);
    listener.signal(libc::SIGSTOP);
    let most = proc_number("/proc/sys/fs/inotify/max_queued_events");
    read_in_turn(&first, usize::try_from(most).unwrap() + 10);
    listener.signal(libc::SIGCONT);
    let doc = heard(listener);
    assert!(doc["overflows"].as_u64().unwrap() > 0, "{doc:#}");
    assert!(message(&doc).contains("lower bounds"), "{}", message(&doc));
}

#[test]
fn at_the_limit_of_watches_it_says_how_many_it_listens_to() {
    if !is_root() {
        support::skip("only root can be a user whose limits nobody else uses");
        return;
    }
    let stage = Stage::as_user(60_244);
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "5", "--mask", "0x3ca"]);
    let total = proc_number("/proc/sys/fs/inotify/max_user_watches") - 5 - 2;
    let crowd = stage.make("crowd");
    let total = total.to_string();
    let args = [
        "instances",
        "--count",
        "100",
        "--watches",
        "4000",
        "--total",
        &total,
    ];
    let _crowd = stage.mkfds_in(&crowd, &args);
    let doc = fdscan_for(&fixture, &stage, "0.1");
    assert_eq!(
        (&doc["watched"], &doc["listened"]),
        (&5.into(), &2.into()),
        "{doc:#}"
    );
    let gaps = doc["incomplete"].to_string();
    assert!(gaps.contains("fs.inotify.max_user_watches"), "{gaps}");
    assert!(
        message(&doc).contains("on the 2 of 5 watched inodes"),
        "{}",
        message(&doc)
    );
}

#[test]
fn it_ends_with_the_process_it_listens_to() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let mut fixture = stage.mkfds_in(&dir, &["watches", "--count", "1", "--mask", "0x3ca"]);
    let listener = listen(&mut fdscan(), &fixture, 1, &[]);
    fixture.victim.close_stdin();
    let (status, lines) = listener.finish();
    assert_eq!(status.code(), Some(0));
    assert!(lines.join("\n").contains("the process ended"), "{lines:?}");
}

#[test]
fn the_text_begins_with_the_conclusion_and_every_interruption_ends_it() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "1", "--mask", "0x3ca"]);
    let first = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let listener = listen(&mut fdscan(), &fixture, 1, &[]);
        fs::write(first.join("new.txt"), "x").unwrap();
        support::wait_until_drained(listener.pid());
        listener.signal(signal);
        let (status, lines) = listener.finish();
        assert_eq!(status.code(), Some(0));
        assert!(lines[0].contains("listened for"), "{lines:?}");
        assert!(lines[2].contains("100 % of"), "{lines:?}");
        assert!(lines.join("\n").contains("it was interrupted"), "{lines:?}");
        fs::remove_file(first.join("new.txt")).unwrap();
    }
}

#[test]
fn what_cannot_be_listened_to_has_its_exit_status() {
    let run = |pid: &str| Scan::run(fdscan().args(["events", pid, "--for", "0"]));
    assert_eq!(run("4194303").code(), 3);
    assert_eq!(run("no-such-process-here").code(), 3);
    assert_eq!(run("0").code(), 2);
    let stage = Stage::new();
    let idle = stage.mkfds(&["idle"]);
    let scan = run(&idle.pid().to_string());
    assert_eq!(scan.code(), 0);
    assert!(
        scan.text().contains("It watches nothing"),
        "{}",
        scan.text()
    );
    if is_root() {
        let stage = Stage::as_user(60_245);
        let scan = stage.scan_as_user(&["events", &std::process::id().to_string()]);
        assert_eq!(scan.code(), 4, "{}", scan.stderr);
    }
}

/// A program that starts its application again whenever something changes beside it, as servers that reload do:
/// the application opens its database there, and the program writes a log. It says `reload` each time.
const RELOADS: &str = r#"
import ctypes, os, select, struct, subprocess, sys, time
libc = ctypes.CDLL(None)
fd = libc.inotify_init1(os.O_NONBLOCK)
libc.inotify_add_watch(fd, b".", 0x3c6)
log = open("server.out", "a")
application = """import sqlite3, sys
db = sqlite3.connect('data.db', isolation_level=None); db.execute('pragma journal_mode=wal')
db.execute('create table if not exists s(t)'); db.execute('insert into s values(1)')
print('up', flush=True); sys.stdin.read()"""
def start():
    child = subprocess.Popen([sys.executable, "-c", application], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    return child
def changed(wait):
    if not select.select([fd, 0], [], [], wait)[0]: return False
    if select.select([0], [], [], 0)[0]: child.kill(); sys.exit()
    try: text = os.read(fd, 65536)
    except BlockingIOError: return False
    # A record without a watch is none: what the library removed may leave one.
    while text:
        wd, _, _, length = struct.unpack("iIII", text[:16]); text = text[16 + length:]
        if wd > 0: return True
    return False
child = start()
print("READY", flush=True)
while True:
    if not changed(600): continue
    while changed(0.1): pass
    child.stdin.close(); child.wait(); child = start()
    print("reload", flush=True)
    for _ in range(9): log.write("reloaded\n"); log.flush()
"#;

/// Makes a file in `dir` by one event, from outside: a reload that begins in the middle of a write is followed by
/// another.
fn put(dir: &Path, name: &str) {
    let outside = dir.parent().unwrap().join("edited");
    fs::write(&outside, "").unwrap();
    fs::rename(outside, dir.join(name)).unwrap();
}

#[test]
fn what_is_printed_for_a_reload_loop_leaves_one_reload_for_one_edit() {
    let stage = Stage::new();
    let dir = stage.make("app");
    fs::write(stage.make("bin").join("reloads.py"), RELOADS).unwrap();
    let mut python = Command::new("/usr/bin/python3");
    python.arg("../bin/reloads.py").current_dir(&dir);
    let mut fixture = Fixture::start(&mut python);
    // The end of the first start is the first change.
    put(&dir, "main.py");
    fixture.victim.line_with("reload");
    let listener = listen(&mut fdscan(), &fixture, 1, &["--json"]);
    for _ in 0..3 {
        fixture.victim.line_with("reload");
    }
    let doc = interrupted(listener);
    let remedy = doc["conclusion"]["remedy"].as_str().unwrap().to_owned();
    assert!(
        remedy.contains("WATCHFIX_IGNORE=+data.db:server.out "),
        "{remedy}"
    );
    drop(fixture);
    // As it is pasted, wherever the shell is; only that it takes the shell's place.
    let mut shell = Command::new("sh");
    shell.args(["-c", &remedy.replacen(" && ", " && exec env ", 1)]);
    shell.current_dir("/");
    let mut fixture = Fixture::start(&mut shell);
    put(&dir, "main.py");
    fixture.victim.line_with("reload");
    // Whatever that start was to cause, an edit after it comes later.
    let doc = stage
        .scan(&["events", &fixture.pid().to_string(), "--for", "1", "--json"])
        .json();
    assert_eq!(doc["conclusion"]["remedy"], Value::Null, "{doc:#}");
    put(&dir, "main.py");
    fixture.victim.line_with("reload");
    let (_, lines) = fixture.victim.finish();
    let reloads = lines.iter().filter(|line| *line == "reload").count();
    assert_eq!(reloads, 2, "{lines:?}");
}

/// Watches where it writes three logs in turn, until standard input ends.
const LOGS: &str = r#"
import ctypes, os, select
libc = ctypes.CDLL(None)
fd = libc.inotify_init1(os.O_NONBLOCK)
libc.inotify_add_watch(fd, b".", 0x3c6)
logs = [open(name, "a") for name in ("a.log", "b.log", "c.log")]
print("READY", flush=True)
while not select.select([0], [], [], 0.01)[0]:
    for log in logs: log.write("written\n"); log.flush()
    os.read(fd, 65536)
"#;

#[test]
fn files_that_wake_it_together_are_all_named_though_none_of_them_is_half_of_it() {
    let stage = Stage::new();
    let dir = stage.make("app");
    let mut python = Command::new("/usr/bin/python3");
    let fixture = Fixture::start(python.args(["-c", LOGS]).current_dir(&dir));
    let listener = listen(&mut fdscan(), &fixture, 1, &["--json"]);
    let bytes = || fs::metadata(dir.join("c.log")).unwrap().len();
    let before = bytes();
    // "written" ten times more, in each of them.
    support::wait_until("nothing is written", || bytes() >= before + 80);
    let doc = interrupted(listener);
    let remedy = doc["conclusion"]["remedy"].as_str().unwrap_or_default();
    assert!(
        remedy.contains("WATCHFIX_IGNORE=+a.log:b.log:c.log "),
        "{doc:#}"
    );
}

/// Acts on every read, whatever it says: it writes to a log where it watches, which the rules hide from it. It ends
/// with its directory, also where what is killed at the end of a test is a launcher, which a program outlives.
const ACTS_ON_EVERY_READ: &str = "import ctypes, os, sys, time\n\
    libc = ctypes.CDLL(None)\n\
    instance = libc.inotify_init1(0)\n\
    libc.inotify_add_watch(instance, sys.argv[1].encode(), 0x3ca)\n\
    log = open(sys.argv[1] + '/app.log', 'a')\n\
    print(f'pid={os.getpid()}', 'READY', sep='\\n', flush=True)\n\
    while os.path.isdir(sys.argv[1]):\n\
    \x20   print('x', file=log, flush=True)\n\
    \x20   os.read(instance, 4096)\n\
    \x20   time.sleep(0.002)\n";

#[test]
fn who_acts_on_every_read_loops_under_the_library_and_is_told_what_ends_it() {
    let stage = Stage::new();
    let dir = stage.make("d");
    let log = dir.join("app.log");
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", ACTS_ON_EVERY_READ]).arg(&dir);
    python.env("LD_PRELOAD", &installed()[1]);
    let fixture = Fixture::start(python.env("WATCHFIX_IGNORE", "+app.log"));
    let size = || fs::metadata(&log).unwrap().len();
    let grows_by = |bytes| {
        let before = size();
        support::wait_until("it does not loop", || size() >= before + bytes);
    };
    grows_by(40);
    let listener = listen(&mut fdscan(), &fixture, 1, &["--json"]);
    grows_by(40);
    listener.signal(libc::SIGINT);
    let (_, lines) = listener.finish();
    let doc: Value = serde_json::from_str(&lines.join("\n")).unwrap();
    let says = message(&doc);
    for part in [
        "remove them all",
        "a record with wd -1",
        "acts on every read()",
        "app.log",
    ] {
        assert!(says.contains(part), "{part} is missing: {says}");
    }
    assert!(!says.contains("nothing woke it"), "{says}");
    let pid = fixture.pid();
    let command = doc["conclusion"]["remedy_live"].as_str().unwrap();
    let wanted = format!("heal --ignore +app.log --settle +{} {pid}", dir.display());
    assert!(command.ends_with(&wanted), "{command}");
    // By run, which reaches a watch that is placed past the library too.
    let start = doc["conclusion"]["remedy"].as_str().unwrap();
    let settled = format!("run --settle +{} -- ", dir.display());
    assert!(start.contains("WATCHFIX_IGNORE=+app.log "), "{start}");
    assert!(start.contains(&settled), "{start}");
    let done = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    // Closed, and no more written: what it writes to is held open.
    let masks: Vec<_> = support::watches(pid).iter().map(|w| w.mask & 0xa).collect();
    assert_eq!(masks, [0x8]);
    // What was queued is read to its end, and then it waits for an edit.
    support::wait_until_drained(pid);
    let before = size();
    fs::write(dir.join("edited"), "x").unwrap();
    support::wait_until("it hears no edit", || size() > before);
}

/// What `fdscan PID` says of it too, and the start that is printed is one after which an edit wakes it once.
#[test]
fn the_start_that_a_scan_prints_for_who_acts_on_every_read_ends_its_loop() {
    let stage = Stage::new();
    let dir = stage.make("d");
    let log = dir.join("app.log");
    let size = || fs::metadata(&log).unwrap().len();
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", ACTS_ON_EVERY_READ]).arg(&dir);
    python.env("LD_PRELOAD", &installed()[1]);
    let looping = Fixture::start(python.env("WATCHFIX_IGNORE", "+app.log"));
    let before = size();
    support::wait_until("it does not loop", || size() >= before + 40);
    let look = stage.look(&looping);
    let finding = look.finding("watch-wakes-on-filler", "info");
    assert_eq!(finding["evidence"]["files"][0]["held"], true, "{finding}");
    let remedy = finding["remedy"].as_str().unwrap().to_owned();
    assert!(remedy.contains("run --settle "), "{remedy}");
    drop(looping);

    let before = size();
    let mut shell = Command::new("bash");
    let started = Fixture::start(shell.args(["-c", &remedy]).current_dir("/"));
    // It writes once before it reads.
    let line = "x\n".len() as u64;
    support::wait_until("it does not start", || size() == before + line);
    let pid = started.fact("pid");
    let process = stage.scan(&[pid, "--json"]).process();
    assert_eq!(process.all("watch-wakes-on-filler").len(), 0);
    assert_eq!(size(), before + line, "it loops");
    fs::write(dir.join("edited"), "x").unwrap();
    support::wait_until("it hears no edit", || size() > before + line);
}

/// A build that writes its output where it watches: whatever heal takes out of its masks, it hears that the file is closed.
#[test]
fn who_closes_its_own_output_each_time_is_not_told_to_heal() {
    const BUILDS: &str = "import ctypes, os, sys, time\n\
        libc = ctypes.CDLL(None)\n\
        instance = libc.inotify_init1(0)\n\
        libc.inotify_add_watch(instance, sys.argv[1].encode(), 0x3ee)\n\
        print('READY', flush=True)\n\
        n = 0\n\
        while os.path.isdir(sys.argv[1]):\n\
        \x20   n += 1\n\
        \x20   with open(sys.argv[1] + '/out.js', 'w') as out: out.write(str(n))\n\
        \x20   os.read(instance, 65536)\n\
        \x20   time.sleep(0.002)\n";
    let stage = Stage::new();
    let dir = stage.make("d");
    let mut python = Command::new("/usr/bin/python3");
    let fixture = Fixture::start(python.args(["-c", BUILDS]).arg(&dir));
    let built = || {
        fs::metadata(dir.join("out.js"))
            .and_then(|out| out.modified())
            .ok()
    };
    let listener = listen(&mut fdscan(), &fixture, 1, &["--json"]);
    for _ in 0..20 {
        let before = built();
        support::wait_until("it does not loop", || built() != before);
    }
    listener.signal(libc::SIGINT);
    let (_, lines) = listener.finish();
    let doc: Value = serde_json::from_str(&lines.join("\n")).unwrap();
    let says = message(&doc);
    for part in ["out.js", "It closes the file after each write"] {
        assert!(says.contains(part), "{part} is missing: {says}");
    }
    let conclusion = &doc["conclusion"];
    assert!(conclusion["remedy_live"].is_null(), "{conclusion:#}");
    let start = conclusion["remedy"].as_str().unwrap();
    assert!(start.contains("WATCHFIX_IGNORE=+out.js"), "{start}");
}
