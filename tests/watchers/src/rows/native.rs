//! Watchers of the system, in C.

use std::process::Command;
use std::time::Duration;

use super::{READS_AND_BELOW, SCRIPT};
use crate::build::built;
use crate::{
    EACH_FILE, Operation, Ready, Report, Stop, Tells, Tree, Watcher, command, report_of, script,
};

pub(super) static ROWS: &[Watcher] = &[
    // Dies of EAGAIN and EINTR, and asks by FIONREAD before it reads.
    Watcher {
        name: "inotifywait",
        command: |tree| {
            let mut command = command("inotifywait")?;
            command
                .args(["-m", "-r", "--format", "%e\t%w%f"])
                .arg(tree.dir());
            Ok(command)
        },
        ready: Ready::Line("Watches established."),
        chatter: &["Setting up watches", "Watches established."],
        stop: Stop::Killed,
        prints_records: true,
        ..SCRIPT
    },
    // A file that is replaced tells it so by ATTRIB alone, as long as something else keeps it.
    Watcher {
        name: "inotifywait-files",
        command: |tree| {
            let mut command = command("inotifywait")?;
            command
                .args(["-m", "--format", "%e\t%w%f"])
                .args(tree.files());
            Ok(command)
        },
        ready: Ready::Line("Watches established."),
        chatter: &["Setting up watches", "Watches established."],
        stop: Stop::Killed,
        misses: OF_NAMES,
        prints_records: true,
        ..SCRIPT
    },
    Watcher {
        name: "entr",
        command: |tree| entr("-np", tree),
        ready: Ready::WatchingFilesAnd(&[]),
        misses: OF_NAMES_READS_AND_TIMES,
        exceptions: EACH_FILE,
        ..ENTR
    },
    Watcher {
        name: "entr-d",
        command: |tree| entr("-dnp", tree),
        ready: Ready::WatchingFilesAnd(&[""]),
        misses: &[
            Operation::Utime,
            Operation::TouchC,
            Operation::BusyboxTouch,
            Operation::Mkdir,
            Operation::Read,
            Operation::List,
        ],
        ..ENTR
    },
    Watcher {
        name: "gio-monitor",
        command: |tree| {
            let mut command = command("gio")?;
            command.args(["monitor", "-d"]).arg(tree.dir());
            Ok(command)
        },
        ready: Ready::Watching(&[""]),
        tells: Tells::Paths(gio),
        chatter: &[""],
        stop: Stop::Killed,
        misses: READS_AND_BELOW,
        ..SCRIPT
    },
    // It takes a wd for an index into its arguments (so the first watch must be wd 1), reads exactly what
    // FIONREAD announced, and ends when all of its files have been IN_IGNORED.
    Watcher {
        name: "inotifyd",
        command: |tree| {
            let mut command = inotifyd()?;
            command
                .args(["inotifyd", "-"])
                .args([tree.dir(), &tree.target(Operation::List)]);
            Ok(command)
        },
        ready: Ready::Watching(&["", "listed"]),
        tells: Tells::Paths(letters),
        stop: Stop::Killed,
        misses: &[Operation::Mkdir],
        prints_records: true,
        ..SCRIPT
    },
    // A buffer for hardly more than one record.
    Watcher {
        name: "tail-F",
        command: |tree| {
            let mut command = command("tail")?;
            command.args(["-n", "0", "-F"]).args(tree.files());
            Ok(command)
        },
        ready: Ready::WatchingFilesAnd(&[""]),
        tells: Tells::Paths(tail),
        chatter: &[""],
        stop: Stop::Killed,
        misses: &[
            Operation::Touch,
            Operation::Utime,
            Operation::TouchC,
            Operation::BusyboxTouch,
            Operation::Create,
            Operation::Empty,
            Operation::Lock,
            Operation::Mkdir,
            Operation::Chmod,
            Operation::Read,
            Operation::List,
            Operation::Sqlite,
        ],
        ..SCRIPT
    },
    // Every event there is (mask fff), shown as it is read.
    Watcher {
        name: "c-mask-fff",
        command: |tree| {
            let raw = built("raw", |into| {
                let mut cc = command("cc")?;
                cc.args(["-O1", "-Wall", "-D_GNU_SOURCE", "-o"])
                    .args([into, &script("raw.c")]);
                Ok(cc)
            })?;
            let mut command = Command::new(raw);
            command.args([tree.dir(), &tree.target(Operation::List)]);
            Ok(command)
        },
        stop: Stop::Killed,
        misses: &[Operation::Mkdir],
        prints_records: true,
        ..SCRIPT
    },
];

/// Of writing, the end alone.
pub(super) static CLOSE_WRITE: Watcher = Watcher {
    name: "inotifywait-close-write",
    command: |tree| {
        let mut command = command("inotifywait")?;
        command
            .args(["-m", "-r", "--format", "%e\t%w%f"])
            .args(["-e", "close_write,create,delete,move"])
            .arg(tree.dir());
        Ok(command)
    },
    ready: Ready::Line("Watches established."),
    chatter: &["Setting up watches", "Watches established."],
    stop: Stop::Killed,
    ..SCRIPT
};

/// Changes that no watch on a file reports.
const OF_NAMES: &[Operation] = &[
    Operation::Create,
    Operation::Empty,
    Operation::Mkdir,
    Operation::List,
    Operation::Sqlite,
];

/// Nor of reading; and of a file's times entr waits for the close that touch does after it set them.
const OF_NAMES_READS_AND_TIMES: &[Operation] = &[
    Operation::Utime,
    Operation::TouchC,
    Operation::BusyboxTouch,
    Operation::Create,
    Operation::Empty,
    Operation::Mkdir,
    Operation::Read,
    Operation::List,
];

const ENTR: Watcher = Watcher {
    // It takes what happens in the 50 ms after its utility for the utility's own doing.
    deaf: Duration::from_millis(500),
    chatter: &["entr: directory altered", "entr: cannot open"],
    stop: Stop::Killed,
    ..SCRIPT
};

fn entr(options: &str, tree: &Tree) -> Result<Command, String> {
    command("entr")?;
    let mut command = Command::new("sh");
    command.arg(script("entr.sh")).arg(options).arg(tree.dir());
    Ok(command)
}

/// A busybox may be built without inotifyd (Debian's is); toybox works in the same way.
fn inotifyd() -> Result<Command, String> {
    let busybox = command("busybox")?;
    let help = command("busybox")?.args(["inotifyd", "--help"]).output();
    if help.is_ok_and(|o| String::from_utf8_lossy(&o.stderr).contains("Usage: inotifyd")) {
        return Ok(busybox);
    }
    command("toybox")
}

/// The events inotifyd's letters stand for.
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
fn letters(line: &str) -> Vec<Report> {
    let mut fields = line.split('\t');
    let (Some(letters), Some(dir)) = (fields.next(), fields.next()) else {
        return Vec::new();
    };
    let dir = std::path::Path::new(dir);
    let path = fields
        .next()
        .map_or(dir.to_path_buf(), |name| dir.join(name));
    vec![report_of(in_words(letters), path)]
}

/// `/dir: /dir/a.txt: changed`, `/dir: /dir/a.txt: renamed to /dir/b.txt`
fn gio(line: &str) -> Vec<Report> {
    let mut parts = line.split(": ").skip(1);
    let (Some(path), Some(kind)) = (parts.next(), parts.next()) else {
        return Vec::new();
    };
    match kind.strip_prefix("renamed to ") {
        Some(to) => [path, to].map(|p| report_of("renamed", p)).to_vec(),
        None => vec![report_of(kind, path)],
    }
}

/// `==> /dir/a.txt <==`, what was added to a file (its own name), or
/// `tail: '/dir/a.txt' has become inaccessible`.
fn tail(line: &str) -> Vec<Report> {
    let added = line.strip_prefix("# ");
    let message = || line.split_once("tail: '")?.1.split('\'').next();
    added
        .or_else(message)
        .map(|p| report_of("", p))
        .into_iter()
        .collect()
}
