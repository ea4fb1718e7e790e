//! `fdscan reach FILE...`

use super::{answer, complain, layout};
use inspect::Exit;
use inspect::cli::ReachArgs;
#[cfg(target_os = "linux")]
use inspect::gather::unanswered;
#[cfg(not(target_os = "linux"))]
use inspect::reach::any_may_be_looked_at as unanswered;
use inspect::reach::{System, scan_files};
use inspect::render::{self, Detail};
use inspect::words::sanitize;

/// Judges the files, says what was found, then which could not be read.
pub fn reach(args: &ReachArgs) -> Exit {
    let scan = scan_files(&args.files, System::here(), unanswered);
    let layout = layout(args.answer.color, Detail::Short);
    let written = answer(args.answer, &scan, |to| {
        render::reach_text(&scan, layout, to)
    });
    if let Err(exit) = written {
        return exit;
    }
    for error in &scan.errors {
        complain(&sanitize(&error.why));
    }
    Exit::of_reach(&scan, args.answer.fail_on.least())
}
