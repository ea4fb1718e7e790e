//! `fdscan PID...` on a Mac.

use super::{answer, complain, complain_plainly, layout};
use inspect::Exit;
use inspect::cli::ScanArgs;
use inspect::render::{self, Detail};
use inspect::words::sanitize;

/// Scans the processes, says what was found, then which could not be read.
pub fn scan(args: &ScanArgs) -> Exit {
    let pids = args.pids();
    if pids.is_empty() {
        complain_plainly("fdscan: which process?\nType: fdscan PID\n");
        return Exit::Usage;
    }
    let scan = inspect::scan(&pids, args.all);
    let detail = match args.all {
        true => Detail::All,
        false => Detail::of(args.tables),
    };
    let layout = layout(args.answer.color, detail);
    if let Err(exit) = answer(args.answer, &scan, |to| render::text(&scan, layout, to)) {
        return exit;
    }
    for error in &scan.errors {
        complain(&sanitize(&error.why));
    }
    Exit::of(&scan, args.answer.fail_on.least())
}
