//! `watchfix run`.

use crate::cli::RunArgs;
use crate::settings::Settings;
use std::process::ExitCode;

/// Starts the command and ends as it ends.
pub fn main(_args: &RunArgs, _settings: &Settings) -> ExitCode {
    ExitCode::FAILURE
}
