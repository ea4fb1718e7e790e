//! node's fs.watch (libuv): fc6, no CLOSE_WRITE, so that `touch` reaches it as ATTRIB alone.

use watchers::{Operation, Ready, Stop, Watcher, command, script, tabbed};

pub(crate) static FS_WATCH: Watcher = Watcher {
    command: |dir| {
        let mut command = command("node")?;
        command
            .arg(script("fs_watch.js"))
            .args([dir, &dir.join(Operation::List.target())]);
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

watchers::claims!(FS_WATCH);
