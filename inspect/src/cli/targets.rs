//! The processes a command is about, as every command that takes some has them.

use crate::targets::{Found, Target, resolve};
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::ffi::OsString;

/// Processes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TargetArgs {
    /// A process, or several: 812, 812,813, nginx, :8080
    ///
    /// By PID; by name, that of the process, of its program or of the script it runs; or by the port it listens on, TCP
    /// or UDP.
    #[arg(value_name = "PID|NAME|:PORT", value_parser = target())]
    pub targets: Vec<Target>,

    /// The same; -p top is a process called top
    #[arg(short, long = "pid", value_name = "PID", value_parser = target())]
    pub pid: Vec<Target>,

    /// Only processes of this user; alone, all of them
    ///
    /// A name or a number.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
}

impl TargetArgs {
    /// Nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.pid.is_empty() && self.user.is_none()
    }

    /// Finds the processes. Of a word that is not a process's name, `meant` may know what else it was to be.
    ///
    /// # Errors
    /// The user is not known, or processes cannot be listed: a sentence without its full stop.
    pub fn find(&self, meant: &dyn Fn(&str) -> Option<String>) -> Result<Found, String> {
        let all: Vec<Target> = self.targets.iter().chain(&self.pid).cloned().collect();
        resolve(&all, self.user.as_deref(), meant)
    }
}

fn target() -> impl TypedValueParser<Value = Target> {
    OsStringValueParser::new().try_map(|word: OsString| Target::parse(&word))
}
