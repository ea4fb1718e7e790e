//! A call whose mask stays has the kernel's own answer, and so has one whose mask changes.

use super::given::{NOBODY, calls, is_root, output, run};
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::Command;
use tempfile::TempDir;

/// What tests/c/calls.c prints of its calls, and the masks of its watches by wd.
fn lines(mut command: Command, as_nobody: bool) -> (Vec<String>, BTreeMap<u32, u32>) {
    let dir = TempDir::new().unwrap();
    if as_nobody {
        std::os::unix::fs::chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        command.gid(NOBODY).uid(NOBODY);
    }
    let text = output(command.current_dir(dir.path()).env("START", dir.path()));
    let (watches, calls): (Vec<_>, Vec<_>) = text.lines().partition(|l| l.starts_with("watch "));
    let watches = watches.iter().map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        let mask = u32::from_str_radix(words[3], 16).unwrap();
        (words[1].parse().unwrap(), mask)
    });
    (
        calls.into_iter().map(str::to_owned).collect(),
        watches.collect(),
    )
}

fn bare() -> Command {
    Command::new(calls())
}

fn under(flags: &[&str]) -> Command {
    let mut command = run(flags);
    command.arg(calls());
    command
}

fn compare(flags: &[&str], stripped: u32, as_nobody: bool) {
    let (expected, watches) = lines(bare(), as_nobody);
    let (found, changed) = lines(under(flags), as_nobody);
    let differ: Vec<_> = expected
        .iter()
        .zip(&found)
        .filter(|(a, b)| a != b)
        .collect();
    assert!(differ.is_empty(), "bare and under {flags:?}: {differ:#?}");
    assert_eq!(expected.len(), found.len());
    assert!(expected.len() > 300, "{}", expected.len());
    // What is found in /proc by its name, or by a link of one's own, may mean who asks: it is left alone.
    let left: Vec<u32> = ["/proc: wd ", "me with 0: wd "]
        .iter()
        .map(|name| {
            found
                .iter()
                .find_map(|l| l.strip_prefix(name))
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    let expected = watches
        .into_iter()
        .map(|(wd, mask)| match left.contains(&wd) {
            true => (wd, mask),
            false => (wd, mask & !stripped),
        });
    assert_eq!(expected.collect::<BTreeMap<_, _>>(), changed);
}

/// Every call is judged by these, and none is about its path.
const NOTHING: &[&str] = &[
    "--strip", "none", "--ignore", "none", "--settle", "none", "--drop", "/nowhere",
];

#[test]
fn rules_that_change_nothing_change_nothing() {
    compare(NOTHING, 0, false);
}

#[test]
fn stripped_calls_have_the_kernels_results_and_errors() {
    compare(&["--settle", "none", "--ignore", "none"], 0x31, false);
}

#[test]
fn so_it_is_without_root() {
    if !is_root() {
        return support::skip("the tests above are without root already");
    }
    compare(NOTHING, 0, true);
    compare(&["--settle", "none", "--ignore", "none"], 0x31, true);
}
