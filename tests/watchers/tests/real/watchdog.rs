//! watchdog: a thread blocked in read, 7ce and 7fe; up to version 6 it dies of an unknown wd.

use watchers::{Operation, Ready, Stop, Watcher, command, script, tabbed};

static WATCHDOG: Watcher = Watcher {
    command: |dir| {
        let mut command = command("watchfix-python")?;
        command.arg(script("watchdog_watch.py")).arg(dir);
        Ok(command)
    },
    ready: Ready::Line("READY"),
    parse: tabbed,
    chatter: &[],
    stop: Stop::Terminated,
    reports_bare: &[Operation::Chmod, Operation::Read],
    masks_change: true,
    lists_again: false,
};

watchers::claims!(WATCHDOG);
