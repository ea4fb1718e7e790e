//! However the program is linked, and wherever it runs: a path means what it means to the program.

use super::given::{Dir, NOBODY, compiled, output, probe, run, run_as_nobody, without_rules};
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

const CHANGED: &str = "mask 0x3ce\n";

fn is_changed(command: &mut Command) {
    let text = output(command);
    assert!(text.ends_with(CHANGED), "{command:?}: {text}");
}

#[test]
fn static_and_dynamic_programs_of_either_c_library_are_reached() {
    let dir = Dir::new();
    for (name, compiler, args) in [
        ("dynamic", "cc", &["-pthread"][..]),
        ("musl-static", "musl-gcc", &["-static", "-pthread"]),
        ("musl-dynamic", "musl-gcc", &["-pthread"]),
    ] {
        match compiled("probe.c", name, compiler, args) {
            Ok(program) => is_changed(run(&[]).arg(program).args(["add", &dir.path(""), "0x3ee"])),
            Err(why) => support::skip(&format!("{name}: {why}")),
        }
    }
}

#[test]
fn a_32_bit_program_is_reached() {
    if !cfg!(target_arch = "x86_64") {
        return support::skip("only x86-64 has such programs");
    }
    let args = [
        "-m32",
        "-static",
        "-nostdlib",
        "-ffreestanding",
        "-fno-pic",
        "-no-pie",
    ];
    let program = match compiled("i386.c", "i386", "cc", &args) {
        Ok(program) => program,
        Err(why) => return support::skip(&format!("no 32-bit program can be compiled: {why}")),
    };
    let dir = Dir::new();
    if Command::new(&program).arg(dir.path("")).status().is_err() {
        return support::skip("this kernel runs no 32-bit programs");
    }
    // It prints the inotify line of its fdinfo.
    let text = output(run(&[]).arg(&program).arg(dir.path("")));
    assert!(
        text.contains("wd:1 ") && text.contains(" mask:3ce "),
        "{text}"
    );
}

#[test]
fn children_with_a_cleared_environment_and_orphans_are_reached() {
    let dir = Dir::new();
    let add = ["add", &dir.path(""), "0x3ee"];
    is_changed(run(&[]).args(["env", "-i"]).arg(probe()).args(add));
    is_changed(run(&[]).arg(probe()).args(["fork", "fork"]).args(add));
    is_changed(
        run(&[])
            .arg(probe())
            .args(["fork", "exec"])
            .arg(probe())
            .args(add),
    );
    is_changed(run(&[]).arg(probe()).arg("daemon").args(add));
}

#[test]
fn a_run_within_a_run_starts_and_is_covered_by_the_outer_one() {
    let dir = Dir::new();
    let mut outer = run(&[]);
    outer.args([
        env!("CARGO_BIN_EXE_watchfix"),
        "run",
        // Its own rules do not reach it, which it says; those of the outer one do.
        "--quiet",
        "--log",
        &dir.path("log"),
        "--",
    ]);
    is_changed(outer.arg(probe()).args(["add", &dir.path(""), "0x3ee"]));
    let said = fs::read_to_string(dir.path("log")).unwrap();
    assert!(
        said.contains("another listener is in force already"),
        "{said}"
    );
    let mut forced = run(&[]);
    forced.args([
        env!("CARGO_BIN_EXE_watchfix"),
        "run",
        "--engine",
        "seccomp",
        "--",
        "true",
    ]);
    assert_eq!(forced.output().unwrap().status.code(), Some(125));
}

#[test]
fn a_relative_path_is_the_threads() {
    let dir = Dir::new();
    fs::create_dir_all(dir.path("a/b")).unwrap();
    let (root, a) = (dir.path(""), dir.path("a"));
    is_changed(
        run(&[])
            .arg(probe())
            .args(["chdir", &a, "add", "b", "0x3ee"]),
    );
    is_changed(
        run(&[])
            .arg(probe())
            .args(["chdir", &root, "thread", "chdir", "a", "add", "b", "0x3ee"]),
    );
}

#[test]
fn a_deleted_directory_can_still_be_watched_by_who_is_in_it() {
    let dir = Dir::new();
    fs::create_dir(dir.path("gone")).unwrap();
    let gone = dir.path("gone");
    is_changed(
        run(&[])
            .arg(probe())
            .args(["chdir", &gone, "rmdir", &gone, "add", ".", "0x3ee"]),
    );
}

#[test]
fn a_path_in_a_chroot_is_found_there_and_nowhere_else() {
    if !support::is_root() {
        return support::skip("chroot needs root");
    }
    let dir = Dir::new();
    let root = dir.path("root");
    fs::create_dir_all(dir.path("root/only/here")).unwrap();
    fs::create_dir_all(dir.path("root/etc")).unwrap();
    std::os::unix::fs::symlink("/only", dir.path("root/link")).unwrap();
    let log = dir.path("log");
    let mut command = run(&["--log", &log, "--drop", &dir.path("root/only")]);
    command.arg(probe()).args(["chroot", &root, "chdir", "/"]);
    let paths = [
        "/etc",
        "/only/here",
        "/link/here",
        "/../only/here",
        "only/here",
    ];
    for path in paths {
        command.args(["add", path, "0x3ee"]);
    }
    let text = output(command.args(["add", "/nowhere", "0x3ee"]));
    assert!(
        text.ends_with("/nowhere: No such file or directory\n"),
        "{text}"
    );
    // Its /proc is not there to be asked for masks; the log is.
    let said = fs::read_to_string(log).unwrap();
    assert!(
        said.contains("\"/etc\"): mask 0x3ee -> 0x3ce by WATCHFIX_STRIP"),
        "{said}"
    );
    for path in &paths[1..] {
        assert!(
            said.contains(&format!(
                "\"{path}\"): mask 0x3ee -> 0x20002000 by WATCHFIX_DROP"
            )),
            "{path}: {said}"
        );
    }
}

#[test]
fn a_path_in_another_mount_namespace_is_found_there() {
    if !support::is_root() {
        return support::skip("mounting needs root");
    }
    let dir = Dir::new();
    fs::create_dir_all(dir.path("a/inside")).unwrap();
    fs::create_dir_all(dir.path("b")).unwrap();
    let script = "mount --bind \"$1/a\" \"$1/b\" && cd \"$1\" && \"$2\" add \"$1/b/inside\" 0x3ee add b/inside 0x3ee";
    let mut command = run(&[]);
    command
        .args(["unshare", "-m", "sh", "-c", script, "sh", &dir.path("")])
        .arg(probe());
    let text = output(&mut command);
    let masks: Vec<_> = text
        .lines()
        .filter(|line| line.ends_with("wd 1 mask 0x3ce"))
        .collect();
    assert_eq!(masks.len(), 2, "{text}");
}

#[test]
fn one_that_may_not_be_looked_into_is_left_alone_and_named() {
    let (dir, tools) = (Dir::new(), Dir::new());
    if support::is_root() {
        chown(dir.path(""), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let log = dir.path("log");
    let mut command = run_as_nobody(&tools, &["--log", &log]);
    let text =
        output(
            command
                .arg(tools.install(probe()))
                .args(["nodump", "add", &dir.path(""), "0x3ee"]),
        );
    assert!(text.contains(": wd 1 "), "{text}");
    assert!(
        fs::read_to_string(log)
            .unwrap()
            .contains("is left to the kernel: ")
    );
}

/// `watchfix run FLAGS -- ` with the library beside it.
fn installed(place: &Dir, flags: &[&str]) -> Command {
    let place = PathBuf::from(place.path(""));
    let (program, library) = (place.join("watchfix"), place.join("libwatchfix.so"));
    if !program.exists() {
        support::share(Path::new(env!("CARGO_BIN_EXE_watchfix")), &program);
        fs::copy(support::libwatchfix(), library).unwrap();
    }
    let mut command = without_rules(program);
    command
        .env_remove("LD_PRELOAD")
        .arg("run")
        .args(flags)
        .arg("--");
    command
}

#[test]
fn a_program_with_gccs_address_sanitizer_starts() {
    let sanitized = ["-fsanitize=address", "-pthread"];
    let program = match compiled("probe.c", "sanitized", "gcc", &sanitized) {
        Ok(program) => program,
        Err(why) => return support::skip(&format!("gcc has no libasan here: {why}")),
    };
    let place = Dir::new();
    let text = output(
        installed(&place, &[])
            .env("ASAN_OPTIONS", "detect_leaks=0")
            .arg(&program)
            .args(["add", &place.path(""), "0x3ef"]),
    );
    assert!(text.ends_with("mask 0x3ce\n"), "{text}");
    // Who asks for the check has it.
    let mut asked = installed(&place, &[]);
    let ended = asked
        .env("ASAN_OPTIONS", "verify_asan_link_order=1")
        .arg(&program)
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
}

#[test]
fn the_library_is_loaded_besides_where_it_lies_beside_the_program() {
    let dir = Dir::new();
    let installed = |flags: &[&str]| installed(&dir, flags);
    let seen = |flags: &[&str]| {
        output(installed(flags).args([
            "sh",
            "-c",
            "echo $LD_PRELOAD $ASAN_OPTIONS $WATCHFIX_RUN $WATCHFIX_STRIP",
        ]))
    };
    let library = dir.path("libwatchfix.so");
    let options = "verify_asan_link_order=0";
    assert_eq!(
        seen(&["--strip", "open"]),
        format!("{library} {options} 1 open\n")
    );
    assert_eq!(
        seen(&["--engine", "preload"]),
        format!("{library} {options}\n")
    );
    assert_eq!(
        seen(&["--engine", "seccomp", "--strip", "open"]),
        "1 open\n"
    );
    // A dynamic program's watch is the library's to judge, a static one's the supervisor's.
    let dynamic = compiled("probe.c", "dynamic", "cc", &["-pthread"]).unwrap();
    let (path, log) = (dir.path(""), dir.path("log"));
    let add = ["add", &path, "0x3ee"];
    let text = output(installed(&["--log", &log]).arg(&dynamic).args(add));
    assert!(text.ends_with("mask 0x3ce\n"), "{text}");
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("mask 0x3ee -> 0x"), "{said}");
    is_changed(installed(&[]).arg(probe()).args(add));
}

#[test]
fn an_engine_that_was_asked_for_and_cannot_be_had_is_an_error() {
    // No library lies beside the program that cargo builds.
    let ended = run(&["--engine", "preload"])
        .args(["echo", "started"])
        .output()
        .unwrap();
    assert_eq!((ended.status.code(), ended.stdout.len()), (Some(125), 0));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("there is no libwatchfix.so in "), "{said}");
}
