//! Replays an incident for a person: bare, what fdscan says, with the preload.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use incidents::apx::{Apx, Tree};
use incidents::codex::{Codex, Home, Preload};
use incidents::{Product, fdscan_findings};

/// Replays an incident with real processes: bare, what fdscan says, with the preload.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    incident: Incident,
    /// The fdscan to ask [default: beside this program]
    #[arg(long, env = "REPLAY_FDSCAN", global = true)]
    fdscan: Option<PathBuf>,
    /// The libwatchfix.so to preload [default: beside this program]
    #[arg(long, env = "REPLAY_LIBWATCHFIX", global = true)]
    libwatchfix: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Incident {
    /// A watcher woken by reads regenerates for ever
    Apx,
    /// A program watches its own log database
    Codex,
}

/// Enough for a WAL many times the size of its database, in well under a second.
const ROWS: u64 = 20_000;

fn main() -> ExitCode {
    // A step that cannot be done is said in one line; there is nothing to trace.
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let what = payload.downcast_ref::<String>().map(String::as_str);
        let what = what.or_else(|| payload.downcast_ref::<&str>().copied());
        eprintln!("replay: {}", what.unwrap_or("failed"));
        std::process::exit(1);
    }));
    let args = Args::parse();
    let here = match std::env::current_exe() {
        Ok(program) => program.with_file_name(""),
        Err(error) => {
            eprintln!("replay: where this program is: {error}");
            return ExitCode::FAILURE;
        }
    };
    let product = Product {
        fdscan: args.fdscan.unwrap_or_else(|| here.join("fdscan")),
        libwatchfix: args
            .libwatchfix
            .unwrap_or_else(|| here.join("libwatchfix.so")),
        victims: here,
    };
    if let Err(missing) = product.check() {
        eprintln!("replay: {missing}");
        return ExitCode::FAILURE;
    }
    let ended = match args.incident {
        Incident::Apx => apx(&product),
        Incident::Codex => codex(&product),
    };
    if ended {
        ExitCode::SUCCESS
    } else {
        eprintln!("replay: the preload did not end it");
        ExitCode::FAILURE
    }
}

fn apx(product: &Product) -> bool {
    println!("apx: a development server regenerates for ever, woken by its own reads\n");
    let tree = Tree::new();

    heading("Without the preload");
    let mut victim = Apx::start(product, &tree, false);
    row("watches", &watches(&victim));
    let seen = victim.watch_it_loop(5);
    let opens: usize = seen.regenerations.iter().map(|r| r.opens).sum();
    let changes: usize = seen.regenerations.iter().map(|r| r.changes).sum();
    let seconds = seen.elapsed.as_secs_f64();
    let cpu = 100.0 * seen.cpu.as_secs_f64() / seconds;
    row(
        "nobody edits",
        &format!(
            "{} regenerations in {seconds:.1} s, and so on",
            seen.regenerations.len()
        ),
    );
    row("events", &format!("{opens} opens, {changes} modifications"));
    row("processor", &format!("{cpu:.0} %"));
    ask_fdscan(product, victim.pid());
    drop(victim);

    heading("With LD_PRELOAD=libwatchfix.so");
    let mut victim = Apx::start(product, &tree, true);
    row("watches", &watches(&victim));
    let quiet = victim.read_and_edit();
    let by_edit_of = |file: &str| {
        let by = |r: &&incidents::apx::Regeneration| r.paths.iter().any(|p| p.ends_with(file));
        quiet.regenerations.iter().filter(by).count()
    };
    let (router, models) = (by_edit_of("router.py"), by_edit_of("models.py"));
    let by_reads = quiet.regenerations.len().saturating_sub(router + models);
    row(
        &format!("{} files read", quiet.files_read),
        &regenerations(by_reads),
    );
    row("router.py edited", &regenerations(router));
    by_reads == 0 && router == 1
}

fn codex(product: &Product) -> bool {
    println!("Codex: a program watches the directory of its own log database\n");

    heading("Without the preload");
    let home = Home::new();
    let mut victim = Codex::start(product, &home, ROWS, &Preload::None);
    let seen = victim.watch_it_loop();
    let seconds = seen.elapsed.as_secs_f64();
    let (rows, wal) = (seen.rows, mb(seen.wal_bytes));
    // All but the first row and those about edits, of which there are none.
    let own = rows - 1 - seen.edits as u64;
    row(
        "nobody edits",
        &format!("{rows} rows logged in {seconds:.1} s, {own} about the log itself"),
    );
    row(
        "WAL",
        &format!(
            "{wal:.0} MB, {:.0} MB/s, until this replay stopped it",
            wal / seconds
        ),
    );
    ask_fdscan(product, victim.pid());
    drop(victim);

    heading("With LD_PRELOAD=libwatchfix.so");
    let home = Home::new();
    let mut victim = Codex::start(product, &home, ROWS, &Preload::Defaults);
    let edits = victim.edit_config();
    let config = edits.of_config().count();
    let rows = victim.logged();
    let own: i64 = rows
        .iter()
        .filter(|(path, _)| path.contains(".sqlite"))
        .map(|(_, n)| n)
        .sum();
    let all: i64 = rows.iter().map(|(_, n)| n).sum();
    row(
        "config.toml",
        &format!("edited twice: {config} events arrive"),
    );
    row(
        "its log",
        &format!("{all} rows, {own} about the log itself"),
    );
    row("WAL", &format!("{:.2} MB", mb(edits.wal_after)));
    println!();

    heading("With WATCHFIX_DROP naming the directory, too");
    let home = Home::new();
    let mut victim = Codex::start(product, &home, ROWS, &Preload::DropHome);
    let edits = victim.edit_config();
    let of_home = edits
        .events
        .iter()
        .filter(|e| e.path.starts_with(home.path()))
        .count();
    row(
        "config.toml",
        &format!("edited twice: {of_home} events arrive"),
    );
    config > 0 && own == 0 && of_home == 0
}

fn ask_fdscan(product: &Product, pid: u32) {
    println!();
    heading(&format!("fdscan {pid}"));
    let text = product.fdscan_text(pid);
    let findings = fdscan_findings(&text);
    if let Some((worst, others)) = findings.split_first() {
        for line in worst.lines() {
            println!("    {line}");
        }
        for title in others.iter().filter_map(|f| f.lines().next()) {
            println!("    {title}");
        }
    }
    println!();
}

fn watches(victim: &Apx<'_>) -> String {
    let masks = victim.masks();
    let all: usize = masks.values().sum();
    let each: Vec<_> = masks
        .iter()
        .map(|(mask, n)| format!("{n} with mask {mask:#x}"))
        .collect();
    format!("{all}: {}", each.join(", "))
}

fn regenerations(count: usize) -> String {
    match count {
        0 => "no regeneration".to_owned(),
        1 => "1 regeneration".to_owned(),
        n => format!("{n} regenerations"),
    }
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn heading(text: &str) {
    println!("  {text}");
}

fn row(label: &str, value: &str) {
    println!("    {label:<18}{value}");
}
