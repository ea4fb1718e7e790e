//! A C program that asks for every event (mask fff) and shows the records as it reads them.

use watchers::{Operation, Ready, Stop, Watcher, script, tabbed};

pub(crate) static RAW: Watcher = Watcher {
    command: |dir| {
        let program = raw(dir)?;
        let mut command = std::process::Command::new(program);
        command.arg(dir).arg(dir.join(Operation::List.target()));
        Ok(command)
    },
    ready: Ready::Line("READY"),
    parse: tabbed,
    chatter: &[],
    stop: Stop::Killed,
    reports_bare: &[Operation::Chmod, Operation::Read, Operation::List],
    masks_change: true,
    lists_again: false,
};

/// The program, compiled once, outside of every watched directory.
fn raw(_: &std::path::Path) -> Result<std::path::PathBuf, String> {
    static BUILT: std::sync::OnceLock<Result<std::path::PathBuf, String>> =
        std::sync::OnceLock::new();
    BUILT
        .get_or_init(|| {
            let into = support::target_dir().join("test-watchers");
            std::fs::create_dir_all(&into).map_err(|e| e.to_string())?;
            support::compile_c("cc", &script("raw.c"), &into, &[])
        })
        .clone()
}

watchers::claims!(RAW);

#[test]
fn its_records_are_those_of_the_contract() {
    watchers::claims::its_records_are_those_of_the_contract(&RAW);
}
