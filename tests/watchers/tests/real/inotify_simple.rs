//! inotify_simple: it finds libc's own inotify_add_watch by a library handle, as pyinotify does, so the
//! kernel keeps the whole mask and only the records it reads can be filtered.

use watchers::{Operation, Ready, Stop, Watcher, command, script, tabbed};

pub(crate) static INOTIFY_SIMPLE: Watcher = Watcher {
    command: |dir| {
        let mut command = command("watchfix-python")?;
        command
            .arg(script("inotify_simple_watch.py"))
            .args([dir, &dir.join(Operation::List.target())]);
        Ok(command)
    },
    ready: Ready::Line("READY"),
    parse: tabbed,
    // The filler of a read of which nothing is left.
    chatter: &["UNKNOWN WD -1 "],
    stop: Stop::Terminated,
    reports_bare: &[Operation::Chmod, Operation::Read, Operation::List],
    masks_change: false,
    lists_again: false,
};

watchers::claims!(INOTIFY_SIMPLE);

#[test]
fn its_records_are_those_of_the_contract() {
    watchers::claims::its_records_are_those_of_the_contract(&INOTIFY_SIMPLE);
}
