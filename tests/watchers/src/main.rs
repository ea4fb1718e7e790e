//! Runs the table of watchers, or one cell of it.

use std::process::ExitCode;

use clap::Parser;
use watchers::{Engine, Operation, Row, Selection, Skip, pausing, rows, table};

/// Runs real watchers under each engine, prints the table, and fails where a cell is not as expected.
#[derive(Parser)]
struct Arguments {
    /// Only this row; may be given several times
    #[arg(long)]
    watcher: Vec<String>,
    /// Only this engine (masks and records are compared only where `bare` is run as well)
    #[arg(long)]
    engine: Vec<Engine>,
    /// Only this operation
    #[arg(long)]
    operation: Vec<Operation>,
    /// Instead of all that: take each through a deploy, bare and behind `watchfix pause`
    #[arg(long, conflicts_with_all = ["engine", "operation"])]
    pause: bool,
    /// Print what is expected, as docs/watchers.md, and run nothing
    #[arg(long, exclusive = true)]
    table: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.table {
        print!("{}", table::document());
        return ExitCode::SUCCESS;
    }
    if arguments.pause {
        return pause(&arguments.watcher);
    }
    let all = rows::all();
    let names = all.iter().map(|row| row.name);
    if let Err(unknown) = check(&arguments.watcher, names) {
        return unknown;
    }
    let or_all = |given: &[Engine]| match given {
        [] => Engine::all().to_vec(),
        some => some.to_vec(),
    };
    let selection = Selection {
        watchers: all
            .into_iter()
            .filter(|row| is_among(&arguments.watcher, row.name))
            .collect(),
        engines: or_all(&arguments.engine),
        operations: match arguments.operation.as_slice() {
            [] => Operation::all().to_vec(),
            some => some.to_vec(),
        },
    };
    let rows = watchers::run(&selection, print);
    println!("\n{}", table::seen(&rows));
    verdict(rows.iter().map(|row| Verdict {
        name: row.watcher.name.to_owned(),
        skipped: row.skipped.as_ref(),
        failed: !row.problems.is_empty(),
    }))
}

/// The deploys of these watchers, or of all.
fn pause(wanted: &[String]) -> ExitCode {
    let mut deploys = rows::deploys();
    if let Err(unknown) = check(wanted, deploys.iter().map(|deploy| deploy.watcher.name)) {
        return unknown;
    }
    deploys.retain(|deploy| is_among(wanted, deploy.watcher.name));
    let rows = pausing::run(deploys, |row| {
        println!("{}", row.deploy.name());
        for problem in &row.problems {
            println!("  NOT AS EXPECTED: {problem}");
        }
    });
    println!("\n{}", table::paused(&rows));
    verdict(rows.iter().map(|row| Verdict {
        name: row.deploy.name(),
        skipped: row.skipped.as_ref(),
        failed: !row.problems.is_empty(),
    }))
}

fn is_among(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted == name)
}

/// Whether all that is wanted is there.
fn check<'a>(
    wanted: &[String],
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), ExitCode> {
    let is_there = |wanted: &String| names.clone().any(|name| name == wanted);
    match wanted.iter().find(|wanted| !is_there(wanted)) {
        None => Ok(()),
        Some(unknown) => {
            let names: Vec<_> = names.collect();
            let names = names.join(", ");
            eprintln!("watchers: no watcher {unknown}; there are: {names}");
            Err(ExitCode::from(2))
        }
    }
}

/// What came of a row.
struct Verdict<'a> {
    name: String,
    skipped: Option<&'a Skip>,
    failed: bool,
}

/// Says what was skipped, and how many passed.
fn verdict<'a>(rows: impl Iterator<Item = Verdict<'a>>) -> ExitCode {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for Verdict {
        name,
        skipped: why,
        failed: has_failed,
    } in rows
    {
        // At the end: with CI=true a skip is a failure, and the other rows are to be seen all the same.
        match why {
            Some(Skip::Missing(why)) => support::skip(&format!("{name}: {why}")),
            Some(Skip::Unsupported(why)) => support::skip_optional(&format!("{name}: {why}")),
            None => {}
        }
        skipped += usize::from(why.is_some());
        failed += usize::from(has_failed);
        passed += usize::from(why.is_none() && !has_failed);
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// One row, as soon as it is done.
fn print(row: &Row) {
    let mut text = format!("{}\n", row.watcher.name);
    for (engine, used, grown) in &row.rest {
        let (engine, used) = (engine.name(), used.as_secs_f64() * 1e3);
        text += &format!("  {engine:<8}{used:>6.1} ms in 5 s of idleness, {grown:+} descriptors\n");
    }
    for problem in &row.problems {
        text += &format!("  NOT AS EXPECTED: {problem}\n");
    }
    print!("{text}");
}
