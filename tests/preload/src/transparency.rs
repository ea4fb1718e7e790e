//! Where no rule is about anything, a program cannot tell: `c/scenarios.c` bare and under an engine,
//! compared line by line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// A way to start a program.
pub struct Engine {
    /// What its arguments come after: none, or a launcher's command.
    pub prefix: Vec<OsString>,
    /// What its environment has besides this one's, of which no `WATCHFIX_` and no preload is left.
    pub variables: Vec<(&'static str, OsString)>,
}

impl Engine {
    /// None.
    pub fn bare() -> Engine {
        Engine {
            prefix: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// The library with these rules.
    pub fn preload(rules: &[(&'static str, &str)]) -> Engine {
        let library = ("LD_PRELOAD", support::libwatchfix().into());
        let rules = rules.iter().map(|(name, text)| (*name, (*text).into()));
        Engine {
            prefix: Vec::new(),
            variables: rules.chain([library]).collect(),
        }
    }
}

/// Plays every scenario bare and under `engine`.
///
/// # Panics
/// With the lines of the first one that differs.
pub fn assert_as_bare(engine: &Engine) {
    let program = crate::program("scenarios", "cc", &["-pthread"]).expect("the C compiler works");
    let list = Command::new(&program).arg("list").output();
    let list = String::from_utf8(list.expect("it starts").stdout).expect("names are ASCII");
    assert!(list.lines().count() > 20, "{list}");
    for scenario in list.lines() {
        let bare = play(&program, &Engine::bare(), scenario);
        let under = play(&program, engine, scenario);
        assert_eq!(
            under, bare,
            "{scenario}: under the engine (left) and bare (right)"
        );
    }
}

/// What one scenario prints.
fn play(program: &PathBuf, engine: &Engine, scenario: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    crate::open_to_all(dir.path());
    let mut words =
        engine
            .prefix
            .iter()
            .cloned()
            .chain([program.into(), scenario.into(), dir.path().into()]);
    let mut command = Command::new(words.next().expect("there is a program"));
    command.args(words);
    for (name, _) in std::env::vars_os() {
        if name == "LD_PRELOAD" || name.to_string_lossy().starts_with("WATCHFIX_") {
            command.env_remove(name);
        }
    }
    command.envs(engine.variables.iter().map(|(name, text)| (name, text)));
    let out = command.stdin(std::process::Stdio::null()).output();
    let out = out.unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
    assert!(out.status.success(), "{scenario}: {command:?}: {out:?}");
    let said = [out.stdout, out.stderr].concat();
    let lines = String::from_utf8_lossy(&said);
    lines.lines().map(str::to_owned).collect()
}
