//! `fdscan claims PATH...`: arguments, run and exit status.

use crate::cli::ReportArgs;
use crate::model::{Claim, ClaimScan, SCHEMA, Verdict};
use crate::{Exit, gather};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `fdscan claims`.
#[derive(Debug, clap::Args)]
pub struct ClaimsArgs {
    /// PID, port, lock and stop files; of a directory, those in it
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,

    /// How long a stop file holds, and a claim may be empty, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = gather::CLAIM_TTL.as_secs())]
    pub ttl: u64,

    /// How the answer is given.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Judges the claims at the paths asked for, in their order.
pub fn scan_claims(args: &ClaimsArgs) -> ClaimScan {
    ClaimScan {
        schema: SCHEMA,
        fdscan_version: env!("CARGO_PKG_VERSION"),
        taken_at: jiff::Timestamp::now().to_string(),
        claims: gather::claims_at(&args.paths, Duration::from_secs(args.ttl)),
    }
}

/// The status of a run: a missing file is an answer, a file nobody may read is none.
pub fn exit_of_claims(scan: &ClaimScan, args: &ClaimsArgs) -> Exit {
    let bad = |claim: &Claim| {
        let least = args.report.fail_on.least();
        least.is_some_and(|least| claim.severity.is_some_and(|severity| severity >= least))
    };
    let denied = |claim: &Claim| claim.verdict == Verdict::Unknown && claim.denied;
    if scan.claims.iter().any(bad) {
        Exit::Found
    } else if !scan.claims.is_empty() && scan.claims.iter().all(denied) {
        Exit::NotPermitted
    } else {
        Exit::Done
    }
}
