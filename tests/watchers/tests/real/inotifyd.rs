//! inotifyd of busybox or toybox: it takes a wd for an index into its arguments (so the first watch
//! must be wd 1), reads exactly what FIONREAD announced, and ends when all of its files have been
//! IN_IGNORED.

use std::path::PathBuf;
use std::process::Command;

use watchers::{Operation, Ready, Stop, Watcher, command};

pub(crate) static INOTIFYD: Watcher = Watcher {
    command: |dir| {
        let mut command = inotifyd()?;
        command
            .args(["inotifyd", "-"])
            .args([dir, &dir.join(Operation::List.target())]);
        Ok(command)
    },
    ready: Ready::Watches(2),
    parse: letters,
    chatter: &[],
    stop: Stop::Killed,
    reports_bare: &[Operation::Chmod, Operation::Read, Operation::List],
    masks_change: true,
    lists_again: false,
};

/// A busybox may be built without inotifyd (Debian's is); toybox works in the same way.
fn inotifyd() -> Result<Command, String> {
    let busybox = command("busybox")?;
    let help = command("busybox")?.args(["inotifyd", "--help"]).output();
    if help.is_ok_and(|o| String::from_utf8_lossy(&o.stderr).contains("Usage: inotifyd")) {
        return Ok(busybox);
    }
    command("toybox")
}

/// The events its letters stand for.
fn in_words(letters: &str) -> &'static str {
    match letters {
        "a" => "ACCESS",
        "c" => "MODIFY",
        "e" => "ATTRIB",
        "w" => "CLOSE_WRITE",
        "ew" => "ATTRIB,CLOSE_WRITE",
        "0" => "CLOSE_NOWRITE",
        "r" => "OPEN",
        "m" => "MOVED_FROM",
        "y" => "MOVED_TO",
        "n" => "CREATE",
        "d" => "DELETE",
        _ => "OTHER",
    }
}

/// `LETTERS<TAB>DIR<TAB>NAME`, without the name where the event is about the directory itself.
fn letters(line: &str) -> Option<(&str, PathBuf)> {
    let mut fields = line.split('\t');
    let kind = in_words(fields.next()?);
    let dir = PathBuf::from(fields.next()?);
    Some((
        kind,
        fields.next().map_or(dir.clone(), |name| dir.join(name)),
    ))
}

watchers::claims!(INOTIFYD);

#[test]
fn its_records_are_those_of_the_contract() {
    watchers::claims::its_records_are_those_of_the_contract(&INOTIFYD);
}
