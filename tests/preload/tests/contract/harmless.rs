//! The host program comes first: whatever the library reports, it neither ends nor blocks its host, and it ignores
//! variables that it must not trust.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::*;

fn program() -> PathBuf {
    preload::program("use", "cc", &[]).unwrap()
}

/// What the program says with the library and its defaults.
const DEFAULT: &str = "mask:fce f:100 f:4 f:8";

/// Starts the program on a directory of its own with the library, and returns what it said. One that hangs fails.
fn used(command: &mut Command, watched: &Path, stderr: Stdio) -> String {
    fs::create_dir_all(watched).unwrap();
    let mut child = command
        .arg(watched)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap();
    let mut status = None;
    support::wait_until("the program has ended", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert!(status.unwrap().success(), "{status:?}: {text}");
    text.trim_end().to_owned()
}

fn with_library(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program());
    command.env("LD_PRELOAD", support::libwatchfix());
    command.envs(variables.iter().copied());
    command
}

/// What makes the library write to standard error.
const TALKS: [(&str, &str); 3] = [
    ("WATCHFIX_LOG", "stderr"),
    ("WATCHFIX_STRIP", "opne"),
    ("WATCHFIX_LOG", "/no/such/directory/log"),
];

fn pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = std::io::pipe().unwrap();
    (read.into(), write.into())
}

/// Writes until nothing more fits.
fn fill(write: &OwnedFd) {
    use std::os::fd::AsRawFd;
    let set_flags = |flags: i32| {
        // SAFETY: the descriptor is open, and its flags are a number.
        let r = unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETFL, flags) };
        assert_eq!(r, 0);
    };
    set_flags(libc::O_NONBLOCK);
    let mut file = File::from(write.try_clone().unwrap());
    while file.write(&[b'x'; 4096]).is_ok() {}
    set_flags(0);
}

#[test]
fn a_standard_error_that_nobody_reads_neither_kills_nor_blocks() {
    let dir = dir();
    for (i, talk) in TALKS.into_iter().enumerate() {
        let (read, write) = pipe();
        drop(read);
        let closed = dir.path().join(format!("closed{i}"));
        assert_eq!(
            used(&mut with_library(&[talk]), &closed, write.into()),
            DEFAULT
        );

        let (read, write) = pipe();
        fill(&write);
        let full = dir.path().join(format!("full{i}"));
        assert_eq!(
            used(&mut with_library(&[talk]), &full, write.into()),
            DEFAULT
        );
        drop(read);

        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        drop(far);
        let socket = dir.path().join(format!("socket{i}"));
        assert_eq!(
            used(
                &mut with_library(&[talk]),
                &socket,
                OwnedFd::from(near).into()
            ),
            DEFAULT
        );
    }
}

/// Every kind of standard error that can be written to is.
#[test]
fn a_standard_error_that_is_read_gets_the_line() {
    let dir = dir();
    let log = [("WATCHFIX_LOG", "stderr")];
    let wanted = "create \"a.sqlite\" removed";

    let (read, write) = pipe();
    used(
        &mut with_library(&log),
        &dir.path().join("pipe"),
        write.into(),
    );
    let mut text = String::new();
    File::from(read).read_to_string(&mut text).unwrap();
    assert!(text.contains(wanted), "{text}");

    let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
    used(
        &mut with_library(&log),
        &dir.path().join("socket"),
        OwnedFd::from(near).into(),
    );
    let mut text = String::new();
    far.read_to_string(&mut text).unwrap();
    assert!(text.contains(wanted), "{text}");

    let path = dir.path().join("file");
    used(
        &mut with_library(&log),
        &dir.path().join("w"),
        File::create(&path).unwrap().into(),
    );
    assert!(fs::read_to_string(&path).unwrap().contains(wanted));
}

#[test]
fn a_log_that_is_not_a_regular_file_is_left_alone() {
    let dir = dir();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let fifo = path("fifo");
    let status = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(status.success());
    std::os::unix::fs::symlink(path("target"), path("link")).unwrap();
    for log in [
        fifo,
        path("link"),
        "/dev/full".to_owned(),
        "/dev/ptmx".to_owned(),
        path(""),
    ] {
        let watched = dir.path().join("w");
        let (read, write) = pipe();
        let mut command = with_library(&[("WATCHFIX_LOG", &log)]);
        assert_eq!(used(&mut command, &watched, write.into()), DEFAULT, "{log}");
        drop(command);
        let mut said = String::new();
        File::from(read).read_to_string(&mut said).unwrap();
        assert!(
            said.contains("cannot be opened for writing"),
            "{log}: {said}"
        );
        fs::remove_dir_all(watched).unwrap();
    }
    assert!(!dir.path().join("target").exists());
}

#[test]
fn a_log_at_its_limit_ends_nothing() {
    let dir = dir();
    let log = dir.path().join("log");
    fs::write(&log, vec![b'x'; 8192]).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -f 1; exec \"$0\" \"$1\""])
        .arg(program())
        .env("LD_PRELOAD", support::libwatchfix())
        .env("WATCHFIX_LOG", &log);
    let said = used(&mut command, &dir.path().join("w"), Stdio::null());
    assert_eq!(said, DEFAULT);
    assert_eq!(fs::metadata(&log).unwrap().len(), 8192);
}

/// With little memory the one rule that needs much is off, and the log says so.
#[test]
fn a_budget_without_memory_leaves_the_other_rules() {
    let dir = dir();
    let watched = dir.path().join("w");
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 60000; exec \"$0\" \"$1\""])
        .arg(program())
        .env("LD_PRELOAD", support::libwatchfix())
        .env("WATCHFIX_DROP", &watched)
        .env("WATCHFIX_MAX_WATCHES", "100000000");
    let (read, write) = pipe();
    let said = used(&mut command, &watched, write.into());
    drop(command);
    assert_eq!(said, "mask:c00");
    let mut text = String::new();
    File::from(read).read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.starts_with("watchfix: WATCHFIX_MAX_WATCHES: "),
        "{text}"
    );
}

/// A set-user-ID program acts for its owner, and its variables are somebody else's.
#[test]
fn a_program_with_more_rights_than_its_user_ignores_the_variables() {
    if !support::is_root() {
        return support::skip("a set-user-ID program of root's needs root");
    }
    let dir = dir();
    let path = |name: &str| dir.path().join(name);
    let chmod = |name: &str, mode| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    support::install(&program(), &path("program"));
    chmod("program", 0o4755);
    fs::copy(support::libwatchfix(), path("libwatchfix.so")).unwrap();
    for name in ["secret", "w", "etc"] {
        fs::create_dir(path(name)).unwrap();
    }
    chmod("secret", 0o700);
    // The loader takes it into every process of this mount namespace: nobody need ask for it.
    let script = "
        mount -t tmpfs none etc && mkdir etc/up etc/work || exit 77
        mount -t overlay none -o lowerdir=/etc,upperdir=etc/up,workdir=etc/work /etc || exit 77
        echo \"$PWD/libwatchfix.so\" >/etc/ld.so.preload
        WATCHFIX_LOG=$PWD/secret/log WATCHFIX_STRIP=none WATCHFIX_IGNORE=f \\
            exec setpriv --reuid=65534 --regid=65534 --clear-groups ./program w";
    let out = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .current_dir(dir.path())
        .output()
        .unwrap();
    if out.status.code() == Some(77) {
        return support::skip(&format!("no overlay can be mounted on /etc: {out:?}"));
    }
    assert_eq!(
        String::from_utf8_lossy(&out.stdout).trim(),
        DEFAULT,
        "{out:?}"
    );
    assert_eq!(fs::read_dir(path("secret")).unwrap().count(), 0);
}

#[test]
fn valgrind_reports_nothing() {
    let dir = dir();
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--error-exitcode=9"])
        .arg(program())
        .env("LD_PRELOAD", support::libwatchfix());
    if Command::new("valgrind").arg("--version").output().is_err() {
        return support::skip("valgrind is not installed");
    }
    let (read, write) = pipe();
    assert_eq!(
        used(&mut command, &dir.path().join("w"), write.into()),
        DEFAULT
    );
    drop(command);
    let mut said = String::new();
    File::from(read).read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}
