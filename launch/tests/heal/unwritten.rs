//! An answer that cannot be written is not a success, whatever was asked for.

use super::stage::{Run, bare, directory, masks, mkfds};
use std::collections::BTreeMap;
use std::process::Command;

/// watchfix with the words of `line`, its standard output as a shell makes it of `to`.
fn with_output(line: &str, to: &str) -> Run {
    let mut command = bare(Command::new("sh"));
    command.args(["-c", &format!("exec \"$0\" {line} {to}")]);
    command.arg(env!("CARGO_BIN_EXE_watchfix"));
    Run::of(command.output().unwrap())
}

/// Two streams that an answer cannot be written to, and the message for each.
const NOWHERE: [(&str, &str); 2] = [
    (">/dev/full", "No space left on device"),
    (">&-", "standard output is closed"),
];

#[test]
fn help_and_what_is_looked_up_must_arrive() {
    let mut lines: Vec<String> = ["", "run", "heal", "demo", "completions", "man"]
        .iter()
        .flat_map(|command| [format!("{command} --help"), format!("{command} -h")])
        .collect();
    lines.extend(["--version", "completions bash", "run --explain true"].map(String::from));
    for line in lines {
        for (to, why) in NOWHERE {
            let run = with_output(&line, to);
            assert_eq!(run.code, 2, "watchfix {line} {to}: {}", run.err);
            assert!(run.err.contains(why), "watchfix {line} {to}: {}", run.err);
        }
    }
}

#[test]
fn what_heal_did_must_arrive_and_is_not_done_where_it_surely_cannot() {
    let (_dir, dir) = directory();
    let args = ["watches", "--count", "3", "--mask", "0x3ee"];
    let victim = mkfds(&dir, &args);
    let pid = victim.pid();
    let asked = BTreeMap::from([(0x3ee, 3)]);
    for line in ["", "--dry-run", "--json", "--json --dry-run", "--undo"] {
        let run = with_output(&format!("heal {line} {pid}"), ">&-");
        assert_eq!(run.code, 2, "{line}: {}", run.err);
        let why =
            "standard output is closed: the answer can be written nowhere, and nothing is changed";
        assert!(run.err.contains(why), "{line}: {}", run.err);
        assert_eq!(masks(pid), asked, "{line}");
    }
    for (line, left) in [
        ("--dry-run", 0x3ee),
        ("--json --dry-run", 0x3ee),
        ("", 0x3ce),
        ("--undo", 0x3ee),
        ("--json", 0x3ce),
    ] {
        let run = with_output(&format!("heal {line} {pid}"), ">/dev/full");
        assert_eq!(run.code, 2, "{line}: {}", run.err);
        let lines = run.err.lines().count();
        assert!(
            run.err.contains("No space left on device") && lines == 1,
            "{}",
            run.err
        );
        assert_eq!(masks(pid), BTreeMap::from([(left, 3)]), "{line}");
    }
}
