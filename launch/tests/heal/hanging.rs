//! Beside a file system that does not answer any more.

use super::stage::{Run, bare, directory, needs_root};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{Ending, Halting};

/// How long a command may wait, beyond the time it works.
const TIMEOUT: Duration = Duration::from_secs(5);

/// It works on the file system, and has its program, a database and two of three watches there.
const HOLDER: &str = r#"
import ctypes, os, sys
libc = ctypes.CDLL(None)
instance = libc.inotify_init1(0)
for path in [".", "inner", os.environ["GOOD"]]:
    assert libc.inotify_add_watch(instance, path.encode(), 0x3ee) > 0
held = [open(name, "w+b") for name in ["state.db", "state.db-wal", "state.db-shm"]]
print("READY", flush=True)
sys.stdin.read()
"#;

fn ended((child, begun): (Child, Instant), what: &[&str]) -> Run {
    let place = format!("watchfix heal {what:?}");
    Run::of(Ending::of(child, begun).in_time(&place, TIMEOUT))
}

#[test]
fn a_dead_file_system_holds_up_nothing_and_the_watches_there_are_named() {
    holds_up_nothing(false);
}

#[test]
fn in_the_mount_namespace_of_a_dead_file_system_nothing_is_held_up_either() {
    holds_up_nothing(true);
}

fn holds_up_nothing(inside: bool) {
    let (_dir, path) = directory();
    if !needs_root() {
        return;
    }
    if !Path::new("/usr/bin/python3").exists() {
        return support::skip("it needs python3");
    }
    let (good, dead) = (path.join("good"), path.join("dead"));
    std::fs::create_dir(&good).unwrap();
    std::fs::create_dir(&dead).unwrap();
    std::fs::write(good.join("holder.py"), HOLDER).unwrap();
    symlink(&dead, good.join("link")).unwrap();
    let mut command = Command::new("sh");
    let script = "cd \"$0\" && mkdir inner && cp \"$GOOD/holder.py\" . && \
                  exec /usr/bin/python3 holder.py \"$GOOD/link/inner\"";
    command.args(["-c", script]).arg(&dead);
    command.env("GOOD", &good);
    let Some(mut halting) = Halting::ready(&dead, &command) else {
        return;
    };
    halting.halt();
    let pid = halting.victim.pid().to_string();
    let start = |args: &[&str]| {
        let watchfix = Path::new(env!("CARGO_BIN_EXE_watchfix"));
        let mut command = bare(match inside {
            true => halting.beside(watchfix),
            false => Command::new(watchfix),
        });
        command.arg("heal").args(args).arg(&pid).current_dir("/");
        command
            .env("HOME", good.join("link"))
            .env("PATH", format!("/usr/bin:/bin:{}", dead.display()));
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let begun = Instant::now();
        (command.spawn().unwrap(), begun)
    };
    let (drop_good, drop_dead) = (good.to_str().unwrap(), dead.to_str().unwrap());
    let log = dead.join("log");
    for (args, does) in [
        (&["--dry-run"][..], "would heal 1 of 3 watches"),
        (&["--dry-run", "--json", "--user", "root"], "\"dry-run\""),
        (&[], "healed 1 of 3 watches"),
        (&["--undo"], "restored"),
        (&["--drop", drop_good], "healed 1 of 3 watches"),
        (&["--undo"], "restored"),
        (
            &["--drop", drop_dead, "--settle", drop_dead],
            "healed 1 of 3 watches",
        ),
        (&["--undo"], "restored"),
        (
            &["--strip", "open", "--ignore", "none", "--max-watches", "9"],
            "healed 1 of 3 watches",
        ),
        (&["--undo"], "restored"),
    ] {
        let run = ended(start(args), args);
        assert!(run.out.contains(does), "{args:?}: {} {}", run.out, run.err);
        if args != ["--undo"] {
            assert!(run.out.contains("on a network"), "{}", run.out);
        }
    }
    let (following, _) = start(&["--follow"]);
    support::wait_until("its watch is not healed", || {
        let masks = support::watches(halting.victim.pid());
        masks.iter().any(|watch| watch.mask & 0x20 == 0)
    });
    // SAFETY: kill has no memory effects; the child is not reaped yet.
    unsafe { libc::kill(following.id() as i32, libc::SIGINT) };
    let run = ended((following, Instant::now()), &["--follow"]);
    assert!(run.out.contains("2 watches: on a network"), "{}", run.out);
    let run = ended(start(&["--undo"]), &["--undo"]);
    assert!(run.out.contains("restored"), "{}", run.out);
    // In the mount namespace in which it is there.
    if inside {
        let args = ["--log", log.to_str().unwrap()];
        let run = ended(start(&args), &args);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{}", run.err);
        assert!(run.err.contains("cannot be opened"), "{}", run.err);
    }
}

#[test]
fn watches_on_a_server_that_answers_are_healed_and_restored() {
    let (_dir, path) = directory();
    if !needs_root() {
        return;
    }
    if !Path::new("/usr/bin/python3").exists() {
        return support::skip("it needs python3");
    }
    let served = path.join("served");
    std::fs::create_dir(&served).unwrap();
    let mut command = Command::new("sh");
    let script = "cd \"$0\" && mkdir inner && exec /usr/bin/python3 -c \"$1\"";
    command.args(["-c", script]).arg(&served).arg(HOLDER);
    command.env("GOOD", &path);
    let Some(mut halting) = Halting::ready(&served, &command) else {
        return;
    };
    let pid = halting.victim.pid();
    let heal = |args: &[&str]| {
        let mut command = bare(Command::new(env!("CARGO_BIN_EXE_watchfix")));
        command.arg("heal").args(args).arg(pid.to_string());
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let begun = Instant::now();
        ended((command.spawn().unwrap(), begun), args)
    };
    let masks = || {
        let mut masks: Vec<_> = support::watches(pid).iter().map(|w| w.mask).collect();
        masks.sort();
        masks
    };
    // The directory without a database is not settled.
    let run = heal(&["--settle", "none"]);
    assert!(run.out.starts_with("healed 3 of 3 watches"), "{}", run.out);
    assert_eq!(masks(), [0x3ce; 3]);
    let run = heal(&["--undo"]);
    assert!(run.out.starts_with("restored 3 of 3"), "{}", run.out);
    assert_eq!(masks(), [0x3ee; 3]);
    halting.halt();
    let run = heal(&["--settle", "none"]);
    assert!(run.out.starts_with("healed 1 of 3 watches"), "{}", run.out);
    assert!(run.out.contains("did not answer in time"), "{}", run.out);
}
