//! Beside a file system that does not answer any more.

use super::stage::{Run, bare, directory, needs_root};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;
use support::Halting;

/// Far more than any of the commands takes, on a busy machine too. Who hangs does so for ever.
const PATIENCE: Duration = Duration::from_secs(30);

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

fn ended(child: Child, what: &[&str]) -> Run {
    let (done, result) = channel();
    std::thread::spawn(move || {
        // The test may have given up waiting.
        let _ = done.send(child.wait_with_output());
    });
    match result.recv_timeout(PATIENCE) {
        Ok(output) => Run::of(output.unwrap()),
        Err(_) => panic!("watchfix heal {what:?} hangs"),
    }
}

#[test]
fn a_dead_file_system_holds_up_nothing_and_what_lies_there_is_said() {
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
    let mut halting = match Halting::start(&dead, &command) {
        Ok(halting) => halting,
        Err(why) => return support::skip(&format!("no file system can be made here: {why}")),
    };
    halting.victim.line_with("READY");
    halting.halt();
    let pid = halting.victim.pid().to_string();
    let start = |inside: bool, args: &[&str]| {
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
        command.spawn().unwrap()
    };
    let drop_good = good.to_str().unwrap();
    for inside in [true, false] {
        for (args, does) in [
            (&["--dry-run"][..], "would heal 1 of 3 watches"),
            (&[], "healed 1 of 3 watches"),
            (&["--undo"], "restored"),
            (&["--drop", drop_good], "healed 1 of 3 watches"),
            (&["--undo"], "restored"),
        ] {
            let run = ended(start(inside, args), args);
            assert!(run.out.contains(does), "{args:?}: {} {}", run.out, run.err);
            if args != ["--undo"] {
                assert!(run.out.contains("2 watches: on a network"), "{}", run.out);
            }
        }
        let following = start(inside, &["--follow"]);
        let follower = following.id();
        support::wait_until("its watch is not healed", || {
            let masks = support::watches(halting.victim.pid());
            masks.iter().any(|watch| watch.mask & 0x20 == 0)
        });
        // SAFETY: kill has no memory effects; the child is not reaped yet.
        unsafe { libc::kill(follower as i32, libc::SIGINT) };
        let run = ended(following, &["--follow"]);
        assert!(run.out.contains("2 watches: on a network"), "{}", run.out);
        assert!(
            ended(start(inside, &["--undo"]), &["--undo"])
                .out
                .contains("restored")
        );
    }
}
