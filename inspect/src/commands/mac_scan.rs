//! `fdscan PID...` on a Mac.

use super::{complain_plainly, concluded, show};
use inspect::Exit;
use inspect::cli::ScanArgs;

/// Scans the processes, says what was found, then which could not be read.
pub fn scan(args: &ScanArgs) -> Exit {
    let pids = args.pids();
    if pids.is_empty() {
        complain_plainly("fdscan: which process?\nType: fdscan PID\n");
        return Exit::Usage;
    }
    let scan = inspect::scan(&pids, args.all);
    if let Err(exit) = show(&scan, args) {
        return exit;
    }
    concluded(&scan, args)
}
