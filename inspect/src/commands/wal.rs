//! `fdscan wal DB...`

use super::{answer, complain, layout};
use inspect::Exit;
use inspect::cli::WalArgs;
use inspect::render::{self, Detail};
use inspect::words::sanitize;

/// Looks at the databases, says what was found, then which could not be read.
pub fn wal(args: &WalArgs) -> Exit {
    let scan = inspect::scan_databases(&args.databases, args.window);
    let layout = layout(args.answer.color, Detail::of(args.tables));
    if let Err(exit) = answer(args.answer, &scan, |to| render::wal_text(&scan, layout, to)) {
        return exit;
    }
    for error in &scan.errors {
        complain(&sanitize(&error.why));
    }
    Exit::of_databases(&scan, args.answer.fail_on.least())
}
