//! A call whose mask stays has the kernel's own answer, and so has one whose mask changes.

use super::given::{Dir, NOBODY, as_nobody, calls, output, run, run_as_nobody};
use std::collections::BTreeMap;
use std::os::unix::fs::chown;
use std::process::Command;
use tempfile::TempDir;

/// What tests/c/calls.c prints of its calls, and the masks of its watches by wd.
fn lines(command: &mut Command, nobody: bool) -> (Vec<String>, BTreeMap<u32, u32>) {
    let dir = TempDir::new().unwrap();
    if nobody {
        chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
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

fn compare(flags: &[&str], stripped: u32, nobody: bool) {
    let tools = Dir::new();
    let (mut bare, mut under) = if nobody {
        let program = tools.install(calls());
        let mut bare = Command::new(&program);
        as_nobody(&mut bare);
        let mut under = run_as_nobody(&tools, flags);
        under.arg(program);
        (bare, under)
    } else {
        let mut under = run(flags);
        under.arg(calls());
        (Command::new(calls()), under)
    };
    let (expected, watches) = lines(&mut bare, nobody);
    let (found, changed) = lines(&mut under, nobody);
    let differ: Vec<_> = expected
        .iter()
        .zip(&found)
        .filter(|(a, b)| a != b)
        .collect();
    assert!(differ.is_empty(), "bare and under {flags:?}: {differ:#?}");
    assert_eq!(expected.len(), found.len());
    assert!(expected.len() > 300, "{}", expected.len());
    // A path in /proc, or a link to one, may depend on the process that asks: it is left alone.
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
    if !support::is_root() {
        return support::skip("the tests above are without root already");
    }
    compare(NOTHING, 0, true);
    compare(&["--settle", "none", "--ignore", "none"], 0x31, true);
}
