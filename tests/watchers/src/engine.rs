//! What a watcher runs under.

use std::collections::BTreeSet;
use std::process::Command;

use clap::ValueEnum;

/// What a watcher runs under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Engine {
    /// Nothing: what the watcher does by itself.
    Bare,
    /// `LD_PRELOAD=libwatchfix.so`.
    Preload,
    /// `watchfix run -- `: the preload where it can be loaded, a supervisor elsewhere.
    Run,
    /// Started bare, then `watchfix heal PID`: masks, once.
    Heal,
    /// `watchfix run --engine seccomp -- `: the supervisor alone, for dynamic programs whose reads do not wait
    /// ([`crate::Watcher::without_preload`]).
    Seccomp,
}

impl Engine {
    /// All of them, in the order of the table.
    pub fn all() -> &'static [Engine] {
        Engine::value_variants()
    }

    /// Its name on the command line and in the table.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |v| v.get_name().to_owned())
    }

    /// `command` under this engine, with nothing of ours in its environment but what it asks for.
    pub(crate) fn start(self, command: Command) -> Command {
        let mut command = match self {
            Engine::Bare | Engine::Heal => command,
            Engine::Preload => {
                let mut command = command;
                command.env("LD_PRELOAD", support::libwatchfix());
                return without_rules(command);
            }
            Engine::Run => behind(&["run", "--"], &command),
            Engine::Seccomp => behind(&["run", "--engine", "seccomp", "--"], &command),
        };
        command.env_remove("LD_PRELOAD");
        without_rules(command)
    }

    /// What is done once the watches of these processes are placed.
    pub(crate) fn after_start(self, watching: &BTreeSet<u32>) -> Result<(), String> {
        if self != Engine::Heal {
            return Ok(());
        }
        let mut healed = 0;
        for pid in watching {
            let run = Command::new(support::watchfix())
                .args(["heal", &pid.to_string()])
                .output()
                .map_err(|e| e.to_string())?;
            match run.status.code() {
                Some(0) => healed += 1,
                // A child that had not executed its program yet held the same descriptors, and is gone.
                Some(NO_SUCH_PROCESS) => {}
                _ => {
                    let text = String::from_utf8_lossy(&run.stderr).into_owned();
                    return Err(format!("watchfix heal: {}: {text}", run.status));
                }
            }
        }
        match healed {
            0 => Err("nobody watches the tree who could be healed".to_owned()),
            _ => Ok(()),
        }
    }
}

/// An exit status of watchfix (docs/exit-statuses.md).
const NO_SUCH_PROCESS: i32 = 3;

/// `command` as the arguments of watchfix.
fn behind(arguments: &[&str], command: &Command) -> Command {
    let mut run = Command::new(support::watchfix());
    run.args(arguments)
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => run.env(name, value),
            None => run.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        run.current_dir(dir);
    }
    run
}

fn without_rules(mut command: Command) -> Command {
    support::without_rules(&mut command);
    command
}
