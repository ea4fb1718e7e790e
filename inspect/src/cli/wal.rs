//! Arguments of `fdscan wal`.

use super::AnswerArgs;
use std::path::PathBuf;

/// Arguments of `fdscan wal`.
#[derive(Debug, clap::Args)]
pub struct WalArgs {
    /// The databases to look at: the files themselves, not their -wal
    #[arg(value_name = "DB", required = true)]
    pub databases: Vec<PathBuf>,

    /// How the answer is given.
    #[command(flatten)]
    pub answer: AnswerArgs,
}
