//! Runs the table of watchers, or one cell of it.

use std::process::ExitCode;

use clap::Parser;
use watchers::{Engine, Operation, Row, Selection, Skip, rows, table};

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
    let selected = |name: &&str| arguments.watcher.iter().any(|w| w == name);
    let all = rows::all();
    if let Some(unknown) = arguments
        .watcher
        .iter()
        .find(|w| !all.iter().any(|row| row.name == w.as_str()))
    {
        let names: Vec<_> = all.iter().map(|row| row.name).collect();
        eprintln!(
            "watchers: no watcher {unknown}; there are: {}",
            names.join(", ")
        );
        return ExitCode::from(2);
    }
    let or_all = |given: &[Engine]| match given {
        [] => Engine::all().to_vec(),
        some => some.to_vec(),
    };
    let selection = Selection {
        watchers: all
            .into_iter()
            .filter(|row| arguments.watcher.is_empty() || selected(&row.name))
            .collect(),
        engines: or_all(&arguments.engine),
        operations: match arguments.operation.as_slice() {
            [] => Operation::all().to_vec(),
            some => some.to_vec(),
        },
    };
    let rows = watchers::run(&selection, print);
    println!("\n{}", table::seen(&rows));
    // At the end: with CI=true a skip is a failure, and the other rows are to be seen all the same.
    for row in &rows {
        let name = row.watcher.name;
        match &row.skipped {
            Some(Skip::Missing(why)) => support::skip(&format!("{name}: {why}")),
            Some(Skip::Unsupported(why)) => support::skip_optional(&format!("{name}: {why}")),
            None => {}
        }
    }
    let failed = rows.iter().filter(|row| !row.problems.is_empty()).count();
    let skipped = rows.iter().filter(|row| row.skipped.is_some()).count();
    println!(
        "{} passed, {failed} failed, {skipped} skipped",
        rows.len() - failed - skipped
    );
    if failed > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
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
