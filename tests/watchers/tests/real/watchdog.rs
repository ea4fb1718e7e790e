//! watchdog: a thread blocked in read, 7ce and 7fe; up to version 6 it dies of an unknown wd.

use watchers::{Operation, Ready, Stop, Watcher, command, script, tabbed};

pub(crate) static WATCHDOG: Watcher = Watcher {
    command: |dir| {
        let mut command = command("watchfix-python")?;
        command.arg(script("watchdog_watch.py")).arg(dir);
        Ok(command)
    },
    ready: Ready::Line("READY"),
    parse: tabbed,
    // Its own race when it is stopped right after an event, seen without the preload, too (2 of 120).
    chatter: &["InotifyEmitter.queue_events() called when the thread is inactive"],
    stop: Stop::Terminated,
    reports_bare: &[Operation::Chmod, Operation::Read],
    masks_change: true,
    lists_again: false,
};

watchers::claims!(WATCHDOG);
