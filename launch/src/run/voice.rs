//! Log lines of the thread that must not hang. Another thread writes them, because a write to a file can hang too.

use super::log::Log;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

/// How many lines can wait; more are left out.
const ROOM: usize = 1024;

/// A line: about which thread or process, and its text.
type Line = (u32, &'static str);

/// Says it.
pub struct Voice(SyncSender<Line>);

impl Voice {
    /// Writes to `log`.
    pub fn new<'scope>(scope: &'scope Scope<'scope, '_>, log: &'scope Log) -> Voice {
        let (to, lines) = sync_channel(ROOM);
        let write = move |lines: Receiver<Line>| {
            for (pid, text) in lines {
                log.line(pid, format_args!("{text}"));
            }
        };
        if log.is_wanted() {
            // Without it nothing is said.
            let _ = Builder::new().spawn_scoped(scope, move || write(lines));
        }
        Voice(to)
    }

    /// Does not wait.
    pub fn say(&self, pid: u32, text: &'static str) {
        // If nobody reads the lines, they are dropped.
        let _ = self.0.try_send((pid, text));
    }
}
