//! Arguments of `fdscan claims`.

use super::AnswerArgs;
use crate::gather;
use std::path::PathBuf;

/// Arguments of `fdscan claims`.
#[derive(Debug, clap::Args)]
pub struct ClaimsArgs {
    /// PID, port, lock and stop files; of a directory, those in it; or a port, such as 8080 or :8080: who listens there, for TCP or UDP
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,

    /// How long a stop file holds, and a claim may be empty, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = gather::CLAIM_TTL.as_secs())]
    pub ttl: u64,

    /// How the answer is given.
    #[command(flatten)]
    pub answer: AnswerArgs,
}
