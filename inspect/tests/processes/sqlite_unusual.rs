//! SQLite as few programs use it: locks of open file descriptions, two libraries in one process, other
//! ways of locking.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::Victim;

use crate::common::{Fixture, Process, Stage, shorten};
use crate::sqlite_locks::{beside, locks};

fn only(process: &Process) -> &Value {
    let all = process.list("sqlite");
    assert_eq!(all.len(), 1, "{}", shorten(&process.0));
    &all[0]
}

/// What `fdscan wal` says about a database.
fn wal(stage: &Stage, database: &Path) -> Value {
    let run = stage.scan(&["wal", "--json", database.to_str().unwrap()]);
    assert_eq!(run.code(), 0, "{}", run.stderr);
    run.json()["databases"][0].clone()
}

fn python(script: &str, args: &[&Path]) -> Fixture {
    let script = format!("{script}; print('READY', flush=True); sys.stdin.read()");
    Fixture::start(
        Command::new("/usr/bin/python3")
            .args(["-c", &script])
            .args(args),
    )
}

#[test]
fn a_readers_lock_of_an_open_file_description_pins_like_any_other() {
    let stage = Stage::new();
    let dir = stage.make("state");
    // Its reader has ended: the mark is there, and nobody holds its lock.
    let fixture = stage.mkfds_in(&dir, &["sqlite-pinned", "--reader", "ended"]);
    let database = fixture.path("database");
    stage.look(&fixture).must_not_raise("sqlite-wal-pinned");
    // struct flock: F_RDLCK from byte 124, READ(1), by F_OFD_SETLK; then the one of all who are attached.
    let script = "import fcntl, struct, sys; held = [open(sys.argv[1] + end, 'r+b') for end in ('', '-wal', '-shm')]; \
         lock = lambda byte: fcntl.fcntl(held[2], 37, struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, byte, 1, 0)); \
         lock(124); lock(128)";
    let holder = python(script, &[&database]);
    let process = stage.look(&holder);
    let own = [("read".to_owned(), Some(1))];
    assert_eq!(locks(only(&process), holder.pid()), own);
    let finding = process.finding("sqlite-wal-pinned", "warning");
    assert_eq!(finding["evidence"]["pid"], holder.pid());
    // The process that writes has no such lock; whose it is, is found all the same.
    let process = stage.look(&fixture);
    assert_eq!(locks(only(&process), holder.pid()), own);
    let finding = process.finding("sqlite-wal-pinned", "warning");
    assert_eq!(finding["evidence"]["pid"], holder.pid());
    let seen = wal(&stage, &database);
    assert_eq!(seen["findings"][0]["evidence"]["pid"], holder.pid());
    let attached = seen["wal"]["attached"].as_array().unwrap();
    assert!(attached.contains(&holder.pid().into()), "{seen:#}");
}

#[test]
fn two_sqlite_libraries_in_one_process_are_counted_by_the_shm() {
    let stage = Stage::new();
    let database = stage.make("state").join("state.db");
    // Python's own, and a copy of it: another library to the dynamic loader.
    let script = "import ctypes, glob, shutil, sqlite3, sys; path = sys.argv[1]; \
         one = sqlite3.connect(path); one.execute('PRAGMA journal_mode = wal'); \
         one.execute('CREATE TABLE t (x)'); one.commit(); one.execute('SELECT * FROM t').fetchall(); \
         maps = open('/proc/self/maps').read().split(); \
         shutil.copy(next(m for m in maps if 'libsqlite3.so' in m), path + '.so'); \
         two = ctypes.CDLL(path + '.so'); db = ctypes.c_void_p(); \
         assert two.sqlite3_open(path.encode(), ctypes.byref(db)) == 0; \
         assert two.sqlite3_exec(db, b'SELECT * FROM t', None, None, None) == 0";
    let fixture = python(script, &[&database]);
    let process = stage.look(&fixture);
    let group = only(&process);
    assert_eq!(
        (
            &group["connections"],
            &group["shm_handles"],
            &group["libraries"]
        ),
        (&2.into(), &2.into(), &2.into())
    );
    assert_eq!(wal(&stage, &database)["libraries"], 2);
}

/// Debian's sqlite3 in an exclusive transaction on a database it locks by `vfs`.
fn exclusive(stage: &Stage, vfs: &str) -> (Victim, PathBuf) {
    let database = stage.make("state").join("state.db");
    let mut command = Command::new("/usr/bin/sqlite3");
    let mut victim = Victim::spawn(command.args(["-vfs", vfs]).arg(&database));
    victim.send("CREATE TABLE t (x); BEGIN EXCLUSIVE; INSERT INTO t VALUES (1);");
    victim.send(".system echo done");
    victim.line_with("done");
    (victim, database)
}

/// Both ways of looking must say it.
#[track_caller]
fn both_say(stage: &Stage, holder: u32, database: &Path, wanted: &str) {
    let process = stage.scan(&[&holder.to_string(), "--json"]).process();
    assert_eq!(process.list("sqlite").len(), 1);
    for gaps in [
        &process.0["incomplete"],
        &wal(stage, database)["incomplete"],
    ] {
        assert!(gaps.to_string().contains(wanted), "{wanted} in {gaps:#}");
    }
}

#[test]
fn locks_by_a_directory_beside_the_database_are_said_not_to_be_known() {
    let stage = Stage::new();
    let (holder, database) = exclusive(&stage, "unix-dotfile");
    assert!(beside(&database, ".lock").is_dir());
    both_say(&stage, holder.pid(), &database, "unix-dotfile");
}

#[test]
fn locks_by_flock_are_said_not_to_be_known() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-locked", "--lock", "none"]);
    let database = fixture.path("database");
    // Debian's SQLite is built without unix-flock; the lock it would take is this one.
    let script =
        "import fcntl, sys; held = open(sys.argv[1], 'r+b'); fcntl.flock(held, fcntl.LOCK_EX)";
    let holder = python(script, &[&database]);
    both_say(&stage, holder.pid(), &database, "unix-flock");
    both_say(&stage, fixture.pid(), &database, "unix-flock");
}

#[test]
fn an_exclusive_vfs_is_an_exclusive_lock() {
    let stage = Stage::new();
    let (holder, database) = exclusive(&stage, "unix-excl");
    let process = stage.scan(&[&holder.pid().to_string(), "--json"]).process();
    assert_eq!(only(&process)["rollback_locks"][0]["lock"], "exclusive");
    assert_eq!(
        wal(&stage, &database)["rollback_locks"][0]["pid"],
        holder.pid()
    );
}
