//! What is replayed with.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::Victim;

/// The programs a replay runs.
pub struct Product {
    /// The `fdscan` to ask.
    pub fdscan: PathBuf,
    /// The `libwatchfix.so` to preload.
    pub libwatchfix: PathBuf,
    /// The directory with the victims, `apx` and `codex`.
    pub victims: PathBuf,
}

impl Product {
    /// Starts the victim `name`. With `rules` it has the preload and these `WATCHFIX_` variables;
    /// without, it is bare.
    pub(crate) fn start(
        &self,
        name: &str,
        args: &[&Path],
        rules: Option<&[(&str, &Path)]>,
    ) -> Victim {
        let mut command = Command::new(self.victims.join(name));
        command.args(args);
        for (variable, _) in std::env::vars_os() {
            if variable == "LD_PRELOAD" || variable.to_string_lossy().starts_with("WATCHFIX_") {
                command.env_remove(variable);
            }
        }
        if let Some(rules) = rules {
            command.env("LD_PRELOAD", &self.libwatchfix);
            command.envs(rules.iter().copied());
        }
        Victim::spawn(&mut command)
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

    fn fdscan(&self, args: &[&str]) -> String {
        let run = Command::new(&self.fdscan)
            .args(args)
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
