//! inotifywait -m -r: every event (mask fff), FIONREAD before it reads, dies of EAGAIN and EINTR.

use watchers::{Operation, Ready, Stop, Watcher, command, tabbed};

pub(crate) static INOTIFYWAIT: Watcher = Watcher {
    command: |dir| {
        let mut command = command("inotifywait")?;
        command.args(["-m", "-r", "--format", "%e\t%w%f"]).arg(dir);
        Ok(command)
    },
    ready: Ready::Line("Watches established."),
    parse: tabbed,
    chatter: &["Setting up watches", "Watches established."],
    stop: Stop::Killed,
    reports_bare: &[Operation::Chmod, Operation::Read, Operation::List],
    masks_change: true,
    lists_again: false,
};

watchers::claims!(INOTIFYWAIT);

#[test]
fn its_records_are_those_of_the_contract() {
    watchers::claims::its_records_are_those_of_the_contract(&INOTIFYWAIT);
}
