//! Arguments of `fdscan reach`.

use super::AnswerArgs;
use std::path::PathBuf;

/// Arguments of `fdscan reach`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reached is 0; with --fail-on info what cannot be told is 1, with warning what is not reached, with critical what is \
killed. 3: there is no such file. 4: it may not be read.

Examples:
  fdscan reach $(command -v node)     can the library be loaded into node?
  fdscan reach --json ./tool-darwin   the same of a Mac's program, also on Linux")]
pub struct ReachArgs {
    /// Programs and scripts, for this system or for macOS
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// How the answer is given.
    #[command(flatten)]
    pub answer: AnswerArgs,
}
