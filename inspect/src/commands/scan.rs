//! `fdscan PID...`

use super::processes::several_or_command;
use super::{complain, concluded, show};
use inspect::MOMENT;
use inspect::cli::ScanArgs;
use inspect::findings::may_be_in_the_way;
use inspect::{Exit, Options};
use std::io::{self, IsTerminal};

/// Scans the processes, says what was found, then which could not be read.
pub fn scan(args: &ScanArgs) -> Exit {
    let found = match several_or_command(&args.processes, args.answer.json) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let mut scan = inspect::scan(
        &found.pids,
        Options {
            paths: !args.no_paths,
            path_timeout: args.path_timeout,
            listen: MOMENT,
            wake: args.wake,
            progress: !args.answer.json && io::stderr().is_terminal(),
            all: args.all,
            window: args.window,
        },
    );
    scan.errors.extend(found.failures);
    if let Err(exit) = show(&scan, args) {
        return exit;
    }
    if args.window.is_none() && !args.answer.json {
        let mut on_ports = scan.processes.iter();
        let alone = on_ports.find(|report| {
            found.on_ports.contains(&report.process.pid)
                && may_be_in_the_way(&report.process, &report.findings)
        });
        if let Some(report) = alone {
            complain(&format!(
                "whether somebody starts another one for that port in vain shows with --for: fdscan --for 15 {}",
                report.process.pid
            ));
        }
    }
    concluded(&scan, args)
}
