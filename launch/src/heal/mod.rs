//! `watchfix heal`.

use crate::cli::HealArgs;
use crate::settings::Settings;
use std::process::ExitCode;

/// Heals the process.
pub fn main(_args: &HealArgs, _settings: &Settings) -> ExitCode {
    ExitCode::FAILURE
}
