//! The table: which engine lets which watcher notice what.

use crate::{Engine, Operation, Reach, Row, Watcher, rows};

/// docs/watchers.md: what is expected of every cell.
pub fn document() -> String {
    let all = rows::all();
    let table = table(all.iter().map(|watcher| {
        let noticed = |engine, operation| Some(watcher.is_to_notice(engine, operation));
        (*watcher, noticed)
    }));
    let exceptions: String = all.iter().flat_map(|watcher| exceptions(watcher)).collect();
    let summary = summary();
    format!("{HEAD}\n{summary}\n{EACH}\n{table}\n{EXCEPTIONS}\n{exceptions}")
}

/// How many watchers notice what, under each engine.
fn summary() -> String {
    let engines = Engine::all();
    let names: Vec<_> = engines.iter().map(|e| e.name()).collect();
    let mut text = format!(
        "| of {} watchers notice | {} |\n",
        rows::all().len(),
        names.join(" | ")
    );
    text += &format!("| --- |{}\n", " --- |".repeat(names.len()));
    for operation in Operation::all() {
        let counts = engines.iter().map(|engine| {
            let all = rows::all();
            let noticing = all.iter().filter(|w| w.is_to_notice(*engine, *operation));
            noticing.count().to_string()
        });
        let counts: Vec<_> = counts.collect();
        text += &format!("| {} | {} |\n", operation.name(), counts.join(" | "));
    }
    text
}

/// The same table, of what was seen.
pub fn seen(rows: &[Row]) -> String {
    table(rows.iter().map(|row| {
        let noticed = |engine, operation| {
            let cell = row.cells.iter().find(|c| (c.0, c.1) == (engine, operation));
            cell.map(|c| c.2)
        };
        (row.watcher, noticed)
    }))
}

fn table<'a>(
    rows: impl Iterator<Item = (&'a Watcher, impl Fn(Engine, Operation) -> Option<bool>)>,
) -> String {
    let names: Vec<_> = Operation::all().iter().map(|o| o.name()).collect();
    let mut text = format!("| watcher | preload reaches | {} |\n", names.join(" | "));
    text += &format!("| --- | --- |{}\n", " --- |".repeat(names.len()));
    for (watcher, noticed) in rows {
        let reach = match watcher.preload {
            Reach::Full => "it",
            Reach::Records => "what it reads",
            Reach::Masks | Reach::MasksAndRecords | Reach::Nothing => "nothing",
        };
        let cells = Operation::all().iter().map(|o| cell(|e| noticed(e, *o)));
        let cells: Vec<_> = cells.collect();
        text += &format!("| {} | {reach} | {} |\n", watcher.name, cells.join(" | "));
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
# Real watchers, and what each engine leaves of what they notice

Made by `cargo run -p watchers -- --table`; a test holds it to be current. `cargo run -p watchers` runs every
cell for real and fails where one is not as it stands here, in either direction; with `--watcher`, `--engine` and
`--operation` it runs one.

✓: noticed bare, with the preload, under `watchfix run` and after `watchfix heal`. –: by none of them, so that there is
nothing to lose. Else the engines are named under which it is noticed.

What an engine can take away depends on how far it reaches. The preload sees masks and records: reads, changes of
attributes alone and SQLite's files go, every touch stays. Where it sees records only (`what it reads`) it does not know
the paths of the watches, so that changes of attributes stay, too. It reaches nothing in a static program or in one that
makes its system calls itself; there the supervisor of `watchfix run` judges masks and records in its place (Linux 5.19).
`watchfix heal` edits masks: reads go, changes of attributes and names stay.

- `write` adds a line, `rewrite` empties the file first, `burst` is 1,000 writes, `wal` is an edit of `config.toml` amid 400
  transactions of a SQLite database beside it.
- `replace` renames another file over one. With `late-close` the new file is closed after that, as GLib saves; with `held`
  a process has the old one open, with `linked` it has a second name elsewhere, with `executed` it is a running program: a
  watch on such a file reports its end by ATTRIB alone. (A build in JavaScript has no running program among its files.)
- `touch` is the program; `utime` is one `utimensat` by path, as of Python's `os.utime` and node's `utimes`; `touch-c` is
  `touch -c` and `busybox-touch` busybox's, which do the same.
- `create` is a file with a line in it, `empty` one with none; `lock` is a file that is opened for reading and writing and
  closed without either. `mkdir` is a directory and then a file in it: it counts as noticed when that file is.
- `chmod` is a change of attributes alone, of a file written long ago: mode, owner, links, extended attributes.
- `sqlite` is writing to that database, to others, their logs and journals.

**Nothing is invented**: what a watcher does not notice bare (–) it must not notice under an engine
either, and of what it notices it must say nothing under an engine that it does not say bare. node-build takes a lock in the
directory it watches while it builds: it must come to rest after each edit.

With each run it is also checked that the masks the kernel holds are those of the contract, that programs which print
records get those of the contract, that a watcher survives twenty reads of which nothing is left, uses at most 1 %
more processor time than bare in five seconds of idleness, keeps no descriptors, and stops as it does bare.

`watchfix heal` is applied once, without `--follow`. A watcher that starts itself anew after a change (node --watch, deno
--watch, flask) places new watches then, which have masks of their own.

## How many notice what

No edit is lost in any cell, and none is invented. `chmod`, `read`, `list` and `sqlite` are what the rules take away: there a
smaller number is what is wanted.
";

const EACH: &str = "\
## Each watcher
";

const EXCEPTIONS: &str = "\
## Where a cell is not what the engine's reach promises

| watcher | engine | operation | what, and why |
| --- | --- | --- | --- |";
