//! What a static program reads from its instance: judged as the library judges it, and else as the kernel has it.

use super::given::{Dir, children, compiled, run, run_as_nobody, without_rules};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use support::{Next, Victim, wait_until};
use support::{append, open_and_close, wait_until_past};

/// `reader.c`, static.
pub fn reader() -> PathBuf {
    compiled("reader.c", "static", "cc", &["-static", "-pthread"]).unwrap()
}

/// A running reader, and its directory.
pub struct Reader {
    pub victim: Victim,
    pub dir: Dir,
}

impl Reader {
    /// Under `watchfix run FLAGS`.
    fn under(flags: &[&str]) -> Reader {
        Reader::start(run(flags).arg(reader()))
    }

    fn bare() -> Reader {
        Reader::start(&mut without_rules(reader()))
    }

    pub fn start(command: &mut Command) -> Reader {
        Reader {
            victim: Victim::spawn(command),
            dir: Dir::new(),
        }
    }

    /// With an instance whose reads do not wait and a watch on its directory for these events.
    pub fn watching(flags: &[&str], mask: &str) -> Reader {
        let mut reader = Reader::under(flags);
        reader.watch("800", mask);
        reader
    }

    pub fn watch(&mut self, init: &str, mask: &str) -> u32 {
        let number = self.says(&format!("init {init}"));
        let path = self.dir.path("");
        self.says(&format!("add {path} {mask}"));
        number.trim_start_matches("init ").parse().unwrap()
    }

    /// Its answer to a line.
    pub fn says(&mut self, line: &str) -> String {
        self.victim.send(line);
        self.next()
    }

    /// The next line of its output.
    pub fn next(&mut self) -> String {
        match self.victim.next_within(support::DEADLINE) {
            Next::Line(answer) => answer,
            _ => panic!("no answer"),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path(name).into()
    }

    pub fn write(&self, name: &str) {
        append(&self.path(name), "x");
    }

    /// What there is to read, without its size and without fillers.
    pub fn hears(&mut self) -> String {
        let said = self.says("all");
        let records = said.split("; ").skip(1).filter(|one| *one != "-");
        records.collect::<Vec<_>>().join("; ")
    }
}

const WRITTEN: &str = "2 edit; 8 edit";

#[test]
fn names_that_are_ignored_are_not_read_and_all_others_are() {
    let mut reader = Reader::watching(&[], "fff");
    assert_eq!(reader.says("read 4096"), "read EAGAIN");
    reader.write("edit");
    reader.write("state.sqlite");
    reader.write("edit");
    assert_eq!(reader.hears(), format!("100 edit; {WRITTEN}; {WRITTEN}"));
    reader.write("state.sqlite-wal");
    // Nothing is left of it: a record that every watcher skips.
    assert_eq!(reader.says("wait"), "wait 1");
    assert_eq!(reader.says("read 4096"), "read 16; -");
    assert_eq!(reader.says("read 4096"), "read EAGAIN");
    let own = reader.path("state.sqlite");
    fs::remove_file(own).unwrap();
    assert_eq!(reader.hears(), "");
}

/// An existing file that was changed long ago, and whose times can be set.
fn old(path: &Path) -> fs::File {
    fs::write(path, "x").unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    touch(
        &file,
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
    );
    file
}

/// As touch(1) does.
fn touch(file: &fs::File, time: SystemTime) {
    let times = fs::FileTimes::new();
    file.set_times(times.set_accessed(time).set_modified(time))
        .unwrap();
}

#[test]
fn a_touch_is_read_and_a_change_of_the_mode_is_not() {
    for (flags, chmod) in [(&[][..], ""), (&["--strip", "open"], "4 edit")] {
        let mut reader = Reader::under(flags);
        let path = reader.path("edit");
        let file = old(&path);
        reader.watch("800", "4");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(reader.hears(), chmod, "{flags:?}");
        touch(&file, SystemTime::now());
        assert_eq!(reader.hears(), "4 edit");
    }
}

/// A reader in whose directory `state` a file is reported when it is closed, that directory, and an old file in it.
fn settling() -> (Reader, PathBuf, PathBuf) {
    let mut reader = Reader::under(&["--settle", "+**/state"]);
    let dir = reader.path("state");
    fs::create_dir(&dir).unwrap();
    let lock = dir.join("lock");
    drop(old(&lock));
    wait_until_past(&lock);
    reader.says("init 800");
    (reader, dir, lock)
}

#[test]
fn a_directory_that_settles_reports_a_write_when_the_file_is_closed_and_a_lock_file_never() {
    let (mut reader, dir, lock) = settling();
    reader.says(&format!("add {} 2", dir.display()));
    append(&dir.join("edit"), "x");
    assert_eq!(reader.hears(), "2 edit");
    open_and_close(&lock);
    assert_eq!(reader.hears(), "");
    // A copy that keeps its times sets them back before it is closed.
    fs::write(reader.path("other"), "y").unwrap();
    drop(old(&reader.path("other")));
    copy_with_times(&reader.path("other"), &dir.join("edit"));
    assert_eq!(reader.hears(), "2 edit");
    // It asked for both.
    reader.says(&format!("add {} a", dir.display()));
    append(&dir.join("edit"), "x");
    assert_eq!(reader.hears(), WRITTEN);
    open_and_close(&lock);
    assert_eq!(reader.hears(), "8 lock");
}

fn copy_with_times(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-p").args([from, to]).status();
    assert!(status.unwrap().success());
}

/// Its record is its last: it is not the lock file's that is hidden, nor the changed mode's.
#[test]
fn a_one_shot_watch_has_its_record() {
    let (mut reader, dir, lock) = settling();
    for mask in ["80000002", "80000004"] {
        reader.says(&format!("add {} {mask}", dir.display()));
        match mask {
            "80000002" => open_and_close(&lock),
            _ => fs::set_permissions(&lock, fs::Permissions::from_mode(0o600)).unwrap(),
        }
        let event = mask.trim_start_matches("8000000");
        assert_eq!(reader.hears(), format!("{event} lock; 8000 "));
    }
}

/// The first call began the watch, and a file that was written to after it may be closed after the second.
#[test]
fn a_watch_that_is_placed_again_knows_when_it_was_placed_first() {
    let mut reader = Reader::under(&["--settle", "+**/state"]);
    let dir = reader.path("state");
    fs::create_dir(&dir).unwrap();
    let edit = dir.join("edit");
    fs::write(&edit, "x").unwrap();
    reader.says("init 800");
    let add = format!("add {} 2", dir.display());
    reader.says(&add);
    let script = r#"exec 3>>"$1"; echo x >&3; echo written; read line; exec 3>&-; echo closed"#;
    let mut shell = Command::new("sh");
    let mut writer = Victim::spawn(shell.args(["-c", script, "sh"]).arg(&edit));
    writer.line_with("written");
    wait_until_past(&edit);
    reader.says(&add);
    writer.send("");
    writer.line_with("closed");
    assert_eq!(reader.hears(), "2 edit");
}

/// Each of these makes the descriptor another number's, or another process's.
#[test]
fn copies_and_children_read_what_is_judged() {
    for step in ["dup", "copy 5", "fork", "exec", "orphan"] {
        let mut reader = Reader::watching(&[], "2");
        reader.says(step);
        reader.write("edit");
        reader.write("x.sqlite");
        assert_eq!(reader.hears(), "2 edit", "{step}");
    }
}

/// Where it cannot be judged, the kernel's own records are read.
#[test]
fn what_cannot_be_judged_is_read_as_it_is() {
    for steps in [
        &["move 200"][..],
        &["hand"],
        &["blocking"],
        &["fork", "move 7"],
    ] {
        let mut reader = Reader::watching(&[], "2");
        for step in steps {
            reader.says(step);
        }
        reader.write("edit");
        reader.write("x.sqlite");
        assert_eq!(
            reader.says("read 4096"),
            "read 64; 2 edit; 2 x.sqlite",
            "{steps:?}"
        );
    }
    // A blocking instance has masks alone.
    let mut reader = Reader::under(&[]);
    reader.watch("0", "fff");
    reader.write("x.sqlite");
    assert_eq!(
        reader.says("read 4096"),
        "read 96; 100 x.sqlite; 2 x.sqlite; 8 x.sqlite"
    );
}

/// No call is made for such a read: the kernel's own records are read, and none is lost or read twice.
#[test]
fn what_is_read_by_io_uring_is_read_as_it_is() {
    let mut reader = Reader::watching(&[], "2");
    for _ in 0..3 {
        reader.write("edit");
        reader.write("x.sqlite");
        let read = reader.says("ring 4096");
        if let "ring EPERM" | "ring ENOSYS" = &*read {
            return support::skip_optional(&format!("io_uring is not allowed here: {read}"));
        }
        assert_eq!(read, "ring 64; 2 edit; 2 x.sqlite");
        assert_eq!(reader.says("read 4096"), "read EAGAIN");
        reader.write("x.sqlite");
        reader.write("edit");
        assert_eq!(reader.says("read 4096"), "read 32; 2 edit");
    }
}

#[test]
fn buffers_of_every_size_are_filled_as_the_kernel_fills_them() {
    let rules: &[&str] = &["--ignore", "*.x", "--strip", "none"];
    let steps = [
        "read 8",
        "read 16",
        "read 0",
        "size",
        "exact",
        "read 4096",
        "parts 4096 0",
        "here 4096",
        // Full ones are followed by the next.
        "parts 32 4096",
        "parts 64 4096",
        "parts 32 32",
        "parts 32 16",
        "parts 64 0",
        "parts 0 4096",
        "parts 16 4096",
        "all",
        "read 48",
        "read 48",
    ];
    let said = |mut reader: Reader| {
        reader.watch("800", "2");
        let mut said = Vec::new();
        for step in steps {
            reader.write("a");
            reader.write("b");
            said.push(reader.says(step));
        }
        said
    };
    assert_eq!(said(Reader::under(rules)), said(Reader::bare()));
}

/// busybox inotifyd reads until it has as many bytes as FIONREAD announced.
#[test]
fn a_buffer_that_was_full_stays_full() {
    let mut reader = Reader::watching(&[], "2");
    for name in ["a", "b.sqlite", "c"] {
        reader.write(name);
    }
    assert_eq!(reader.says("size"), "size 96");
    assert_eq!(reader.says("exact"), "exact 96; 2 a; 2 c; -");
    reader.write("b.sqlite");
    assert_eq!(reader.says("exact"), "exact 32; -");
}

#[test]
fn an_edge_is_one_wake_up_and_all_parts_of_a_buffer_have_what_is_kept() {
    let mut reader = Reader::watching(&[], "2");
    reader.write("a");
    assert_eq!(reader.says("edge"), "edge 1");
    assert_eq!(reader.hears(), "2 a");
    reader.write("b");
    assert_eq!(reader.says("edge"), "edge 1");
    reader.write("c.sqlite");
    assert_eq!(reader.says("parts 4096 4096"), "parts 32; 2 b");
    for name in ["a", "b.sqlite", "c", "d"] {
        reader.write(name);
    }
    // A part that was full stays full.
    assert_eq!(reader.says("parts 64 4096"), "parts 128; 2 a; -; 2 c; 2 d");
}

#[test]
fn many_instances_work_and_those_past_sixteen_have_masks_alone() {
    let mut reader = Reader::under(&[]);
    let numbers: Vec<u32> = (0..18).map(|_| reader.watch("800", "2")).collect();
    let judged = numbers.iter().filter(|&&number| number >= 1008);
    assert_eq!(judged.count(), 16, "{numbers:?}");
    reader.write("x.sqlite");
    // The last one made.
    assert_eq!(reader.says("read 4096"), "read 32; 2 x.sqlite");
}

#[test]
fn a_program_with_few_descriptors_has_its_instance_among_them() {
    for limit in ["20", "64", "256"] {
        let script = format!("ulimit -Sn {limit}; exec \"$@\"");
        let mut command = without_rules("sh");
        let run = run(&[]);
        command.args(["-c", &script, "sh"]).arg(run.get_program());
        command.args(run.get_args()).arg(reader());
        let mut reader = Reader::start(&mut command);
        let number = reader.watch("800", "2");
        assert_eq!(number + 1, limit.parse::<u32>().unwrap());
        reader.write("edit");
        reader.write("x.sqlite");
        assert_eq!(reader.hears(), "2 edit");
    }
    let mut reader = Reader::under(&[]);
    assert_eq!(reader.says("limit 64"), "limit 0");
    assert!(reader.watch("800", "2") < 64);
    reader.write("edit");
    assert_eq!(reader.hears(), "2 edit");
}

#[test]
fn a_file_of_the_programs_own_at_such_a_number_is_read_by_it() {
    let mut reader = Reader::watching(&[], "2");
    assert_eq!(reader.says("zero 1010"), "zero 4");
    // A closed one, and one whose number has become another file's.
    assert_eq!(reader.says("close"), "close 0");
    assert_eq!(reader.says("read 16"), "read EBADF");
    assert_eq!(reader.says("zero 1023"), "zero 4");
}

#[test]
fn several_threads_that_read_lose_nothing() {
    let mut reader = Reader::watching(&[], "2");
    for round in 0..500 {
        reader.write(&format!("edit{round}"));
        reader.write("x.sqlite");
    }
    assert_eq!(reader.says("race 8"), "race 500");
}

#[test]
fn of_threads_that_have_ended_the_supervisor_keeps_nothing() {
    let mut reader = Reader::watching(&[], "2");
    let supervisor = children(reader.victim.pid())[0];
    let descriptors = || {
        let open = fs::read_dir(format!("/proc/{supervisor}/fd"));
        open.unwrap().count()
    };
    let before = descriptors();
    for _ in 0..8 {
        reader.write("edit");
        assert_eq!(reader.says("race 4"), "race 1");
    }
    // Three of each of the last four, and of as many that were still ending.
    let after = descriptors();
    assert!(after <= before + 24, "{before}, {after}");
}

#[test]
fn where_the_supervisor_is_killed_no_record_is_lost() {
    for round in 0..10 {
        let mut reader = Reader::watching(&[], "2");
        let supervisor = children(reader.victim.pid())[0];
        for edit in 0..200 {
            reader.write(&format!("edit{edit}"));
        }
        reader.victim.send("race 2");
        // Another moment each time, most of them in the middle of a read.
        std::thread::sleep(Duration::from_micros(200 * round));
        // SAFETY: kill has no memory effects; the process belongs to this test.
        assert_eq!(unsafe { libc::kill(supervisor as i32, libc::SIGKILL) }, 0);
        let Next::Line(answer) = reader.victim.next_within(support::DEADLINE) else {
            panic!("no answer");
        };
        assert_eq!(answer, "race 200", "{round}");
        reader.write("x.sqlite");
        assert_eq!(reader.says("wait"), "wait 1");
        assert_eq!(reader.says("read 4096"), "read 32; 2 x.sqlite");
    }
}

#[test]
fn a_user_without_privileges_has_it_too() {
    let tools = Dir::new();
    let program = tools.install(&reader());
    let mut reader = Reader::start(run_as_nobody(&tools, &[]).arg(program));
    let everybody = fs::Permissions::from_mode(0o777);
    fs::set_permissions(reader.path(""), everybody).unwrap();
    reader.watch("800", "2");
    reader.write("edit");
    reader.write("x.sqlite");
    assert_eq!(reader.hears(), "2 edit");
}

/// Incident 5 in small: a program logs into the directory it watches.
#[test]
fn who_writes_to_an_ignored_file_without_a_pause_is_not_woken_for_it() {
    let mut reader = Reader::watching(&[], "2");
    let log = reader.path("log.sqlite-wal");
    let (pid, log) = (program(&reader), log.to_str().unwrap().to_owned());
    let mask = || support::watches(pid)[0].mask;
    // A burst is as many writes in so little time: on a machine that stands still it takes a few.
    wait_until("its watch settles", || {
        reader.says(&format!("flood {log} 2000"));
        mask() == 0x8
    });
    assert_eq!(reader.says(&format!("flood {log} 2000")), "flood 0");
    reader.write("edit");
    assert_eq!(reader.hears(), "2 edit");
    // What was not written to is not reported.
    open_and_close(Path::new(&reader.path("edit")));
    wait_until("its watch has its mask back", || mask() == 0xa);
    // In the very moment in which it gets it back a write may be reported twice.
    wait_until("one write is one event", || {
        reader.write("edit");
        reader.hears() == "2 edit"
    });
}

/// `docker pause`, and suspend: who waits for a call to be answered could not be frozen.
#[test]
fn a_program_whose_reads_are_judged_can_be_frozen() {
    let Some(group) = Group::new() else {
        return support::skip_optional("no cgroup v2 that can be written to");
    };
    let mut reader = Reader::watching(&[], "2");
    fs::write(group.0.join("cgroup.procs"), program(&reader).to_string()).unwrap();
    let log = reader.path("log.sqlite-wal");
    reader
        .victim
        .send(&format!("flood {} 20000", log.display()));
    for (order, state) in [("1", "frozen 1"), ("0", "frozen 0")] {
        fs::write(group.0.join("cgroup.freeze"), order).unwrap();
        let events = || fs::read_to_string(group.0.join("cgroup.events")).unwrap();
        wait_until(state, || events().contains(state));
    }
    let Next::Line(answer) = reader.victim.next_within(support::DEADLINE) else {
        panic!("it does not go on");
    };
    assert!(answer.starts_with("flood "), "{answer}");
    drop(reader);
    wait_until("the group is empty", || {
        fs::read_to_string(group.0.join("cgroup.procs")).is_ok_and(|text| text.is_empty())
    });
}

/// A control group of the test's own, removed when it is dropped.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Group> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
        let point = Path::new(mount.split(' ').nth(4)?);
        let group = point.join(format!("watchfix-test-{}", std::process::id()));
        fs::create_dir(&group).ok()?;
        Some(Group(group))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn fdscan_says_what_stands_between_an_instance_and_its_process() {
    let scan = |pid: u32, flag: &str| {
        let mut fdscan = Command::new(support::binary("fdscan", "fdscan"));
        let output = fdscan.args([&pid.to_string(), flag]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().replace(' ', "")
    };
    for (flags, name) in [("800", "reads"), ("0", "masks")] {
        let mut reader = Reader::under(&[]);
        reader.watch(flags, "2");
        let json = scan(program(&reader), "--json");
        assert!(
            json.contains(&format!("\"covered_by\":\"{name}\"")),
            "{json}"
        );
        let tables = scan(program(&reader), "--all");
        let mut lines = tables.lines();
        let covered = lines.any(|line| line.starts_with("1023") && line.ends_with(name));
        assert!(covered, "{tables}");
    }
    let mut reader = Reader::bare();
    reader.watch("800", "2");
    let json = scan(reader.victim.pid(), "--json");
    assert!(json.contains("\"covered_by\":null"), "{json}");
}

#[test]
fn fdscan_knows_the_rules_reads_are_judged_by() {
    for (flags, hides_chmod) in [
        (&[][..], true),
        (&["--strip", "open"], false),
        (
            &["--strip", "none", "--ignore", "none", "--drop", "/nowhere"],
            false,
        ),
        (&["--strip", "open", "--engine", "seccomp"], false),
    ] {
        for cleared in [false, true] {
            let mut command = run(flags);
            if cleared {
                command.args(["env", "-i"]);
            }
            let mut reader = Reader::start(command.arg(reader()));
            reader.watch("800", "6");
            let mut fdscan = Command::new(support::binary("fdscan", "fdscan"));
            let pid = program(&reader).to_string();
            let output = fdscan.args([&pid, "--json"]).output().unwrap();
            let json = String::from_utf8(output.stdout).unwrap();
            assert_eq!(
                !json.contains("watch-wakes-on-attrib"),
                hides_chmod,
                "{flags:?} {cleared}: {json}"
            );
        }
    }
}

/// The reader itself, below the supervisor.
pub fn program(reader: &Reader) -> u32 {
    children(children(reader.victim.pid())[0])[0]
}
