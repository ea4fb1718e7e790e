//! Runs watchers under engines and holds what comes of it against what is to come.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use crate::contract;
use crate::session::{Outcome, SPINNING, Session};
use crate::{Engine, Operation, Tree, Watcher};

/// At most this many descriptors more than bare, after more than 1,000 events: a leak has one per event or
/// per watch. A runtime that opens a pipe later than before has a few, and the supervisor of `watchfix run` keeps three
/// for each of the last 16 threads it has looked at: Go reads from another one now and then.
const LEAKING: isize = 8 + 3 * 16;

/// The cells to be run.
pub struct Selection {
    /// The rows.
    pub watchers: Vec<&'static Watcher>,
    /// The columns.
    pub engines: Vec<Engine>,
    /// What is done in each.
    pub operations: Vec<Operation>,
}

/// Why a row was not run.
pub enum Skip {
    /// It needs what is not installed here.
    Missing(String),
    /// No installation makes it run here.
    Unsupported(&'static str),
}

/// What came of one row.
pub struct Row {
    /// Whose.
    pub watcher: &'static Watcher,
    /// Why it was not run.
    pub skipped: Option<Skip>,
    /// Each cell's engine and operation, and whether it was noticed.
    pub cells: Vec<(Engine, Operation, bool)>,
    /// Each engine, with the processor time used in five seconds of idleness and the descriptors that
    /// were added since the start. Only where all operations were done.
    pub rest: Vec<(Engine, Duration, isize)>,
    /// What is not as it is to be, each with the command that runs it again.
    pub problems: Vec<String>,
}

/// Runs all of it, eight rows at a time: a watcher mostly waits.
pub fn run(selection: &Selection, done: impl Fn(&Row) + Sync) -> Vec<Row> {
    let mut watchers: Vec<_> = selection.watchers.iter().copied().enumerate().collect();
    // First those to whom one thing after the other is done: they take longest.
    watchers.sort_by_key(|(_, watcher)| watcher.tells_apart());
    let mut rows = in_parallel(8, watchers, |(number, watcher)| {
        let row = run_row(watcher, selection);
        done(&row);
        (number, row)
    });
    rows.sort_by_key(|(number, _)| *number);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Does it to all of them, so many at a time. Gives what came of it, in the order in which they were done.
pub(crate) fn in_parallel<T: Send, R: Send>(
    threads: usize,
    all: Vec<T>,
    act: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let waiting = Mutex::new(all.into_iter());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(one) = next(&waiting) {
                    let result = act(one);
                    lock(&done).push(result);
                }
            });
        }
    });
    std::mem::take(&mut *lock(&done))
}

fn next<T>(waiting: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    lock(waiting).next()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn run_row(watcher: &'static Watcher, selection: &Selection) -> Row {
    let mut row = Row {
        watcher,
        skipped: None,
        cells: Vec::new(),
        rest: Vec::new(),
        problems: Vec::new(),
    };
    if let Some(why) = (watcher.unsupported)() {
        row.skipped = Some(Skip::Unsupported(why));
        return row;
    }
    let mut bare = None;
    let engines = selection.engines.iter();
    for engine in engines.filter(|engine| watcher.runs_under(**engine)) {
        if let Err(problem) = run_engine(&mut row, *engine, &mut bare, &selection.operations) {
            row.problem(*engine, None, &problem);
        }
        if row.skipped.is_some() {
            break;
        }
    }
    row
}

/// What a watcher did bare, to hold the engines against.
struct Bare {
    masks: BTreeSet<(PathBuf, u32)>,
    kinds: Vec<(Operation, Vec<String>)>,
    rest: Option<(Duration, isize)>,
}

fn run_engine(
    row: &mut Row,
    engine: Engine,
    bare: &mut Option<Bare>,
    operations: &[Operation],
) -> Result<(), String> {
    let watcher = row.watcher;
    let tree = Tree::new(watcher.extension).map_err(|e| format!("no tree: {e}"))?;
    let command = match (watcher.command)(&tree) {
        Ok(command) => command,
        Err(why) => {
            row.skipped = Some(Skip::Missing(why));
            return Ok(());
        }
    };
    let mut session = Session::start(watcher, engine, tree, command)?;
    let mut seen = Bare {
        masks: session.masks(),
        kinds: Vec::new(),
        rest: None,
    };
    let expected = |operation| watcher.is_to_notice(engine, operation);
    let together = |one: &Operation, next: &Operation| {
        let silent = !expected(*one) && !expected(*next);
        one.is_brief() && next.is_brief() && (watcher.tells_apart() || silent)
    };
    for operations in operations.chunk_by(together) {
        let outcomes = session.perform(operations, expected)?;
        for (operation, Outcome { noticed, kinds }) in operations.iter().zip(outcomes) {
            row.cells.push((engine, *operation, noticed));
            if noticed != expected(*operation) {
                let what = if noticed {
                    "it is noticed"
                } else {
                    "it is not noticed"
                };
                row.problem(engine, Some(*operation), &session.failure(what));
            }
            seen.kinds.push((*operation, kinds));
        }
    }
    if operations == Operation::all() {
        session.feed_state_files()?;
        let (used, grown) = session.rest()?;
        row.rest.push((engine, used, grown));
        seen.rest = Some((used, grown));
    }
    session.stop()?;
    match bare {
        Some(bare) => row.compare(engine, bare, &seen),
        None if engine == Engine::Bare => *bare = Some(seen),
        None => {}
    }
    Ok(())
}

impl Row {
    fn problem(&mut self, engine: Engine, operation: Option<Operation>, what: &str) {
        let name = self.watcher.name;
        let engine = engine.name();
        let operation = operation.map(|o| format!(" --operation {}", o.name()));
        self.problems.push(format!(
            "{what}\n    cargo run -p watchers -- --watcher {name} --engine {engine}{}",
            operation.unwrap_or_default(),
        ));
    }

    fn compare(&mut self, engine: Engine, bare: &Bare, seen: &Bare) {
        let reach = self.watcher.reach(engine);
        let expected: BTreeSet<_> = bare
            .masks
            .iter()
            .map(|(path, asked)| (path.clone(), contract::mask(reach, *asked, path)))
            .collect();
        if seen.masks != expected {
            let difference: Vec<_> = seen.masks.symmetric_difference(&expected).collect();
            self.problem(
                engine,
                None,
                &format!("masks not as expected: {difference:x?}"),
            );
        }
        for ((operation, was), (_, is)) in bare.kinds.iter().zip(&seen.kinds) {
            let compared = if self.watcher.prints_records {
                contract::compare(reach, *operation, was, is)
            } else if self.watcher.tells_apart() {
                contract::nothing_invented(*operation, was, is)
            } else {
                // Its words are not waited for to the last.
                Ok(())
            };
            if let Err(what) = compared {
                self.problem(engine, Some(*operation), &what);
            }
        }
        if let (Some((used, grown)), Some((used_bare, grown_bare))) = (seen.rest, bare.rest) {
            if used > used_bare + SPINNING {
                let what = format!("it spins: {used:?} in 5 s of idleness, bare {used_bare:?}");
                self.problem(engine, None, &what);
            }
            if grown > grown_bare.max(0) + LEAKING {
                let what = format!("it leaks: {grown} descriptors, bare {grown_bare}");
                self.problem(engine, None, &what);
            }
        }
    }
}
