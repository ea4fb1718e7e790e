//! Whatever becomes of the log, the program and watchfix end as they would without one.

use super::given::{Dir, probe, run};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

/// A program with a line in the log, watching `dir`.
fn watching(flags: &[&str], dir: &Dir) -> Command {
    let mut command = run(flags);
    command.arg(probe()).args(["add", &dir.path(""), "0x3ee"]);
    command
}

/// What becomes of it, if it ends.
fn end_of(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    support::wait_until("it does not end", || child.try_wait().unwrap().is_some());
    child.wait_with_output().unwrap()
}

fn assert_filtered(ended: &Output) {
    let text = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && text.ends_with("wd 1 mask 0x3ce\n"),
        "{}: {text}",
        ended.status
    );
}

fn fifo(path: &str) {
    let path = CString::new(path).unwrap();
    // SAFETY: a C string.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o644) }, 0);
}

#[test]
fn standard_error_may_be_a_pipe_without_a_reader_or_one_that_is_full() {
    let dir = Dir::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let closed = OwnedFd::from(writer);
    let (_reader, mut writer) = std::io::pipe().unwrap();
    // A pipe has sixteen pages (pipe(7)).
    writer.write_all(&[b'x'; 16 << 12]).unwrap();
    let full = OwnedFd::from(writer);
    let (mut mine, _theirs) = UnixStream::pair().unwrap();
    mine.set_nonblocking(true).unwrap();
    while mine.write(&[b'x'; 4096]).is_ok() {}
    mine.set_nonblocking(false).unwrap();
    let full_socket = OwnedFd::from(mine);
    let (mine, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    let no_space = File::create("/dev/full").unwrap();
    for stream in [
        closed,
        full,
        full_socket,
        OwnedFd::from(mine),
        no_space.into(),
    ] {
        let mut command = watching(&["--log", "stderr"], &dir);
        assert_filtered(&end_of(command.stderr(stream)));
    }
}

#[test]
fn a_standard_error_that_is_a_pipe_has_every_line() {
    let dir = Dir::new();
    let ended = end_of(watching(&["--log", "stderr"], &dir).stderr(Stdio::piped()));
    assert_filtered(&ended);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        said.contains("mask 0x3ee -> 0x3ce by WATCHFIX_STRIP\n"),
        "{said}"
    );
}

#[test]
fn a_log_at_its_limit_ends_nothing() {
    let dir = Dir::new();
    let log = dir.path("log");
    for engine in ["auto", "seccomp"] {
        let mut command = watching(&["--log", &log, "--engine", engine], &dir);
        // SAFETY: a system call that is allowed between fork and exec.
        unsafe {
            command.pre_exec(|| {
                let none = libc::rlimit {
                    rlim_cur: 0,
                    rlim_max: 0,
                };
                libc::setrlimit(libc::RLIMIT_FSIZE, &none);
                Ok(())
            })
        };
        assert_filtered(&end_of(&mut command));
        assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    }
}

#[test]
fn only_a_regular_file_is_opened_as_a_log() {
    let dir = Dir::new();
    let (queue, link) = (dir.path("fifo"), dir.path("link"));
    fifo(&queue);
    symlink(dir.path("elsewhere"), &link).unwrap();
    for log in [&queue, &link, &dir.path(""), "/dev/null", "/dev/ptmx"] {
        let mut command = watching(&["--log", log], &dir);
        let ended = end_of(command.stderr(Stdio::piped()));
        assert_eq!(
            (ended.status.code(), ended.stdout.len()),
            (Some(2), 0),
            "{log}"
        );
        let said = String::from_utf8(ended.stderr).unwrap();
        let sentence = format!("watchfix: --log: \"{log}\" at byte 1 cannot be opened for writing");
        assert!(said.starts_with(&sentence), "{said}");
    }
    assert!(fs::metadata(&queue).unwrap().file_type().is_fifo());
    assert!(fs::symlink_metadata(dir.path("elsewhere")).is_err());
}

#[test]
fn a_sentence_about_what_cannot_be_run_ends_watchfix_by_no_signal() {
    for flags in [
        &[][..],
        &["--strip", "none", "--ignore", "none", "--settle", "none"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = run(flags);
        let ended = end_of(command.arg("/no/such/command").stderr(writer));
        assert_eq!(
            ended.status.code(),
            Some(127),
            "{flags:?}: {}",
            ended.status
        );
    }
}
