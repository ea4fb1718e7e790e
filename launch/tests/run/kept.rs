//! Where a seccomp profile refuses pidfd_getfd, as Docker's default one does: the supervisor keeps a copy of each instance.

use super::given::{Dir, children, compiled, output, probe, run, run_as_nobody, without_rules};
use super::reads::{Reader, program, reader};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use support::wait_until;

/// What Docker's default profile refuses, without CAP_SYS_PTRACE.
const DOCKER: &[&str] = &["pidfd_getfd", "kcmp", "open_by_handle_at"];

/// The same, where reads cannot be judged: as for older profiles, and older kernels.
const OLDER: &[&str] = &[
    "pidfd_getfd",
    "kcmp",
    "open_by_handle_at",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
];

/// `command` with these system calls refused.
pub fn refused(calls: &[&str], command: &Command) -> Command {
    let refuse = compiled("refuse.c", "static", "cc", &["-static"]).unwrap();
    let mut all = without_rules(refuse);
    all.args(calls).arg("--").arg(command.get_program());
    all.args(command.get_args());
    all
}

/// A reader whose supervisor may not copy its descriptors.
fn under(calls: &[&str], flags: &[&str]) -> Reader {
    Reader::start(&mut refused(calls, run(flags).arg(reader())))
}

#[test]
fn reads_are_judged_under_every_number_and_in_every_process() {
    for step in ["", "dup", "copy 5", "fork", "exec", "orphan"] {
        let mut reader = under(DOCKER, &[]);
        assert!(reader.watch("800", "2") > 1000);
        if !step.is_empty() {
            reader.says(step);
        }
        reader.write("edit");
        reader.write("x.sqlite");
        assert_eq!(reader.hears(), "2 edit", "{step}");
    }
}

#[test]
fn a_watch_is_placed_on_the_instance_its_number_means() {
    for (calls, at) in [(DOCKER, "1023"), (OLDER, "3")] {
        let mut reader = under(calls, &[]);
        reader.says("init 800");
        let second = reader.watch("800", "23");
        // The number of the first is the second's from now on.
        reader.says(&format!("move {at}"));
        let path = reader.dir.path("");
        assert_eq!(reader.says(&format!("add {path} 22")), "add 1");
        reader.write("edit");
        assert_eq!(reader.hears(), "2 edit");
        // Its mask has been judged at both numbers.
        for fd in [second, at.parse().unwrap()] {
            let info = fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", program(&reader)));
            assert!(info.unwrap().contains(" mask:2 "), "{calls:?} {fd}");
        }
    }
}

#[test]
fn a_watch_at_a_number_the_supervisor_never_handed_out_is_judged_too() {
    for step in ["move 200", "hand", "fork", "exec", "orphan"] {
        let mut reader = under(OLDER, &[]);
        reader.says("init 0");
        reader.says(step);
        let path = reader.dir.path("");
        assert_eq!(reader.says(&format!("add {path} 22")), "add 1", "{step}");
        // To write to it is to open it.
        reader.write("edit");
        assert_eq!(reader.says("read 4096"), "read 32; 2 edit", "{step}");
    }
}

#[test]
fn masks_are_judged_where_reads_cannot_be_and_the_number_is_the_usual_one() {
    for init in ["0", "800", "80000"] {
        let mut reader = under(OLDER, &[]);
        assert_eq!(reader.watch(init, "3ee"), 3);
        assert_eq!(support::watches(program(&reader))[0].mask, 0x3ce, "{init}");
        reader.write("x.sqlite");
        let heard = reader.says("read 4096");
        assert!(heard.contains("; 2 x.sqlite; "), "{heard}");
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/3", program(&reader))).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:\t"));
        let wanted = 0o2_000_000 * u32::from(init == "80000") + 0o4000 * u32::from(init == "800");
        assert_eq!(flags, Some(&*format!("0{wanted:o}")), "{init}");
    }
}

/// So many instances an ordinary user may not have.
#[test]
fn closed_instances_do_not_stay() {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").unwrap();
    let more = limit.trim().parse::<u32>().unwrap().min(500) + 10;
    for calls in [DOCKER, OLDER] {
        let mut reader = under(calls, &[]);
        for _ in 0..more {
            reader.watch("800", "2");
            assert_eq!(reader.says("close"), "close 0");
        }
        wait_until("the last one is let go of", || kept(&reader) == 0);
    }
}

#[test]
fn an_instance_goes_with_its_last_process() {
    for calls in [DOCKER, OLDER] {
        let dir = Dir::new();
        let script = format!(
            "for i in 1 2 3 4 5 6 7 8; do {} add {} 0x3ee || exit; done; {}",
            probe().display(),
            dir.path(""),
            reader().display(),
        );
        let mut reader = Reader::start(&mut refused(calls, run(&[]).args(["sh", "-c", &script])));
        for _ in 0..8 {
            let line = reader.next();
            assert!(line.ends_with(" mask 0x3ce"), "{line}");
        }
        wait_until("all are let go of", || kept(&reader) == 0);
        reader.watch("800", "2");
        // Its own child has it too.
        reader.says("fork");
        reader.write("edit");
        assert_eq!(reader.hears(), "2 edit");
        wait_until("its copy alone is there", || kept(&reader) == 1);
    }
}

/// How many instances the supervisor has.
fn kept(reader: &Reader) -> usize {
    let supervisor = children(reader.victim.pid())[0];
    let all = fs::read_dir(format!("/proc/{supervisor}/fd")).unwrap();
    let links = all.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    links
        .filter(|link| link.as_os_str() == "anon_inode:inotify")
        .count()
}

#[test]
fn a_user_without_privileges_and_a_dynamic_program_have_it_too() {
    let tools = Dir::new();
    let dynamic = compiled("reader.c", "dynamic", "cc", &["-pthread"]).unwrap();
    let dynamic = tools.install(&dynamic);
    let mut command = run_as_nobody(&tools, &["--engine", "seccomp"]);
    let mut inner = refused(DOCKER, command.arg(dynamic));
    super::given::as_nobody(&mut inner);
    let refuse = tools.install(std::path::Path::new(inner.get_program()));
    let mut command = without_rules(refuse);
    command.args(inner.get_args());
    super::given::as_nobody(&mut command);
    let mut reader = Reader::start(&mut command);
    let everybody = fs::Permissions::from_mode(0o777);
    fs::set_permissions(reader.path(""), everybody).unwrap();
    reader.watch("800", "22");
    reader.write("edit");
    reader.write("x.sqlite");
    assert_eq!(reader.hears(), "2 edit");
}

#[test]
fn explain_says_where_copies_come_from() {
    let text = output(&mut refused(DOCKER, run(&["--explain"]).arg("true")));
    let line = "\ncopies      of instances are kept, as they cannot be obtained later: pidfd_getfd cannot be used: ";
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains("\nreads       of instances that do not wait"),
        "{text}"
    );
    let text = output(&mut refused(OLDER, run(&["--explain"]).arg("true")));
    assert!(
        text.contains(
            "\nreads       are not judged: the memory of other processes cannot be written to: "
        ),
        "{text}"
    );
    let text = output(run(&["--explain"]).arg("true"));
    assert!(!text.contains("\ncopies "), "{text}");
}
