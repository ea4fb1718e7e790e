//! What this machine and this user can do: what is expected of the programs follows from it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// CAP_SYS_ADMIN and CAP_SYS_PTRACE (include/uapi/linux/capability.h).
const SYS_ADMIN: u32 = 21;
const SYS_PTRACE: u32 = 19;

/// The machine as this process sees it.
pub struct Machine {
    programs: PathBuf,
    release: String,
    version: (u32, u32),
    root: bool,
    /// kernel.yama.ptrace_scope
    pub yama: u32,
    capabilities: u64,
    /// A container's seccomp profile is in force.
    pub profile: bool,
}

impl Machine {
    /// This one, with the programs to check in `programs`.
    pub fn seen(programs: &Path) -> Machine {
        let text = |path: &str| {
            fs::read_to_string(path)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let release = text("/proc/sys/kernel/osrelease");
        let status = text("/proc/self/status");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or("0").trim().to_owned()
        };
        let mut numbers = release
            .split(['.', '-'])
            .map(|word| word.parse().unwrap_or(0));
        Machine {
            programs: programs.canonicalize().unwrap(),
            version: (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)),
            root: support::is_root(),
            yama: text("/proc/sys/kernel/yama/ptrace_scope")
                .parse()
                .unwrap_or(0),
            capabilities: u64::from_str_radix(&field("CapEff:"), 16).unwrap(),
            profile: field("Seccomp:") == "2",
            release,
        }
    }

    /// Whether the kernel is this one or a later one.
    pub fn since(&self, version: (u32, u32)) -> bool {
        self.version >= version
    }

    fn can(&self, capability: u32) -> bool {
        self.capabilities >> capability & 1 == 1
    }

    /// Whether descriptors may be copied from a process of this user that is no child: what `heal` and `pause` need.
    pub fn may_heal(&self) -> bool {
        let traces = match self.yama {
            0 => true,
            1 | 2 => self.can(SYS_PTRACE),
            _ => false,
        };
        traces && !self.profile
    }

    /// Whether `run` may supervise what it starts: a child of this user.
    pub fn may_supervise(&self) -> bool {
        match self.yama {
            0 | 1 => true,
            2 => self.can(SYS_PTRACE),
            _ => false,
        }
    }

    /// Whether the reads of what is supervised are judged: WAIT_KILLABLE_RECV.
    pub fn judges_reads(&self) -> bool {
        self.since((5, 19))
    }

    /// Whether fanotify tells who caused an event.
    pub fn sees_causes(&self) -> bool {
        self.root && self.can(SYS_ADMIN) && !self.profile
    }

    /// A file beside the programs.
    pub fn file(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// One of the programs, without rules of whoever started this.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.file(name));
        support::without_rules(&mut command);
        command
    }

    /// `watchfix ARGUMENTS`, run to its end.
    pub fn watchfix(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.program("watchfix").args(arguments))
    }

    /// `fdscan ARGUMENTS`, run to its end.
    pub fn fdscan(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.program("fdscan").args(arguments))
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if self.root { "root" } else { "user" };
        let profile = if self.profile {
            ", seccomp profile"
        } else {
            ""
        };
        write!(
            f,
            "Linux {} {}, {user}, Yama {}{profile}, capabilities {:x}",
            self.release,
            std::env::consts::ARCH,
            self.yama,
            self.capabilities
        )
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// What it wrote.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

impl Ended {
    /// Runs `command` to its end.
    pub fn of(command: &mut Command) -> Ended {
        let Output {
            status,
            stdout,
            stderr,
        } = command
            .output()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            status: status.code(),
            out: text(&stdout),
            err: text(&stderr),
        }
    }

    /// What it wrote, if it ended with this status.
    #[track_caller]
    pub fn with(self, status: i32) -> String {
        assert_eq!(self.status, Some(status), "{} {}", self.out, self.err);
        self.out
    }

    /// The same as JSON.
    #[track_caller]
    pub fn json(self, status: i32) -> serde_json::Value {
        let text = self.with(status);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}
