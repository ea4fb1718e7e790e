//! `fdscan events PID`

use super::processes::one;
use super::{complain, layout, write};
use inspect::Exit;
use inspect::cli::EventsArgs;
use inspect::render::{self, Detail};
use inspect::words::sanitize;

/// Listens, and says what woke the process.
pub fn events(args: &EventsArgs) -> Exit {
    let pid = match one(&args.process, "events", args.json) {
        Ok(pid) => pid,
        Err(exit) => return exit,
    };
    let scan = match inspect::events::events(pid, args.time, args.wake) {
        Ok(scan) => scan,
        Err(failure) => {
            complain(&sanitize(&failure.why));
            return failure.kind.into();
        }
    };
    let layout = layout(args.color, Detail::of(args.tables));
    let written = write(|to| match args.json {
        true => render::json(&scan, to),
        false => render::events_text(&scan, layout, to),
    });
    written.err().unwrap_or(Exit::Done)
}
