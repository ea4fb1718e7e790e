//! `fdscan claims PATH...`

use super::{answer, layout};
use inspect::Exit;
use inspect::cli::ClaimsArgs;
use inspect::render::{self, Detail};
use std::time::Duration;

/// Judges the claims and says what each is.
pub fn claims(args: &ClaimsArgs) -> Exit {
    let scan = inspect::scan_claims(&args.paths, Duration::from_secs(args.ttl));
    let layout = layout(args.answer.color, Detail::Short);
    let written = answer(args.answer, &scan, |to| {
        render::claims_text(&scan, layout, to)
    });
    match written {
        Err(exit) => exit,
        Ok(()) => Exit::of_claims(&scan, args.answer.fail_on.least()),
    }
}
