//! What the tests start: watchfix, and the C programs under `tests/c`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use tempfile::TempDir;

/// What is compiled lives as long as the tests, and is removed by the next run's.
fn place() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("run");
        fs::create_dir_all(&dir).unwrap();
        dir
    })
}

/// A C program of the tests, compiled once by `compiler` with `args`, under a name that tells it from others.
///
/// # Errors
/// What the compiler said.
pub fn compiled(
    source: &str,
    name: &str,
    compiler: &str,
    args: &[&str],
) -> Result<PathBuf, String> {
    static COMPILED: Mutex<BTreeMap<[String; 2], Result<PathBuf, String>>> =
        Mutex::new(BTreeMap::new());
    // Another test that wants the same waits for it, and does not write anew what this one runs.
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let program = compiled
        .entry([source, name].map(str::to_owned))
        .or_insert_with(|| {
            let dir = place().join(name);
            fs::create_dir_all(&dir).unwrap();
            let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/c")
                .join(source);
            support::compile_c(compiler, &file, &dir, args)
        });
    program.clone()
}

/// `probe.c`, static.
pub fn probe() -> &'static Path {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(|| compiled("probe.c", "static", "cc", &["-static", "-pthread"]).unwrap())
}

/// `calls.c`, static.
pub fn calls() -> &'static Path {
    static CALLS: OnceLock<PathBuf> = OnceLock::new();
    CALLS.get_or_init(|| compiled("calls.c", "static", "cc", &["-static", "-pthread"]).unwrap())
}

/// `program` without the variables of the user who runs the tests, and without ignoring signals that are ignored there.
pub fn without_rules(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    support::without_rules(&mut command);
    support::with_usual_signals(&mut command);
    command
}

/// watchfix without the variables of the user who runs the tests.
pub fn watchfix() -> Command {
    without_rules(env!("CARGO_BIN_EXE_watchfix"))
}

/// `watchfix run FLAGS -- `, to be followed by a command.
pub fn run(flags: &[&str]) -> Command {
    let mut command = watchfix();
    command.arg("run").args(flags).arg("--");
    command
}

/// `watchfix run FLAGS -- ` as [`NOBODY`], where the tests run as root: a copy of it, because nobody may not be let
/// into the directory it was built in.
pub fn run_as_nobody(tools: &Dir, flags: &[&str]) -> Command {
    let mut command = without_rules(tools.install(Path::new(env!("CARGO_BIN_EXE_watchfix"))));
    command.arg("run").args(flags).arg("--");
    as_nobody(&mut command);
    command
}

/// Makes the command [`NOBODY`]'s, where the tests run as root.
pub fn as_nobody(command: &mut Command) {
    if support::is_root() {
        command.gid(NOBODY).uid(NOBODY);
    }
}

/// What a command prints; panics unless it ends with 0.
pub fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}: {errors}",
        output.status
    );
    assert_eq!(errors, "", "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A directory of a test, with its path as text.
pub struct Dir(TempDir);

impl Dir {
    /// A new one.
    pub fn new() -> Dir {
        Dir(TempDir::new().unwrap())
    }

    /// `program` in it, where everybody may run it.
    pub fn install(&self, program: &Path) -> PathBuf {
        let everybody = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.0.path(), everybody).unwrap();
        let shared = self.0.path().join(program.file_name().unwrap());
        support::share(program, &shared);
        shared
    }

    /// The path of `name` in it.
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }
}

/// Nobody, where the tests run as root: a user without any right.
pub const NOBODY: u32 = 60990;

/// The children of a process, in the order they were made.
pub fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}
