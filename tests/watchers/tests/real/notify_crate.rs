//! The Rust notify crate, recursive: fee and 3ee, panics on unknown mask bits.

use std::process::Command;

use watchers::{Operation, Ready, Stop, Watcher, tabbed};

pub(crate) static NOTIFY: Watcher = Watcher {
    command: |dir| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notify_watch"));
        command.arg(dir);
        Ok(command)
    },
    ready: Ready::Line("READY"),
    parse: tabbed,
    chatter: &[],
    stop: Stop::InputClosed,
    reports_bare: &[Operation::Chmod, Operation::Read, Operation::List],
    masks_change: true,
    lists_again: false,
};

watchers::claims!(NOTIFY);
