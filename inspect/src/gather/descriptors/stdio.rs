//! Whether somebody is left at the other ends of a process's standard input and output.

use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Descriptor, Kind, Process};
use crate::sys;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;

/// Whether its standard input and output are pipes whose other ends are both closed. Then the program that started it
/// to talk to it is gone, such as the editor that started a language server.
pub fn is_gone(dir: &ProcDir, process: &Process) -> bool {
    let pipe = |fd: i32| {
        let mut all = process.descriptors.iter();
        all.find(|d| d.fd == fd && d.kind == Kind::Pipe)
    };
    let (Some(input), Some(output)) = (pipe(0), pipe(1)) else {
        return false;
    };
    // A pipe to itself has both ends in this process.
    let is_own = |pipe: &Descriptor| {
        let ends = process.descriptors.iter();
        ends.filter(|d| d.target == pipe.target).count() > 1
    };
    input.target != output.target
        && !is_own(input)
        && reopen(dir, 0, false).is_ok_and(|pipe| sys::has_hung_up(pipe.as_fd()))
        && reopen(dir, 1, true).is_ok_and(|pipe| sys::has_hung_up(pipe.as_fd()))
}

/// Opens its own end of a pipe for a moment. Nothing is read or written.
fn reopen(dir: &ProcDir, fd: i32, write: bool) -> io::Result<File> {
    let found = dir.open_file(format!("fd/{fd}").as_bytes(), libc::O_PATH)?;
    let own = format!("/proc/self/fd/{}", found.as_raw_fd());
    // It may refer to something else by now, and opening an arbitrary FIFO could have effects.
    if !std::fs::read_link(&own)?
        .as_os_str()
        .as_encoded_bytes()
        .starts_with(b"pipe:[")
    {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut options = OpenOptions::new();
    options
        .read(!write)
        .write(write)
        .custom_flags(libc::O_NONBLOCK);
    options.open(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    /// The verdict about a sleep between two pipes whose other ends are open or closed.
    fn looks(close_input: bool, close_output: bool) -> bool {
        let mut child = Command::new("sleep")
            .arg("1000")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let _kept = (
            input.filter(|_| !close_input),
            output.filter(|_| !close_output),
        );
        let dir = ProcDir::open(child.id()).unwrap();
        let descriptor = |fd: i32| Descriptor {
            target: format!("pipe:[{fd}]").as_str().into(),
            ..Descriptor::of_kind(fd, Kind::Pipe)
        };
        let process = Process {
            pid: child.id(),
            descriptors: vec![descriptor(0), descriptor(1)],
            ..Process::default()
        };
        // A process that another test starts has copies of both ends until it calls exec.
        let closed = close_input && close_output;
        let began = Instant::now();
        let mut gone = is_gone(&dir, &process);
        while closed && !gone && began.elapsed() < Duration::from_secs(30) {
            std::thread::yield_now();
            gone = is_gone(&dir, &process);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        gone
    }

    #[test]
    fn a_client_that_closed_both_ends_is_gone_and_one_that_closed_one_is_not() {
        assert!(looks(true, true));
        // `echo x | sleep 1000 | cat`
        assert!(!looks(true, false));
        assert!(!looks(false, true));
        assert!(!looks(false, false));
    }
}
