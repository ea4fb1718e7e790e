//! The shim's contract, on C programs.
//!
//! Most tests drive `c/probe.c`, a program that makes the calls it gets and prints what came of
//! each, with and without the library.

// A test helper fails the test by panicking, with a sentence that says what was missing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod transparency;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use support::Victim;
use tempfile::TempDir;

/// A C program of this package, compiled once per test process.
///
/// # Errors
/// Why `compiler` could not make it.
pub fn program(name: &str, compiler: &str, args: &[&str]) -> Result<PathBuf, String> {
    static DIR: OnceLock<TempDir> = OnceLock::new();
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(|e| e.into_inner());
    let key = format!("{compiler} {name} {args:?}");
    if let Some(path) = built.get(&key) {
        return Ok(path.clone());
    }
    let dir = DIR.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        open_to_all(dir.path());
        dir
    });
    let into = dir.path().join(built.len().to_string());
    std::fs::create_dir_all(&into).expect("a directory can be made");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("c/{name}.c"));
    let path = support::compile_c(compiler, &source, &into, args)?;
    built.insert(key, path.clone());
    Ok(path)
}

/// Lets other users in: tests also run programs as one without privileges.
pub fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))
        .expect("the directory is ours");
}

/// The probe, compiled by the system's C compiler.
pub fn probe_program() -> PathBuf {
    program("probe", "cc", &[]).expect("the system has a C compiler")
}

/// A record as a program sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The watch descriptor.
    pub wd: i32,
    /// The mask.
    pub mask: u32,
    /// The name, empty for the watched inode itself.
    pub name: String,
}

/// The record a program gets when every other one was removed. `known` says whether its watches were
/// placed through the hook, by this program and this descriptor.
pub fn filler(known: bool) -> Vec<Seen> {
    vec![Seen {
        wd: -1,
        mask: if known { 0 } else { libc::IN_IGNORED },
        name: String::new(),
    }]
}

/// What came of one call: the number it returned, or the errno's name.
pub type Outcome = Result<i64, String>;

/// A running probe.
pub struct Probe(pub Victim);

impl Probe {
    /// Starts one without the library.
    pub fn bare() -> Probe {
        Probe::start(&mut Command::new(probe_program()))
    }

    /// Starts one with the library and these `WATCHFIX_*` variables.
    pub fn shimmed(variables: &[(&str, &str)]) -> Probe {
        let mut command = Command::new(probe_program());
        command.env("LD_PRELOAD", support::libwatchfix());
        command.envs(variables.iter().copied());
        Probe::start(&mut command)
    }

    /// Starts a probe by its whole command.
    pub fn start(command: &mut Command) -> Probe {
        let mut victim = Victim::spawn(command);
        victim.line_with("READY");
        Probe(victim)
    }

    /// Has it make one call; returns the lines before the result, and the result.
    pub fn ask(&mut self, call: &str) -> (Vec<String>, Outcome) {
        self.0.send(call);
        let mut lines = self
            .0
            .lines_until(call, |l| l.starts_with("= ") || l.starts_with("! "));
        let last = lines.pop().expect("there is a result");
        let outcome = match last.strip_prefix("= ") {
            Some(number) => Ok(number
                .parse()
                .unwrap_or_else(|_| panic!("{call}: the result is {number}"))),
            None => Err(last.trim_start_matches("! ").to_owned()),
        };
        let lines = lines
            .into_iter()
            .filter_map(|l| l.strip_prefix(": ").map(str::to_owned))
            .collect();
        (lines, outcome)
    }

    /// Has it make a call that must succeed.
    pub fn number(&mut self, call: &str) -> i64 {
        self.ask(call).1.unwrap_or_else(|e| panic!("{call}: {e}"))
    }

    /// Makes a non-blocking instance.
    pub fn init(&mut self) -> i64 {
        self.number(&format!("init {:#x}", libc::IN_NONBLOCK))
    }

    /// Places a watch.
    pub fn add(&mut self, fd: i64, mask: u32, path: &Path) -> i64 {
        self.number(&format!("add {fd} {mask:#x} {}", path.display()))
    }

    /// The kernel's masks of an instance by watch descriptor, as fdinfo has them.
    pub fn masks(&mut self, fd: i64) -> BTreeMap<u32, u32> {
        let (lines, _) = self.ask(&format!("masks {fd}"));
        lines
            .iter()
            .map(|line| {
                let (wd, mask) = line.split_once(' ').expect("wd and mask");
                (wd.parse().expect("a wd"), hex(mask))
            })
            .collect()
    }

    /// Reads once; `how` is a function's name as the probe knows it.
    pub fn read_as(&mut self, fd: i64, size: usize, how: &str) -> (Vec<Seen>, Outcome) {
        let (lines, outcome) = self.ask(&format!("read {fd} {size} {how}"));
        let seen = lines
            .iter()
            .map(|line| {
                let mut words = line.splitn(4, ' ');
                let mut word = || words.next().unwrap_or_else(|| panic!("a record: {line}"));
                let (wd, mask) = (word(), word());
                word();
                Seen {
                    wd: wd.parse().unwrap_or_else(|_| panic!("a record: {line}")),
                    mask: hex(mask),
                    name: word().to_owned(),
                }
            })
            .collect();
        (seen, outcome)
    }

    /// Reads whatever is there with a large buffer.
    pub fn read(&mut self, fd: i64) -> Vec<Seen> {
        let (seen, outcome) = self.read_as(fd, 65536, "read");
        outcome.unwrap_or_else(|e| panic!("read: {e}"));
        seen
    }

    /// What it reads as (mask, name).
    pub fn events(&mut self, fd: i64) -> Vec<(u32, String)> {
        self.read(fd)
            .into_iter()
            .map(|s| (s.mask, s.name))
            .collect()
    }
}

fn hex(text: &str) -> u32 {
    u32::from_str_radix(text.trim_start_matches("0x"), 16)
        .unwrap_or_else(|_| panic!("a hex number: {text}"))
}
