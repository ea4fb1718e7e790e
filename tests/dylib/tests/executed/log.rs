//! What the library says: in a file, on standard error, and nothing that could harm its host.

use std::fs::read_to_string;
use std::os::unix::fs::FileTypeExt;

use dylib::library;
use dylib::program::{Program, append, chmod};
use dylib::system::fsevents::Form;
use dylib::system::kqueue::*;

use super::fsevents::{FILE, FILES, MODIFIED, XATTR, calls, stream};
use super::{dir, file, real, variable};

#[test]
fn each_decision_is_a_line() {
    let Some(library) = library() else { return };
    let dir = dir();
    let root = real(&dir);
    let log = root.join("log");
    let variables = [
        variable("WATCHFIX_LOG", &log),
        variable("WATCHFIX_DROP", &root.join("drop")),
        variable("WATCHFIX_SETTLE", &root.join("settle")),
    ];
    let program = Program::with(library, &variables.each_ref().map(String::as_str));
    let mut queue = program.queue();
    let kq = queue.number();
    for name in ["drop/a", "x.sqlite-wal", "settle/b", "plain"] {
        queue.watch(&file(&root, name), CLEAR);
    }
    chmod(&root.join("plain"));
    assert_eq!(queue.heard(), [0; 0]);
    let events = [
        ("/p/a.rs", XATTR | FILE),
        ("/p/b.rs", MODIFIED | XATTR | FILE),
        ("/p/c.rs", MODIFIED | FILE),
        ("/p/x.sqlite-wal", MODIFIED | FILE),
    ];
    calls(&stream(&program, Form::Strings, FILES), &events);
    calls(&stream(&program, Form::Strings, 0), &[("/p/", 0)]);
    let pid = std::process::id();
    let root = root.display();
    let wanted = [
        format!("kevent({kq}, \"{root}/drop/a\"): fflags 0x2f -> 0x21, muted by WATCHFIX_DROP"),
        format!("kevent({kq}, \"{root}/x.sqlite-wal\"): fflags 0x2f -> 0x21, muted by WATCHFIX_IGNORE"),
        format!("kevent({kq}, \"{root}/settle/b\"): fflags 0x2f, not settled: kqueue has no event for a close"),
        format!("kevent({kq}, \"{root}/plain\"): a chmod was removed"),
        "FSEvents(\"/p/a.rs\"): flags 0x18000, removed by WATCHFIX_STRIP".to_owned(),
        "FSEvents(\"/p/b.rs\"): flags 0x19000 -> 0x11000".to_owned(),
        "FSEvents(\"/p/x.sqlite-wal\"): flags 0x11000, removed by WATCHFIX_IGNORE".to_owned(),
        "FSEventStreamCreate: the stream names directories only: WATCHFIX_STRIP and WATCHFIX_IGNORE have no effect".to_owned(),
    ];
    let wanted = wanted
        .map(|line| format!("watchfix[{pid}]: {line}\n"))
        .concat();
    assert_eq!(read_to_string(&log).unwrap(), wanted);
}

/// A line about it would be another event of it.
#[test]
fn the_logs_own_file_is_silent_and_not_spoken_of() {
    let Some(library) = library() else { return };
    let dir = dir();
    let log = file(&real(&dir), "log");
    let program = Program::with(library, &[&variable("WATCHFIX_LOG", &log)]);
    let path = log.to_str().unwrap();
    let heard = calls(
        &stream(&program, Form::Strings, FILES),
        &[(path, MODIFIED | FILE)],
    );
    assert!(heard.is_empty());
    assert_eq!(read_to_string(&log).unwrap(), "1");
    let mut queue = program.queue();
    queue.watch(&log, CLEAR);
    let said = read_to_string(&log).unwrap();
    assert!(said.ends_with("muted by WATCHFIX_LOG\n"), "{said}");
    append(&log);
    assert_eq!(queue.heard(), [0; 0]);
}

#[test]
fn a_log_that_is_no_file_is_not_opened() {
    let Some(library) = library() else { return };
    let dir = dir();
    let fifo = dir.path().join("fifo");
    let name = std::ffi::CString::new(fifo.to_str().unwrap()).unwrap();
    // SAFETY: a path that ends with a NUL.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(file(dir.path(), "target"), &link).unwrap();
    for place in [
        &fifo,
        &link,
        &dir.path().join("no/such"),
        &dir.path().to_owned(),
    ] {
        let program = Program::with(library, &[&variable("WATCHFIX_LOG", place)]);
        let mut queue = program.queue();
        // It comes back, and does what it does otherwise.
        let path = file(&real(&dir), "x.sqlite-wal");
        queue.watch(&path, CLEAR);
        append(&path);
        assert_eq!(queue.heard(), [0; 0]);
    }
    assert!(std::fs::metadata(&fifo).unwrap().file_type().is_fifo());
    assert_eq!(read_to_string(dir.path().join("target")).unwrap(), "1");
}

/// Standard error is the process's, so this test is one in a process of its own.
mod standard_error {
    use super::*;
    use std::io::{PipeWriter, Read};
    use std::os::fd::{AsFd, AsRawFd};
    use std::path::Path;
    use std::process::{Command, Stdio};

    use crate::EMULATOR;

    const CHILD: &str = "WATCHFIX_TEST_STANDARD_ERROR";

    /// Plays a part of this file in a child, and gives what it wrote to standard error.
    fn of_child(name: &str, part: &str) -> String {
        let program = std::env::current_exe().unwrap();
        let emulator = std::env::var(EMULATOR).unwrap_or_default();
        let mut words = emulator
            .split_whitespace()
            .map(Path::new)
            .chain([program.as_path()]);
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, part)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert!(child.wait().unwrap().success(), "{said}");
        said
    }

    #[test]
    fn errors_in_the_rules_are_said_once_and_when_a_file_is_watched() {
        let Some(library) = library() else { return };
        if std::env::var_os(CHILD).is_none() {
            let name =
                "log::standard_error::errors_in_the_rules_are_said_once_and_when_a_file_is_watched";
            let said = of_child(name, "errors");
            let lines: Vec<&str> = said
                .lines()
                .filter(|line| line.starts_with("watchfix"))
                .collect();
            assert_eq!(lines.len(), 2, "{said}");
            assert!(lines[0].starts_with(
                "watchfix: WATCHFIX_STRIP: \"opne\" at byte 1 is not an event; allowed: access, "
            ));
            assert!(lines[0].ends_with("; the default holds"));
            assert_eq!(
                lines[1],
                "watchfix: WATCHFIX_MAX_WATCHES has no effect on macOS"
            );
            assert!(said.find("before").unwrap() < said.find("watchfix").unwrap());
            return;
        }
        let dir = dir();
        let program = Program::with(library, &["WATCHFIX_STRIP=opne", "WATCHFIX_MAX_WATCHES=9"]);
        eprintln!("before");
        let mut queue = program.queue();
        queue.watch(&file(&real(&dir), "a"), CLEAR);
        queue.watch(&file(&real(&dir), "b"), CLEAR);
        stream(&program, Form::Strings, FILES);
    }

    #[test]
    fn standard_error_that_is_another_file_by_now_is_not_written_to() {
        let Some(library) = library() else { return };
        let name =
            "log::standard_error::standard_error_that_is_another_file_by_now_is_not_written_to";
        if std::env::var_os(CHILD).is_none() {
            let said = of_child(name, "other");
            assert!(!said.contains("watchfix"), "{said}");
            return;
        }
        let dir = dir();
        let program = Program::with(library, &["WATCHFIX_LOG=stderr"]);
        let other = file(dir.path(), "database");
        let opened = std::fs::OpenOptions::new()
            .append(true)
            .open(&other)
            .unwrap();
        // SAFETY: two descriptors of this process.
        unsafe { libc::dup2(opened.as_raw_fd(), 2) };
        let mut queue = program.queue();
        queue.watch(&file(&real(&dir), "x.sqlite-wal"), CLEAR);
        assert_eq!(read_to_string(&other).unwrap(), "1");
    }

    /// Standard error is `writer` while a file is watched by a program whose log it is.
    fn watch(library: &[u8], writer: PipeWriter, before: impl FnOnce()) -> Vec<u32> {
        let dir = dir();
        let own = std::io::stderr().as_fd().try_clone_to_owned().unwrap();
        // SAFETY: two descriptors of this process, which is ended if it waits for ever.
        unsafe {
            libc::alarm(20);
            libc::dup2(writer.as_raw_fd(), 2);
        }
        let program = Program::with(library, &["WATCHFIX_LOG=stderr"]);
        before();
        let path = file(&real(&dir), "x.sqlite-wal");
        let mut queue = program.queue();
        queue.watch(&path, CLEAR);
        append(&path);
        let heard = queue.heard();
        // SAFETY: as above.
        unsafe { libc::dup2(own.as_raw_fd(), 2) };
        heard
    }

    /// A pipe that nobody reads ends a program that writes to it, by SIGPIPE.
    #[test]
    fn a_pipe_without_a_reader_ends_nobody() {
        let Some(library) = library() else { return };
        let name = "log::standard_error::a_pipe_without_a_reader_ends_nobody";
        if std::env::var_os(CHILD).is_none() {
            of_child(name, "pipe");
            return;
        }
        // SAFETY: a signal's default.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let (reader, writer) = std::io::pipe().unwrap();
        assert_eq!(watch(library, writer, || drop(reader)), [0; 0]);
        // SAFETY: a set that is filled in.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigpending(&mut set);
            let pending = libc::sigismember(&set, libc::SIGPIPE);
            assert_eq!(pending, 0, "it is taken back");
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut set);
            let blocked = libc::sigismember(&set, libc::SIGPIPE);
            assert_eq!(blocked, 0, "it is not blocked");
        }
    }

    /// One that is full keeps a program that writes to it waiting.
    #[test]
    fn a_full_pipe_keeps_nobody_waiting() {
        let Some(library) = library() else { return };
        let name = "log::standard_error::a_full_pipe_keeps_nobody_waiting";
        if std::env::var_os(CHILD).is_none() {
            of_child(name, "full");
            return;
        }
        let (reader, writer) = std::io::pipe().unwrap();
        // SAFETY: a descriptor of this process, filled without a wait. From then on it waits.
        unsafe {
            let fd = writer.as_raw_fd();
            libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
            while libc::write(fd, [0u8; 4096].as_ptr().cast(), 4096) > 0 {}
            libc::fcntl(fd, libc::F_SETFL, 0);
        }
        assert_eq!(watch(library, writer, || ()), [0; 0]);
        drop(reader);
    }
}
