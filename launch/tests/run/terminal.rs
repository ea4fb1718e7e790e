//! Job control, at a real terminal: a shell, watchfix in its foreground or background, keys.

use super::given::probe;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;
use support::DEADLINE;

/// A new terminal: both ends, close-on-exec from the start, as other tests start programs at the same time.
fn terminal() -> (OwnedFd, OwnedFd) {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    let mut name = [0; 64];
    // SAFETY: the name has room for what is said, and each new descriptor is checked and owned once.
    unsafe {
        let master = libc::posix_openpt(flags);
        assert!(master >= 0);
        let master = OwnedFd::from_raw_fd(master);
        assert_eq!(libc::unlockpt(master.as_raw_fd()), 0);
        assert_eq!(
            libc::ptsname_r(master.as_raw_fd(), name.as_mut_ptr(), name.len()),
            0
        );
        let slave = libc::open(name.as_ptr(), flags);
        assert!(slave >= 0);
        (master, OwnedFd::from_raw_fd(slave))
    }
}

/// A shell that leads the session of a terminal of its own.
struct Shell {
    child: Child,
    keys: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Shell {
    fn start() -> Shell {
        let (master, slave) = terminal();
        let number = slave.as_raw_fd();
        let mut command = Command::new("bash");
        command
            .args(["--norc", "--noprofile", "-i"])
            .env("PS1", "$ ")
            .env("TERM", "dumb");
        command.env("RUN", format!("{} run --", env!("CARGO_BIN_EXE_watchfix")));
        command.env("PROBE", probe()).env("HISTFILE", "");
        // bash would leave what is ignored ignored.
        support::with_usual_signals(&mut command);
        // SAFETY: system calls that are allowed between fork and exec.
        unsafe {
            command.pre_exec(move || {
                libc::setsid();
                libc::ioctl(number, libc::TIOCSCTTY, 0);
                for stream in 0..=2 {
                    libc::dup2(number, stream);
                }
                libc::close(number);
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        drop(slave);
        let keys = File::from(master);
        let mut from = keys.try_clone().unwrap();
        let (tx, screen) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // EIO when the last process has closed the terminal.
            while let Ok(n @ 1..) = from.read(&mut piece) {
                if tx.send(piece[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut shell = Shell {
            child,
            keys,
            screen,
            seen: String::new(),
        };
        shell.sees("$ ");
        shell
    }

    /// Types `keys`.
    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the prompt, which a key may make the shell throw typed text away before, and asks for the status.
    fn status(&mut self) -> String {
        self.sees("$ ");
        self.types("echo sta\"\"tus=$?.\n");
        self.sees("status=");
        let status = self.sees(".").trim_end_matches('.').to_owned();
        self.sees("$ ");
        status
    }

    /// Waits until the launcher, continued before, has run again. Before that a key stops it directly, and not when the
    /// command has stopped, which then may still take what is typed next.
    fn launcher_is_back(&self) {
        let shell = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
        let launcher = children.unwrap().trim().to_owned();
        support::wait_until("the launcher does not go on", || {
            let status = std::fs::read_to_string(format!("/proc/{launcher}/status")).unwrap();
            let set = status.split("SigBlk:").nth(1).unwrap().trim_start();
            u64::from_str_radix(&set[..16], 16).unwrap() & 1 << (libc::SIGTSTP - 1) != 0
        });
    }

    /// Waits until the screen shows `text`, and forgets all up to there.
    fn sees(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            if let Some(at) = self.seen.find(text) {
                return self.seen.drain(..at + text.len()).collect();
            }
            let left = DEADLINE.saturating_sub(start.elapsed());
            match self.screen.recv_timeout(left) {
                Ok(piece) => self.seen.push_str(&String::from_utf8_lossy(&piece)),
                Err(e) => panic!("no {text:?} ({e}) in {:?}", self.seen),
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const INTERRUPT: &str = "\x03";
const QUIT: &str = "\x1c";
const STOP: &str = "\x1a";

#[test]
fn an_interrupt_ends_the_command_and_nothing_else() {
    let mut shell = Shell::start();
    for (key, status) in [(INTERRUPT, "130"), (QUIT, "131")] {
        shell.types("$RUN sh -c 'echo re\"\"ady; exec sleep 1000'\n");
        shell.sees("ready\r\n");
        shell.types(key);
        assert_eq!(shell.status(), status);
    }
}

#[test]
fn a_command_that_handles_an_interrupt_gets_it_once_and_goes_on() {
    let mut shell = Shell::start();
    let script =
        "n=0; trap \"let n+=1; echo int=\\$n\" INT; echo re\"\"ady; read x; echo had $n; exit 9";
    shell.types(&format!("$RUN bash -c '{script}'\n"));
    shell.sees("ready\r\n");
    shell.types(INTERRUPT);
    shell.sees("int=1");
    shell.types("on\n");
    shell.sees("had 1");
    assert_eq!(shell.status(), "9");
}

#[test]
fn a_stopped_command_is_a_stopped_job_and_goes_on_in_the_foreground() {
    let mut shell = Shell::start();
    shell.types("$RUN sh -c 'while read x; do echo got=$x; done; exit 6'\n");
    for round in 0..4 {
        // It has the terminal when it answers.
        shell.types(&format!("{round}\n"));
        shell.sees(&format!("got={round}"));
        shell.launcher_is_back();
        shell.types(STOP);
        shell.sees("Stopped");
        assert_eq!(shell.status(), "148");
        shell.types("fg\n");
    }
    shell.types("4\n");
    shell.sees("got=4");
    shell.types("\x04");
    assert_eq!(shell.status(), "6");
}

#[test]
fn a_background_job_that_reads_the_terminal_stops_until_it_is_in_the_foreground() {
    let mut shell = Shell::start();
    shell.types("$RUN sh -c 'read x; echo got=$x' &\n");
    shell.types("wait %1; echo \"status=\"$?\n");
    shell.sees("status=149");
    shell.types("fg\n");
    shell.sees("read x");
    shell.types("hello\n");
    shell.sees("got=hello");
}

#[test]
fn a_stopped_job_can_be_sent_to_the_background_and_killed() {
    let mut shell = Shell::start();
    shell.types("$RUN sh -c 'echo re\"\"ady; exec sleep 1000'\n");
    shell.sees("ready\r\n");
    shell.types(STOP);
    shell.sees("Stopped");
    shell.sees("$ ");
    shell.types("bg\n");
    shell.types("jobs -r\n");
    shell.sees("Running");
    shell.types("kill %1; wait %1; echo \"status=\"$?\n");
    shell.sees("status=143");
}

#[test]
fn a_stopped_job_of_which_only_the_launcher_is_continued_goes_on() {
    let mut shell = Shell::start();
    shell.types("$RUN sh -c 'echo re\"\"ady; exec sleep 1000'\n");
    shell.sees("ready\r\n");
    shell.types(STOP);
    shell.sees("Stopped");
    shell.sees("$ ");
    // By its PID, not as a job.
    shell.types("kill -CONT $(jobs -p)\n");
    shell.types("until ps -o stat= --ppid $(pgrep -P $(jobs -p)) | grep -v T; do sleep 0.05; done; echo go\"\"es\n");
    shell.sees("goes");
    shell.types("kill %1; wait %1; echo \"status=\"$?\n");
    shell.sees("status=143");
}

#[test]
fn a_command_killed_while_it_is_stopped_ends_the_job() {
    let mut shell = Shell::start();
    shell.types("$RUN sh -c 'echo p\"\"id=$$; read x'\n");
    shell.sees("pid=");
    let pid = shell.sees("\r\n");
    shell.types(STOP);
    shell.sees("Stopped");
    shell.sees("$ ");
    shell.types(&format!("kill -9 {}\n", pid.trim()));
    shell.types("until jobs | grep Killed; do sleep 0.05; done\n");
    shell.sees("Killed  ");
}

#[test]
fn the_command_is_in_the_foreground_group_of_the_terminal() {
    let mut shell = Shell::start();
    shell.types(
        "$RUN sh -c 'ps -o tty=,pgid=,tpgid= -p $$ | (read t p g; echo group=$((p==g)) tty=$t)'\n",
    );
    assert!(shell.sees("tty=pts").contains("group=1"));
    shell.types("$RUN stty -a | grep -c isig\n");
    shell.sees("1\r\n");
}

#[test]
fn a_supervisor_that_outlives_the_shell_keeps_no_terminal() {
    let mut shell = Shell::start();
    shell.types("$RUN sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo p\"\"id=$!'\n");
    shell.sees("pid=");
    let daemon: i32 = shell.sees("\r\n").trim().parse().unwrap();
    shell.types("exit\n");
    shell.child.wait().unwrap();
    // The end of the terminal: nobody has it open any more.
    let ended = loop {
        match shell.screen.recv_timeout(DEADLINE) {
            Ok(_) => {}
            Err(e) => break e,
        }
    };
    assert_eq!(ended, std::sync::mpsc::RecvTimeoutError::Disconnected);
    // SAFETY: kill has no memory effects; the process was made by this test.
    assert_eq!(unsafe { libc::kill(daemon, libc::SIGKILL) }, 0);
}
