//! `watchfix demo`: two real incidents with real programs, before and after.
//!
//! The programs are not part of this one: one of them needs SQLite, which is larger than all of watchfix.
//! `scripts/demo` builds them, linked dynamically and statically, into `demo/` beside this program.

mod incident;
mod row;
mod victim;

use crate::cli::DemoArgs;
use crate::complaint::complain;
use crate::heal;
use crate::sys::signal;
use incident::{Incident, Place};
use inspect::findings::quoted;
use inspect::model::Finding;
use inspect::output::print;
use inspect::render::inert;
use inspect::{MOMENT, Options, scan};
use row::{Cured, Row};
use rules::{Engine, Rules};
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use victim::Victim;

/// How long events are counted.
const WINDOW: Duration = Duration::from_millis(1500);

/// How the victims are linked, and the name of their directory.
const LINKAGES: [&str; 2] = ["dynamic", "static"];

const INTRODUCTION: &str = "\
Two incidents, each with a real program, once linked dynamically and once statically. This takes about a
minute. The programs run one at a time, in temporary directories, and are ended.

";

/// Shows both incidents.
pub fn main(args: &DemoArgs) -> ExitCode {
    let shown = Demo::new(args.victims.as_deref()).and_then(|demo| demo.show());
    match shown {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            complain("the demo did not come out as it should: the verdict says why");
            ExitCode::FAILURE
        }
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

/// What every step needs.
struct Demo {
    /// Beside this program lie fdscan and, if nothing else was said, the victims.
    own: PathBuf,
    victims: PathBuf,
    /// Readable when the demo is to end.
    asked_to_end: OwnedFd,
}

impl Demo {
    fn new(victims: Option<&Path>) -> Result<Demo, String> {
        let own = std::env::current_exe();
        let own = own.map_err(|e| format!("where this program is: {e}"))?;
        let victims = victims.map_or_else(|| own.with_file_name("demo"), Path::to_path_buf);
        if !victims.is_dir() {
            return Err(format!(
                "there is no {}: scripts/demo builds the programs the demo is shown with, or \
                 --victims names the directory they are in",
                victims.display()
            ));
        }
        let asked_to_end = signal::requests_to_end().map_err(|e| e.to_string())?;
        Ok(Demo {
            own,
            victims,
            asked_to_end,
        })
    }

    fn show(&self) -> Result<bool, String> {
        say(INTRODUCTION)?;
        let mut good = true;
        for (number, incident) in [Incident::Apx, Incident::Codex].into_iter().enumerate() {
            say(&format!(
                "{}. {}: {}.\n{}\n\n{}",
                number + 1,
                incident.name(),
                incident.story(),
                incident.table(),
                row::heading()
            ))?;
            let mut rows = Vec::new();
            let mut missing = String::new();
            for linkage in LINKAGES {
                let program = self.victims.join(linkage).join(incident.name());
                if !program.is_file() {
                    missing += &format!("  {linkage}: there is no {}\n", program.display());
                    continue;
                }
                let row = self.row(incident, &program, linkage)?;
                say(&row.text())?;
                rows.push(row);
            }
            good &= missing.is_empty() && rows.iter().all(Row::is_good);
            say(&format!("{missing}\n{}\n", row::verdict(&rows)))?;
        }
        let fdscan = self.own.with_file_name("fdscan");
        let fdscan = match fdscan.is_file() {
            true => quoted(&fdscan),
            false => "fdscan".to_owned(),
        };
        say(&format!("Now try: {fdscan} top\n"))?;
        Ok(good)
    }

    /// One program: alone, diagnosed, healed, and started anew under `watchfix run`.
    fn row(
        &self,
        incident: Incident,
        program: &Path,
        linkage: &'static str,
    ) -> Result<Row, String> {
        let step = |what: &str| progress(&format!("{} ({linkage}): {what}", incident.name()));
        let place = Place::new(incident)?;

        step("alone");
        let mut victim = Victim::start(self.command(program), &place, &self.asked_to_end)?;
        let alone = victim.rate(WINDOW)?;
        step("fdscan looks at it");
        let finding = diagnose(victim.pid());
        step("healed");
        let rules = Rules::of(Engine::Masks);
        let not_done = heal::in_place(victim.pid(), &rules)?;
        let healed = cured(&mut victim, &place, || not_done)?;
        victim.end();

        step("under watchfix run");
        let place = Place::new(incident)?;
        let decisions = place.log();
        let mut command = self.command(&self.own);
        command.args(["run", "--log"]).arg(decisions).arg(program);
        let mut victim = Victim::start(command, &place, &self.asked_to_end)?;
        let run = cured(&mut victim, &place, || last_lines(decisions))?;
        victim.end();
        progress("");
        Ok(Row {
            linkage,
            alone,
            finding,
            healed,
            run,
        })
    }

    /// A program without rules of somebody else's.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name == "LD_PRELOAD" || name.as_encoded_bytes().starts_with(b"WATCHFIX_") {
                command.env_remove(name);
            }
        }
        command
    }
}

/// What was in the queue is read first; then nobody touches anything; then a file is edited. `why` knows what may
/// have gone wrong.
fn cured(
    victim: &mut Victim<'_>,
    place: &Place,
    why: impl FnOnce() -> String,
) -> Result<Cured, String> {
    victim.wait_for_quiet()?;
    let rate = victim.rate(WINDOW)?;
    let heard = place.edits_heard();
    place.edit()?;
    let noticed = victim.wait_for_line(heard)?;
    Ok(Cured {
        rate,
        noticed,
        why: why(),
    })
}

/// The last decisions of a log.
fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(3)..].join("\n")
}

/// The worst finding that `watchfix heal` is the remedy of.
fn diagnose(pid: u32) -> Option<Finding> {
    let options = Options {
        paths: true,
        path_timeout: Duration::from_secs(2),
        listen: MOMENT,
        wake: false,
        progress: false,
        all: false,
        window: None,
    };
    let report = scan(&[pid], options).processes.pop()?;
    let mut findings = report.findings.into_iter();
    findings.find(Finding::needs_start)
}

/// What is being done, on a terminal, until the next line takes its place.
fn progress(what: &str) {
    let mut out = io::stderr();
    if out.is_terminal() {
        // Nothing depends on it.
        let _ = write!(out, "\r\x1b[K{what}").and_then(|()| out.flush());
    }
}

fn say(text: &str) -> Result<(), String> {
    print(inert(text).as_bytes())
}
