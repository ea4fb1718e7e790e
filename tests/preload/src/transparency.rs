//! Where no rule is about anything, a program cannot tell: `c/scenarios` bare and under an engine,
//! compared line by line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use support::{Next, Victim};

/// Rules about nothing, of every kind that looks for paths, as flags of watchfix: every watch is judged, and nothing
/// comes of it.
pub const ABOUT_NOTHING: [&str; 10] = [
    "--strip",
    "none",
    "--ignore",
    "no such file",
    "--drop",
    "/no/such/directory",
    "--settle",
    "+/no/such/directory",
    "--max-watches",
    "1000",
];

/// A way to start a program.
#[derive(Default)]
pub struct Engine {
    /// What its arguments come after: none, or a launcher's command.
    pub prefix: Vec<OsString>,
    /// What its environment has besides this one's, of which no `WATCHFIX_` and no preload is left.
    pub variables: Vec<(&'static str, OsString)>,
    /// What is done to the process, by its PID, between any two of its steps.
    pub between: Option<Box<dyn Fn(u32)>>,
    /// Whose program it is, also bare; by default this user's. For root, where scenarios have places of their own.
    pub user: Option<u32>,
    /// An instance has the number the engine chooses, and not the lowest one.
    pub chooses_numbers: bool,
}

impl Engine {
    /// The library with these rules.
    pub fn preload(rules: &[(&'static str, &str)]) -> Engine {
        let library = ("LD_PRELOAD", support::libwatchfix().into());
        let rules = rules.iter().map(|(name, text)| (*name, (*text).into()));
        Engine {
            variables: rules.chain([library]).collect(),
            ..Engine::default()
        }
    }
}

/// How the program is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linked {
    /// With libc as a shared library.
    Dynamically,
    /// With nothing to be loaded.
    Statically,
}

/// Plays every scenario bare and under `engine`.
///
/// # Panics
/// With the lines of the first one that differs.
pub fn assert_as_bare(engine: &Engine, linked: Linked) {
    let program = match program(linked) {
        Ok(program) => program,
        Err(why) => return support::skip(&format!("no static C library: {why}")),
    };
    let list = Command::new(&program).arg("list").output();
    let list = String::from_utf8(list.expect("it starts").stdout).expect("names are ASCII");
    assert!(list.lines().count() > 35, "{list}");
    let bare = Engine {
        user: engine.user,
        ..Engine::default()
    };
    for scenario in list.lines() {
        let mut bare = play(&program, &bare, scenario);
        let mut under = play(&program, engine, scenario);
        if engine.chooses_numbers {
            bare.iter_mut().chain(&mut under).for_each(without_number);
        }
        assert_eq!(
            under, bare,
            "{scenario}: under the engine (left) and bare (right)"
        );
        if engine.user.is_none() && bare.iter().any(|line| line == "unshare = EPERM") {
            support::skip(&format!("{scenario}: needs root, for a namespace"));
        }
    }
}

fn program(linked: Linked) -> Result<PathBuf, String> {
    let parts = ["said", "events", "watches", "reads", "processes"];
    let parts = parts.map(|part| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        root.join(format!("c/scenarios/{part}.c"))
    });
    let mut args: Vec<_> = parts.iter().filter_map(|part| part.to_str()).collect();
    args.push("-pthread");
    if linked == Linked::Statically {
        args.push("-static");
    }
    let program = crate::program("scenarios/main", "cc", &args);
    if linked == Linked::Dynamically {
        return Ok(program.expect("the C compiler works"));
    }
    program
}

/// What one scenario prints.
fn play(program: &Path, engine: &Engine, scenario: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let mut place = dir.path().to_path_buf();
    let mut words: Vec<OsString> = Vec::new();
    if has_places_of_its_own() {
        let user = engine.user.unwrap_or_default().to_string();
        words.extend(["unshare", "--mount", "sh", "-c", OWN_PLACE, "sh"].map(OsString::from));
        words.extend([place.clone().into(), user.into()]);
        place.push("play");
    }
    if let Some(user) = engine.user {
        let [user, group] = ["reuid", "regid"].map(|id| format!("--{id}={user}").into());
        words.extend(["setpriv".into(), user, group, "--clear-groups".into()]);
    }
    words.extend(engine.prefix.iter().cloned());
    words.extend([program.into(), scenario.into(), place.into()]);
    let mut command = Command::new(words.remove(0));
    command.args(words);
    support::without_rules(&mut command);
    command.envs(engine.variables.iter().map(|(name, text)| (name, text)));
    let mut player = Victim::spawn(&mut command);
    match &engine.between {
        None => player.close_stdin(),
        Some(between) => attend(&mut player, between),
    }
    let (status, lines) = player.finish();
    assert!(status.success(), "{scenario}: {command:?}: {lines:#?}");
    // A moment is not what the program sees.
    lines
        .into_iter()
        .filter(|line| moment(line).is_none())
        .collect()
}

/// Of a line that says which number a new instance has only the rest.
fn without_number(line: &mut String) {
    let makes = ["init1", "init", "syscall init1", "dup"];
    if let Some((call, number)) = line.split_once(" = ")
        && makes.contains(&call)
        && number.parse::<u32>().is_ok()
    {
        *line = format!("{call} = a descriptor");
    }
}

/// Mounts a file system on a directory, in which somebody gets the directory "play", and goes on with a command.
const OWN_PLACE: &str = "mount -t tmpfs none \"$1\" && mkdir -m 755 \"$1/play\" && \
    chown \"$2:$2\" \"$1/play\" && chmod 755 \"$1\" && shift 2 && exec \"$@\"";

/// Whether a scenario can have a file system that no other process sees. Somebody else who lists its directory, as in
/// search of an inode, is an event that is in one play and not in the other.
pub fn has_places_of_its_own() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", OWN_PLACE, "sh"]);
        let tried = command.arg(dir.path()).args(["0", "true"]).output();
        tried.is_ok_and(|run| run.status.success())
    })
}

/// Does `between` at every moment.
fn attend(player: &mut Victim, between: &dyn Fn(u32)) {
    loop {
        match player.next_within(support::DEADLINE) {
            Next::Line(line) => {
                if let Some(pid) = moment(&line) {
                    between(pid);
                    player.send("");
                }
            }
            Next::Ended => return,
            Next::Nothing => panic!("it does not go on after {:#?}", player.seen()),
        }
    }
}

/// The process whose moment a line is (`c/scenarios/said.h`).
fn moment(line: &str) -> Option<u32> {
    line.strip_prefix("== ")?.parse().ok()
}
