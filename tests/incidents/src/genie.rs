//! Incident 3: every command starts the server when none runs, and two that do so at once both succeed.

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use support::{DEADLINE, Next, Victim};
use tempfile::TempDir;

/// How the victim claims to be the only server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claiming {
    /// PID file read, alive?, unlinked, written.
    Faulty,
    /// O_EXCL, `PID:START`, a sentinel that holds for 30 s.
    Correct,
}

/// Somebody's home, with the program's state in `.genie`.
pub struct Home {
    home: TempDir,
    node: PathBuf,
    claiming: Claiming,
}

impl Home {
    /// Makes an empty one. `None` where there is no Node.
    pub fn new(claiming: Claiming) -> Option<Home> {
        let home = tempfile::Builder::new().prefix("genie").tempdir().unwrap();
        let home = Home {
            home,
            node: support::tool("node")?,
            claiming,
        };
        fs::create_dir(home.state()).unwrap();
        Some(home)
    }

    /// Where the state is.
    pub fn state(&self) -> PathBuf {
        let home = self.home.path().canonicalize().unwrap();
        home.join(".genie")
    }

    /// The claim.
    pub fn pid_file(&self) -> PathBuf {
        self.state().join("serve.pid")
    }

    /// Where clients look for the server.
    pub fn port_file(&self) -> PathBuf {
        self.state().join("pgserve.port")
    }

    /// What says that the server is to stay stopped.
    pub fn sentinel(&self) -> PathBuf {
        self.state().join("serve.stopping.lock")
    }

    /// One command, not started. Its standard input and outputs become the server's that it starts.
    pub fn command(&self, name: &str, options: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("victims/genie.mjs");
        let claiming = match self.claiming {
            Claiming::Faulty => "faulty",
            Claiming::Correct => "correct",
        };
        let mut command = Command::new(&self.node);
        command
            .arg(script)
            .args([name, "--claim", claiming])
            .args(options)
            .current_dir("/")
            .env("HOME", self.home.path())
            .env_remove("GENIE_HOME")
            .env_remove("NODE_OPTIONS");
        command
    }

    /// Starts a command that goes on.
    pub fn start(&self, name: &str, options: &[&str]) -> Genie {
        Genie::start(&mut self.command(name, options))
    }

    /// Runs a command to its end and returns its last line.
    pub fn run(&self, name: &str) -> String {
        let (status, lines) = self.start(name, &[]).victim.finish();
        assert!(status.success(), "{name}: {status}: {lines:#?}");
        lines.last().cloned().unwrap_or_default()
    }
}

/// A command at work, with the server that it started.
pub struct Genie {
    victim: Victim,
}

impl Genie {
    /// Starts one that is not as [`Home::start`] makes it.
    pub fn start(command: &mut Command) -> Genie {
        Genie {
            victim: Victim::spawn(command),
        }
    }

    /// The PID of the command itself.
    pub fn pid(&self) -> u32 {
        self.victim.pid()
    }

    /// Waits for a line that begins with this word, and returns the rest of it.
    fn said(&mut self, word: &str) -> String {
        let lines = self.victim.lines_until(word, |line| {
            line.split_once(' ').map_or(line, |(first, _)| first) == word
        });
        let line = lines.last().map(String::as_str).unwrap_or_default();
        line.strip_prefix(word)
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    /// Waits until it says `word PID ...`, and returns the PID.
    pub fn pid_that(&mut self, word: &str) -> u32 {
        let rest = self.said(word);
        let pid = rest.split(' ').next().and_then(|pid| pid.parse().ok());
        pid.unwrap_or_else(|| panic!("{word:?} is followed by {rest:?}"))
    }

    /// Lets one that is held go on.
    pub fn go_on(&mut self) {
        self.victim.send("");
    }

    /// Waits for two refusals of a client, and returns the address that refused.
    pub fn refused(&mut self) -> String {
        let first = self.said("ECONNREFUSED");
        assert_eq!(self.said("ECONNREFUSED"), first);
        first
    }

    /// Waits until its server has ended, which it does with its standard input.
    pub fn end(self) {
        self.victim.finish();
    }

    /// Waits until its server was ended by somebody else: its outputs are closed then.
    pub fn ended(&mut self) {
        let end = self.victim.next_within(DEADLINE);
        assert!(matches!(end, Next::Ended), "{end:?} instead of its end");
    }
}

/// Ends a process at once, as a crash does.
pub fn crash(pid: u32) {
    let status = Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// Makes a file an hour old.
pub fn make_old(path: &Path) {
    let then = SystemTime::now() - Duration::from_secs(3600);
    let file = File::options().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(then)).unwrap();
}
