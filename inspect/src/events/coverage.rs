//! The conclusion if no event came, or if not every watch could be listened to.

use crate::findings::quote;
use crate::gather::watching_below;
use crate::model::{Conclusion, EventsScan, Name, Process, WatchTree};
use crate::sys;
use crate::words::number;
use std::path::PathBuf;

/// No event came. That is an answer only if all watches were listened to.
pub fn quiet(process: &Process, scan: &EventsScan) -> Conclusion {
    let seconds = scan.seconds;
    if scan.watched == 0 {
        let nothing = "It watches nothing: no event can wake it.".to_owned();
        return said(match watching_below(process.pid) {
            Some((child, _)) => format!("{nothing} What it has started does: PID {child}."),
            None => nothing,
        });
    }
    if scan.listened >= scan.watched {
        return said(format!("Nothing woke it in {seconds:.1} s."));
    }
    let watched = number(scan.watched as u64);
    let mut conclusion = said(match scan.listened {
        0 => format!(
            "Cannot tell what wakes it: none of the {watched} inodes it watches could be listened to."
        ),
        listened => format!(
            "Cannot tell what wakes it: nothing happened in {seconds:.1} s on the {} of {watched} watched inodes \
             that could be listened to.",
            number(listened as u64),
        ),
    });
    add_what_can_tell(process, &mut conclusion);
    conclusion
}

/// Events came, and there may be more.
pub fn note(process: &Process, scan: &EventsScan, conclusion: &mut Conclusion) {
    if scan.listened < scan.watched {
        conclusion.message += &format!(
            " Only {} of the {} inodes it watches could be listened to.",
            number(scan.listened as u64),
            number(scan.watched as u64),
        );
        add_what_can_tell(process, conclusion);
    }
}

fn said(message: String) -> Conclusion {
    Conclusion {
        message,
        ..Conclusion::default()
    }
}

fn add_what_can_tell(process: &Process, conclusion: &mut Conclusion) {
    if !process.watch_trees.is_empty() {
        let places: Vec<_> = process.watch_trees.iter().map(WatchTree::place).collect();
        conclusion.message += &format!(
            " They are most likely in {}; --wake lists what is there, which wakes it.",
            places.join("; ")
        );
    }
    // Root opens them by their handles.
    if sys::effective_user() != 0 {
        let own = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("fdscan"));
        let own = Name::from(own.as_os_str().as_encoded_bytes());
        conclusion.ask = Some(format!("sudo {} events {}", quote(&own), process.pid));
    }
}
