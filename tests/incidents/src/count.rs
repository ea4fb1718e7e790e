//! How many events a victim is woken by.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use notify::{Event, Result};

/// Between two lines.
const STEP: Duration = Duration::from_millis(100);

/// Hands every event on to `to`. A line `events N` on standard output says how many there were so far,
/// ten times a second while there are any.
pub fn counted(to: Sender<Result<Event>>) -> impl FnMut(Result<Event>) + Send + 'static {
    let count = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&count);
    std::thread::spawn(move || {
        let mut last = 0;
        loop {
            std::thread::sleep(STEP);
            let now = seen.load(Ordering::Relaxed);
            // A reader that has gone is told nothing more.
            if now != last && writeln!(std::io::stdout().lock(), "events {now}").is_err() {
                return;
            }
            last = now;
        }
    });
    move |event| {
        count.fetch_add(1, Ordering::Relaxed);
        // The receiver lives as long as the program.
        let _ = to.send(event);
    }
}
