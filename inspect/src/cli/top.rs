//! Arguments of `fdscan top`.

use super::AnswerArgs;
use crate::model::Sort;

/// Arguments of `fdscan top`.
#[derive(Debug, clap::Args)]
pub struct TopArgs {
    /// What to sort the processes by: most or worst first, what is not known last
    #[arg(long, value_name = "COLUMN", default_value = "findings")]
    pub sort: Sort,

    /// Only processes of this user, a name or a number
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,

    /// Only processes with this in their name, or in that of their program or the script it runs
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,

    /// How many processes to list, 0 for all; without it what fits the screen, at most 20, and all as JSON
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,

    /// How the answer is given.
    #[command(flatten)]
    pub answer: AnswerArgs,
}
