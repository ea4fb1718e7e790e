//! What the tests share: processes in a known state, and watchfix healing them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use support::Victim;

pub use support::ready;
use tempfile::TempDir;

/// watchfix, with no rules but those of the test.
pub fn watchfix() -> Command {
    bare(Command::new(env!("CARGO_BIN_EXE_watchfix")))
}

/// Takes the rules of the user who runs the tests out of a command's environment.
pub fn bare(mut command: Command) -> Command {
    support::without_rules(&mut command);
    command
}

/// One run of `watchfix heal`.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn of(output: Output) -> Run {
        Run {
            code: output.status.code().expect("it is not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What it said when everything went well.
    #[track_caller]
    pub fn good(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }
}

/// `watchfix heal ARGS PID`
pub fn heal(pid: u32, args: &[&str]) -> Run {
    let mut command = watchfix();
    command.arg("heal").args(args).arg(pid.to_string());
    Run::of(command.output().unwrap())
}

/// An empty directory, its path resolved.
pub fn directory() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().canonicalize().unwrap();
    (dir, path)
}

/// mkfds in a state on `dir`, complete.
pub fn mkfds(dir: &Path, args: &[&str]) -> Victim {
    let mut command = Command::new(support::binary("mkfds", "mkfds"));
    ready(command.args(args).arg("--dir").arg(dir))
}

/// keeper (tests/c/keeper.c), ready.
pub fn keeper(args: &[&str]) -> Victim {
    ready(Command::new(keeper_binary()).args(args))
}

/// keeper's program.
pub fn keeper_binary() -> &'static Path {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let dir = TempDir::new().unwrap();
        let source = support::root().join("launch/tests/c/keeper.c");
        let path = support::compile_c("cc", &source, dir.path(), &[]).unwrap();
        (dir, path)
    });
    path
}

/// What `keeper serve` answers to a line.
#[track_caller]
pub fn ask(keeper: &mut Victim, line: &str) -> i32 {
    keeper.send(line);
    let answer = keeper.lines_until("an answer", |l| l.starts_with(['=', '!']));
    let answer = answer.last().unwrap();
    let number = answer.strip_prefix("= ").and_then(|n| n.parse().ok());
    number.unwrap_or_else(|| panic!("{line}: {answer}"))
}

/// How many watches a process has with which mask.
pub fn masks(pid: u32) -> BTreeMap<u32, usize> {
    let mut masks = BTreeMap::new();
    for watch in support::watches(pid) {
        *masks.entry(watch.mask).or_default() += 1;
    }
    masks
}

/// A directory every user may enter, with watchfix and keeper, which every user may run there.
pub fn shared() -> (TempDir, PathBuf) {
    let (dir, path) = directory();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    mode(&path, 0o777);
    for program in [Path::new(env!("CARGO_BIN_EXE_watchfix")), keeper_binary()] {
        support::share(program, &path.join(program.file_name().unwrap()));
    }
    (dir, path)
}

/// `program` as user `uid`, without groups and capabilities.
pub fn as_user(uid: u32, program: &Path) -> Command {
    let mut command = bare(support::as_user(uid, program));
    command.env_remove("XDG_RUNTIME_DIR");
    command
}

/// `watchfix heal ARGS PID` as user `uid`, by the watchfix in `programs` ([`shared`]).
pub fn heal_as(uid: u32, programs: &Path, pid: u32, args: &[&str]) -> Run {
    let mut command = as_user(uid, &programs.join("watchfix"));
    command.arg("heal").args(args).arg(pid.to_string());
    Run::of(command.output().unwrap())
}

/// Where the records of a user without a directory of its own are.
pub fn records_of(uid: u32) -> String {
    format!("/tmp/{}-{uid}", inspect::gather::records_directory())
}

/// Whether this is root; if not, says that the test is skipped.
pub fn needs_root() -> bool {
    if !support::is_root() {
        support::skip("needs root, to be other users and to mount");
    }
    support::is_root()
}
