//! What is not the shim's passes through untouched.

use std::fs;

use preload::Probe;

use crate::*;

/// Bytes that look like a record of an ignored name in a file, which is not an inotify instance.
fn record_like() -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [1u32, IN_OPEN, 0, 16] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(b"a.sqlite\0\0\0\0\0\0\0\0");
    bytes
}

#[test]
fn a_file_that_looks_like_records_is_read_as_it_is() {
    let dir = dir();
    let file = dir.path().join("records");
    fs::write(&file, record_like().repeat(3)).unwrap();
    for how in ["read", "__read", "__read_chk", "syscall", "readv32"] {
        let mut probe = Probe::shimmed(&[]);
        let fd = probe.number(&format!("open {}", file.display()));
        let (seen, n) = probe.read_as(fd, 4096, how);
        assert_eq!(n, Ok(96), "{how}");
        assert_eq!(seen.len(), 3, "{how}");
        assert!(seen.iter().all(|s| s.mask == IN_OPEN), "{how}");
    }
}

#[test]
fn a_fifo_that_carries_records_is_read_as_it_is() {
    let dir = dir();
    let path = dir.path().join("fifo");
    let status = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
    // Read and write, so that neither end waits for the other.
    let keep = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.number(&format!("open {}", path.display()));
    use std::io::Write;
    (&keep).write_all(&record_like()).unwrap();
    assert_eq!(probe.read_as(fd, 4096, "read").1, Ok(32));
}

#[test]
fn every_word_of_a_system_call_arrives() {
    assert_eq!(Probe::bare().number("syscall-six"), 0);
    assert_eq!(Probe::shimmed(&[]).number("syscall-six"), 0);
}

#[test]
fn off_is_as_if_nothing_were_loaded() {
    let dir = dir();
    let file = dir.path().join("a.sqlite");
    write(&file, "x");
    let drop = dir.path().display().to_string();
    let read = |mut probe: Probe| {
        let fd = probe.init();
        probe.add(fd, 0xfff, dir.path());
        look_at(&file);
        touch(&file);
        (probe.masks(fd), probe.read(fd))
    };
    let off = [("WATCHFIX_OFF", "1"), ("WATCHFIX_DROP", drop.as_str())];
    assert_eq!(read(Probe::shimmed(&off)), read(Probe::bare()));
}

/// musl's dynamic programs load the library too, and have no `__read_chk` behind it.
#[test]
fn a_dynamic_musl_program_is_served_as_well() {
    let program = match preload::program("musl", "musl-gcc", &[]) {
        Ok(program) => program,
        Err(why) => return support::skip(&format!("no dynamic musl program: {why}")),
    };
    let dir = dir();
    let run = |preload: bool| {
        let mut command = std::process::Command::new(&program);
        command.arg(dir.path());
        if preload {
            command.env("LD_PRELOAD", support::libwatchfix());
        }
        let out = command.output().unwrap();
        assert!(out.status.success(), "{out:?}");
        String::from_utf8(out.stdout).unwrap()
    };
    assert_eq!(run(false), "create open close_write open\n");
    assert_eq!(run(true), "create close_write\n");
}

#[test]
fn an_unprivileged_user_is_served_as_well() {
    if !support::is_root() {
        // Then every other test is one.
        return;
    }
    let dir = dir();
    let so = dir.path().join("libwatchfix.so");
    fs::copy(support::libwatchfix(), &so).unwrap();
    let mut command = support::as_user(65534, &preload::probe_program());
    command
        .env("LD_PRELOAD", &so)
        .env("WATCHFIX_DROP", dir.path().join("state"));
    fs::create_dir(dir.path().join("state")).unwrap();
    let mut probe = Probe::start(&mut command);
    let fd = probe.init();
    probe.add(fd, 0x3ee, dir.path());
    probe.add(fd, 0x3ee, &dir.path().join("state"));
    assert_eq!(probe.masks(fd)[&1], 0x3ce);
    write(dir.path().join("state/f"), "x");
    write(dir.path().join("f"), "x");
    assert!(probe.read(fd).iter().all(|s| s.wd == 1));
}
