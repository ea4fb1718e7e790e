//! `watchfix demo`: two real incidents with real programs, before and after.
//!
//! The programs are no part of this one: one of them needs SQLite, which is larger than all of watchfix.
//! `scripts/demo` builds them, linked dynamically and statically, into `demo/` beside this program.

mod incident;
mod victim;

use crate::cli::DemoArgs;
use crate::complain;
use crate::heal;
use crate::sys::signal;
use incident::{Incident, Place};
use inspect::findings::Finding;
use inspect::render::{inert, number, sanitize};
use inspect::{MOMENT, Options, scan};
use rules::{Engine, Rules};
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

/// Shows both incidents.
pub fn main(args: &DemoArgs) -> ExitCode {
    let shown = Demo::new(args.victims.as_deref()).and_then(|demo| demo.show());
    match shown {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            complain("the demo did not come out as it should: see the table");
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
    victims: PathBuf,
    /// Readable when the demo is to end.
    asked_to_end: OwnedFd,
}

/// What was seen of one program, linked in one way.
struct Row {
    alone: f64,
    finding: Option<Finding>,
    healed: Cured,
    run: Cured,
}

/// How a program does with the rules in force.
struct Cured {
    /// Events in a second while nobody touches anything.
    rate: f64,
    /// An edit still reaches it.
    hears: bool,
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
            victims,
            asked_to_end,
        })
    }

    fn show(&self) -> Result<bool, String> {
        let mut good = true;
        for incident in [Incident::Apx, Incident::Codex] {
            say(&format!("{}: {}\n\n", incident.name(), incident.story()));
            let mut finding = None;
            let heading = ["", "alone", "healed while it runs", "under watchfix run"];
            say(&line(heading.map(str::to_owned)));
            for linkage in LINKAGES {
                let program = self.victims.join(linkage).join(incident.name());
                if !program.is_file() {
                    say(&format!(
                        "  {linkage:<9}there is no {}\n",
                        program.display()
                    ));
                    good = false;
                    continue;
                }
                let row = self.row(incident, &program, linkage)?;
                good &= row.is_good();
                say(&row.text(linkage));
                finding = row.finding.or(finding);
            }
            say("\n");
            if let Some(finding) = finding {
                say(&diagnosis(&finding));
            }
        }
        Ok(good)
    }

    /// One program: alone, diagnosed, healed, and started anew under `watchfix run`.
    fn row(&self, incident: Incident, program: &Path, linkage: &str) -> Result<Row, String> {
        let step = |what: &str| progress(&format!("{} ({linkage}): {what}", incident.name()));
        let place = Place::new(incident)?;

        step("alone");
        let mut victim = Victim::start(self.command(program), &place, &self.asked_to_end)?;
        let alone = victim.rate(WINDOW)?;
        step("fdscan looks at it");
        let finding = diagnose(victim.pid());
        step("healed");
        let rules = Rules::of(Engine::Masks);
        if let Err(stopped) = heal::in_place(victim.pid(), &rules) {
            return Err(stopped.text().to_owned());
        }
        let healed = cured(&mut victim, &place)?;
        victim.end();

        step("under watchfix run");
        let place = Place::new(incident)?;
        let own = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut command = self.command(&own);
        command.args(["run", "--"]).arg(program);
        let mut victim = Victim::start(command, &place, &self.asked_to_end)?;
        let run = cured(&mut victim, &place)?;
        victim.end();
        progress("");
        Ok(Row {
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

/// What was in the queue is read first; then nobody touches anything; then a file is edited.
fn cured(victim: &mut Victim<'_>, place: &Place) -> Result<Cured, String> {
    victim.wait_for_quiet()?;
    let rate = victim.rate(WINDOW)?;
    let heard = place.edits_heard();
    place.edit()?;
    let hears = victim.wait_for_line(heard)?;
    Ok(Cured { rate, hears })
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

fn diagnosis(finding: &Finding) -> String {
    let mut text = format!(
        "  fdscan: {}: {}\n",
        finding.code,
        sanitize(&finding.message)
    );
    for (what, command) in [
        ("Now", &finding.remedy_live),
        ("Next start", &finding.remedy),
    ] {
        if let Some(command) = command {
            text += &format!("  {what}: {}\n", sanitize(command));
        }
    }
    text + "\n"
}

impl Row {
    /// It looped, and does so no more.
    fn is_good(&self) -> bool {
        let cured = |cured: &Cured| cured.hears && cured.rate < self.alone / 100.0;
        self.alone > 10.0 && self.finding.is_some() && cured(&self.healed) && cured(&self.run)
    }

    fn text(&self, linkage: &str) -> String {
        let cured = |cured: &Cured| {
            let edit = if cured.hears { "heard" } else { "NOT heard" };
            format!("{}, edit {edit}", rate(cured.rate))
        };
        line([
            linkage.to_owned(),
            rate(self.alone),
            cured(&self.healed),
            cured(&self.run),
        ])
    }
}

fn line([linkage, alone, healed, run]: [String; 4]) -> String {
    format!("  {linkage:<9}{alone:<19}{healed:<28}{run}\n")
}

fn rate(events: f64) -> String {
    format!("{} events/s", number(events.round() as u64))
}

/// What is being done, on a terminal, until the next line takes its place.
fn progress(what: &str) {
    let mut out = io::stderr();
    if out.is_terminal() {
        // Nothing depends on it.
        let _ = write!(out, "\r\x1b[K{what}").and_then(|()| out.flush());
    }
}

fn say(text: &str) {
    let mut out = io::stdout().lock();
    // Nobody is left to tell when standard output is closed.
    let _ = out
        .write_all(inert(text).as_bytes())
        .and_then(|()| out.flush());
}
