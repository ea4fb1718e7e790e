//! The table: which engine lets which watcher notice what.

use crate::pausing::PauseRow;
use crate::{Deploy, Engine, Operation, Reach, Row, Watcher, rows};

/// docs/watchers.md: what is expected of every cell.
pub fn document() -> String {
    let all = rows::all();
    let table = table(all.iter().map(|watcher| {
        let noticed = |engine, operation| {
            let runs = watcher.runs_under(engine);
            runs.then(|| watcher.is_to_notice(engine, operation))
        };
        (*watcher, noticed)
    }));
    let exceptions: String = all.iter().flat_map(|watcher| exceptions(watcher)).collect();
    let summary = summary();
    let pauses: String = rows::deploys().iter().map(pause).collect();
    format!("{HEAD}\n{summary}\n{EACH}\n{table}\n{EXCEPTIONS}\n{exceptions}\n{PAUSES}\n{pauses}")
}

/// How many watchers notice what, under each engine.
fn summary() -> String {
    let all = rows::all();
    let engines = Engine::all();
    let names = engines.iter().map(|engine| {
        let run = all.iter().filter(|w| w.runs_under(*engine)).count();
        match run == all.len() {
            true => engine.name(),
            false => format!("{} (of {run})", engine.name()),
        }
    });
    let names: Vec<_> = names.collect();
    let mut text = format!(
        "| of {} watchers notice | {} |\n",
        all.len(),
        names.join(" | ")
    );
    text += &format!("| --- |{}\n", " --- |".repeat(names.len()));
    for operation in Operation::all() {
        let counts = engines.iter().map(|engine| {
            let run = all.iter().filter(|w| w.runs_under(*engine));
            let noticing = run.filter(|w| w.is_to_notice(*engine, *operation));
            noticing.count().to_string()
        });
        let counts: Vec<_> = counts.collect();
        text += &format!("| {} | {} |\n", operation.name(), counts.join(" | "));
    }
    text
}

/// The same table, with what was seen.
pub fn seen(rows: &[Row]) -> String {
    table(rows.iter().map(|row| {
        let noticed = |engine, operation| {
            let cell = row.cells.iter().find(|c| (c.0, c.1) == (engine, operation));
            cell.map(|c| c.2)
        };
        (row.watcher, noticed)
    }))
}

/// What is expected of a deploy.
fn pause(deploy: &Deploy) -> String {
    let done = match deploy.rewrites_only {
        true => "files are rewritten",
        false => "all",
    };
    let bursts = match deploy.bursts {
        usize::MAX => "one after the other".to_owned(),
        1 => "one".to_owned(),
        some => format!("at most {some}"),
    };
    let misses: Vec<_> = deploy.misses.iter().map(|change| change.name()).collect();
    let misses = match deploy.names_one {
        true if deploy.bursts > 1 => "some, as bare".to_owned(),
        true => "all but one".to_owned(),
        false => misses.join(", "),
    };
    format!("| {} | {done} | {bursts} | {misses} |\n", deploy.name())
}

/// What came of deploys.
pub fn paused(rows: &[PauseRow]) -> String {
    let mut text = "| watcher | bare: lines in bursts | paused: during | after, in bursts | missed, of bare | most watches, of bare |\n\
                    | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for row in rows.iter().filter(|row| row.skipped.is_none()) {
        let (bare, paused) = (&row.bare, &row.paused);
        let restarts = |count: usize| match row.deploy.restarts {
            Some(_) => format!("; {count} restarts"),
            None => String::new(),
        };
        text += &format!(
            "| {} | {}, {}{} | {} | {}, {}{} | {}, {} | {}, {} |\n",
            row.deploy.name(),
            bare.during,
            bare.bursts_during.len(),
            restarts(bare.restarts),
            paused.during,
            paused.after,
            paused.bursts_after.len(),
            restarts(paused.restarts),
            paused.missed,
            bare.missed,
            paused.peak,
            bare.peak
        );
    }
    text
}

fn table<'a>(
    rows: impl Iterator<Item = (&'a Watcher, impl Fn(Engine, Operation) -> Option<bool>)>,
) -> String {
    let names: Vec<_> = Operation::all().iter().map(|o| o.name()).collect();
    let mut text = format!(
        "| watcher | preload reaches | `run` judges reads by | {} |\n",
        names.join(" | ")
    );
    text += &format!("| --- | --- | --- |{}\n", " --- |".repeat(names.len()));
    for (watcher, noticed) in rows {
        let reach = match watcher.preload {
            Reach::Full => "masks, records",
            Reach::Records => "records",
            Reach::Masks | Reach::MasksAndRecords | Reach::Nothing => "nothing",
        };
        let cells = Operation::all().iter().map(|o| cell(|e| noticed(e, *o)));
        let cells: Vec<_> = cells.collect();
        let by = match (watcher.preload, watcher.without_preload) {
            (Reach::Nothing, _) => "supervisor",
            (_, true) => "library; `seccomp`: supervisor",
            (_, false) => "library",
        };
        let name = watcher.name;
        text += &format!("| {name} | {reach} | {by} | {} |\n", cells.join(" | "));
    }
    text
}

/// The engines under which it is noticed, of those that were run.
fn cell(noticed: impl Fn(Engine) -> Option<bool>) -> String {
    let run = || Engine::all().iter().filter(|e| noticed(**e).is_some());
    let noticing: Vec<_> = run().filter(|e| noticed(**e) == Some(true)).collect();
    match noticing.len() {
        _ if run().count() == 0 => String::new(),
        0 => "–".to_owned(),
        all if all == run().count() => "✓".to_owned(),
        _ => noticing
            .iter()
            .map(|e| e.name())
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn exceptions(watcher: &Watcher) -> impl Iterator<Item = String> {
    watcher.exceptions.iter().map(|e| {
        let not = if e.noticed { "" } else { "not " };
        format!(
            "| {} | {} | {} | {not}noticed: {} |\n",
            watcher.name,
            e.engine.name(),
            e.operation.name(),
            e.why
        )
    })
}

const HEAD: &str = "\
# Real watchers, and what each engine lets them notice

`cargo run -p watchers -- --table` writes this page, and a test checks that it is current. `cargo run -p watchers` runs every
cell for real and fails if one differs from this page in either direction. With `--watcher`, `--engine` and `--operation` it
runs only some cells.

✓: noticed bare, with the preload, under `watchfix run`, after `watchfix heal`, and, where that was run, under `watchfix run
--engine seccomp` (`seccomp`). –: noticed by none of them, so there is nothing to lose. Otherwise a cell names the engines under
which the operation is noticed.

How much an engine can remove depends on what it reaches:

- The preload sees masks and records. It removes reads, pure attribute changes and events of SQLite's files; every touch
  stays. If it sees only records, it does not know the paths of the watches, so attribute changes stay too. It does not
  reach a static program, or a program that makes its own system calls. There the supervisor of `watchfix run` judges masks
  and records (Linux 5.19). Under `--engine seccomp` it does so for dynamic programs too.
- `watchfix heal` edits masks. It removes reads; attribute changes and events with a file's name stay.

The operations:

- `write` appends a line. `rewrite` truncates the file first. `burst` is 1,000 writes. `wal` is an edit of `config.toml`
  during 400 transactions of a SQLite database beside it.
- `replace` renames another file over one. With `late-close` the new file is closed after the rename, as GLib saves. With
  `held` a process has the old file open. With `linked` the old file has a second name elsewhere. With `executed` it is a
  running program: a watch on such a file reports its end only as ATTRIB. (A JavaScript build has no running program among
  its files.)
- `touch` is the program. `utime` is one `utimensat` by path, as Python's `os.utime` and node's `utimes` make it. `touch-c`
  (`touch -c`) and `busybox-touch` do the same.
- `create` creates a file with a line in it, and `empty` an empty file. `lock` opens a file for reading and writing and
  closes it, without reading or writing. `mkdir` creates a directory and then a file in it; it counts as noticed if that file
  is.
- `chmod` is a pure attribute change of a file that was written long ago: mode, owner, links, extended attributes.
- `sqlite` writes to that database and to others, with their logs and journals.

**Nothing is invented**: an operation that a watcher does not notice bare (–) must not be noticed under an engine either.
Under an engine a watcher must also not print anything that it does not print bare. node-build takes a lock in the directory
that it watches while it builds; it must come to rest after each edit.

Each run also checks that the kernel has the masks of the contract, and that programs that print records get the records of
the contract. A watcher must survive twenty reads of which nothing is left, use at most 1 % more processor time than bare in
five idle seconds, leak no descriptors, and stop as it does bare.

`watchfix heal` is applied once, without `--follow`. A watcher that restarts itself after a change (node --watch, deno
--watch, flask) then places new watches with its own masks.

## How many notice what

No cell loses an edit, and none invents an event. The rules remove `chmod`, `read`, `list` and `sqlite`: there a smaller
number is better.
";

const EACH: &str = "\
## Each watcher
";

const EXCEPTIONS: &str = "\
## Cells that differ from what the engine's reach promises

| watcher | engine | operation | difference and reason |
| --- | --- | --- | --- |";

const PAUSES: &str = "\
## Through a deploy, behind `watchfix pause`

`cargo run -p watchers -- --pause` takes these through a deploy, once bare and once with `watchfix pause DIR -- deploy`, and fails
where it is not as it stands here. The deploy installs eight packages of five files and removes one, rewrites 30 files, renames 15
over others, removes and makes 12 again, removes 3 and makes 4; it rests for half a second twice.

- Meanwhile no watcher prints a line.
- Afterwards it reports what it hears in so many bursts (400 ms of silence end one): bare there are two to six.
- Every file, and every package, that changed is named, but for those a watcher does not name bare either.
- No file is named that did not change.
- The replay leaves every file and directory with the inode, mode, owner, links, size, time and content the deploy left.
- What a watcher hears bare after the deploy it hears after the pause: edits of all these files, one in a new package, and a
  new file there. The deploy makes no directory again that it has removed: what some watchers miss then is in
  [pause](pause.md#what-it-needs-and-what-it-does-not-do).

chokidar and inotifywait do it on a tmpfs and an overlayfs as well.

| watcher | the deploy | bursts afterwards | does not name |
| --- | --- | --- | --- |";
