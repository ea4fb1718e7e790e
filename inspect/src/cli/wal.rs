//! Arguments of `fdscan wal`.

use super::AnswerArgs;
use super::values::parse_window;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `fdscan wal`.
#[derive(Debug, clap::Args)]
pub struct WalArgs {
    /// The databases to look at: the files themselves, not their -wal
    #[arg(value_name = "DB", required = true)]
    pub databases: Vec<PathBuf>,

    /// Look at the log again after so long, and say whether it grew and was checkpointed
    #[arg(long = "for", value_name = "SECONDS", value_parser = parse_window)]
    pub window: Option<Duration>,

    /// Show the tables behind the findings: files, readers, and who has it open
    #[arg(long)]
    pub tables: bool,

    /// How the answer is given.
    #[command(flatten)]
    pub answer: AnswerArgs,
}
