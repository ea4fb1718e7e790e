//! What is replayed with.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{Victim, without_rules};

/// The programs a replay runs.
pub struct Product {
    /// The `fdscan` to ask.
    pub fdscan: PathBuf,
    /// The `libwatchfix.so` to preload.
    pub libwatchfix: PathBuf,
    /// The `watchfix` to start with and to heal with.
    pub watchfix: PathBuf,
    /// The directory with the victims.
    pub victims: PathBuf,
}

/// What is done about a victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing.
    Bare,
    /// It is started with the library preloaded.
    Preload,
    /// It is started by `watchfix run`.
    Run,
    /// The same, but the supervisor alone is to see to it, and no library.
    RunSeccomp,
    /// It is started bare, and healed while it loops.
    Heal,
}

impl Display for Way {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Bare => "bare",
            Way::Preload => "preload",
            Way::Run => "run",
            Way::RunSeccomp => "run --engine seccomp",
            Way::Heal => "heal",
        })
    }
}

impl Product {
    /// Starts the victim `name` in this way, with these `WATCHFIX_` variables and no others, and waits
    /// until it has placed its watches. Returns its own PID, too: what was started is perhaps `watchfix run`.
    pub(crate) fn start(
        &self,
        way: Way,
        name: &str,
        args: &[&Path],
        rules: &[(&str, &Path)],
    ) -> (Victim, u32) {
        let mut command = self.command(way, &self.victims.join(name));
        command.args(args);
        let mut victim = Victim::spawn(command.envs(rules.iter().copied()));
        let ready = victim.line_with("READY ");
        let pid = ready.trim_start_matches("READY ").parse();
        (victim, pid.expect("READY is followed by its PID"))
    }

    /// A command that starts `program` in this way, with no rules.
    pub(crate) fn command(&self, way: Way, program: &Path) -> Command {
        let behind = |arguments: &[&str]| {
            let mut command = Command::new(&self.watchfix);
            command.arg("run").args(arguments).arg("--").arg(program);
            command
        };
        let mut command = match way {
            Way::Run => behind(&[]),
            Way::RunSeccomp => behind(&["--engine", "seccomp"]),
            Way::Bare | Way::Preload | Way::Heal => Command::new(program),
        };
        without_rules(&mut command);
        if way == Way::Preload {
            command.env("LD_PRELOAD", &self.libwatchfix);
        }
        command
    }

    /// Heals a running process and returns what `watchfix heal` said.
    ///
    /// # Errors
    /// Why it is not permitted here.
    pub fn heal(&self, pid: u32) -> Result<String, String> {
        let mut command = Command::new(&self.watchfix);
        command.args(["heal", &pid.to_string()]);
        let run = without_rules(&mut command)
            .output()
            .unwrap_or_else(|e| panic!("{} does not start: {e}", self.watchfix.display()));
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        let errors = String::from_utf8_lossy(&run.stderr).into_owned();
        match run.status.code() {
            Some(0) => Ok(said),
            Some(NOT_PERMITTED) => Err(errors),
            _ => panic!("watchfix heal: {}: {said}{errors}", run.status),
        }
    }

    /// The process as `fdscan PID --json` describes it.
    pub fn fdscan_json(&self, pid: u32) -> Value {
        let text = self.fdscan(&[&pid.to_string(), "--json"]);
        let mut report: Value = serde_json::from_str(&text).expect("fdscan --json prints JSON");
        report["processes"][0].take()
    }

    /// What `fdscan events PID` concludes after listening for so long.
    pub fn fdscan_events(&self, pid: u32, seconds: u32) -> Value {
        let (pid, seconds) = (pid.to_string(), seconds.to_string());
        let text = self.fdscan(&["events", &pid, "--for", &seconds, "--json"]);
        serde_json::from_str(&text).expect("fdscan events --json prints JSON")
    }

    /// What `fdscan` prints when it is asked this and succeeds.
    pub fn fdscan(&self, args: &[&str]) -> String {
        let run = Command::new(&self.fdscan)
            .args(args)
            // Whoever ran the tests through sudo(8) would be told to use it.
            .env_remove("SUDO_UID")
            .output()
            .unwrap_or_else(|e| panic!("{} does not start: {e}", self.fdscan.display()));
        let errors = String::from_utf8_lossy(&run.stderr);
        assert!(
            run.status.success(),
            "fdscan {args:?}: {}: {errors}",
            run.status
        );
        String::from_utf8(run.stdout).expect("fdscan prints UTF-8")
    }
}

/// An exit status of `watchfix heal` (docs/exit-statuses.md).
const NOT_PERMITTED: i32 = 4;
