//! watchfiles (the notify crate below Python): fee and 3ee, changes handed over in unordered sets.

use watchers::{Operation, Ready, Stop, Watcher, command, script, tabbed};

pub(crate) static WATCHFILES: Watcher = Watcher {
    command: |dir| {
        let mut command = command("watchfix-python")?;
        command.arg(script("watchfiles_watch.py")).arg(dir);
        Ok(command)
    },
    ready: Ready::Line("READY"),
    parse: tabbed,
    chatter: &[],
    stop: Stop::Terminated,
    reports_bare: &[Operation::Chmod],
    masks_change: true,
    lists_again: false,
};

watchers::claims!(WATCHFILES);
