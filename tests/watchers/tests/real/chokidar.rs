//! chokidar: fs.watch on every directory and on every file, and a look at the file after each event.

use watchers::{Operation, Ready, Stop, Watcher, command, script, tabbed};

pub(crate) static CHOKIDAR: Watcher = Watcher {
    command: |dir| {
        let mut command = command("watchfix-node")?;
        command.arg(script("chokidar.js")).arg(dir);
        Ok(command)
    },
    ready: Ready::Line("READY"),
    parse: tabbed,
    chatter: &[],
    stop: Stop::Terminated,
    reports_bare: &[Operation::Chmod],
    masks_change: true,
    lists_again: true,
};

watchers::claims!(CHOKIDAR);
