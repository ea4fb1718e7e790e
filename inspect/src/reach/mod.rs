//! Into which programs the preload library can be loaded, told from their files: Mach-O, ELF and scripts. The same on
//! Linux and on a Mac, and nothing of it is run.
//!
//! `program` follows scripts to what runs at last, `mach_o` and `elf` read that, `judge` says what it means, and
//! `start` is what `watchfix run` does with it on a Mac.

mod elf;
mod entitlements;
mod judge;
mod mach_o;
mod program;
mod script;
mod search;
mod source;
mod start;
#[cfg(test)]
mod tests;

pub use elf::{Kind as Linkage, kind as linkage};
pub use entitlements::Entitlements;
pub use judge::{Judged, System};
pub use mach_o::{Cpu, Image, Role, images};
pub use program::{Kind, Program};
pub use script::first_words as script_words;
pub use search::{Unanswered, any_may_be_looked_at, find, may_run};
pub use source::{Part, Source};
pub use start::{Host, Refusal, Start};

use crate::model::{
    FailureKind, FileReach, Name, ProgramKind, ReachFailure, ReachScan, ReachVerdict, SCHEMA,
};
use judge::shown;
use std::io;
use std::path::{Path, PathBuf};

/// Judges the files at `paths`, in this order. What is `unanswered` is not looked at.
pub fn scan_files(paths: &[PathBuf], system: System, unanswered: Unanswered) -> ReachScan {
    let mut scan = ReachScan {
        schema: SCHEMA,
        fdscan_version: env!("CARGO_PKG_VERSION"),
        taken_at: jiff::Timestamp::now().to_string(),
        files: Vec::new(),
        errors: Vec::new(),
    };
    for path in paths {
        match file(path, system, unanswered) {
            Ok(found) => scan.files.push(found),
            Err(failure) => scan.errors.push(failure),
        }
    }
    scan
}

/// Judges the file at `path`.
///
/// # Errors
/// Why it cannot be read.
pub fn file(
    path: &Path,
    system: System,
    unanswered: Unanswered,
) -> Result<FileReach, ReachFailure> {
    if let Some(why) = unanswered(path) {
        let name = shown(path);
        return Err(ReachFailure {
            why: format!("{name} is left out: it lies {why}."),
            path: name,
            kind: FailureKind::NoProcess,
        });
    }
    let kind = program::kind_of(path).map_err(|error| failure(path, &error))?;
    let line = program::script_line(path);
    let mut found = FileReach {
        path: shown(path),
        kind: match &kind {
            Some(Kind::Elf(_)) => ProgramKind::Elf,
            Some(Kind::MachO(_)) => ProgramKind::MachO,
            None if line.is_some() => ProgramKind::Script,
            None => ProgramKind::Other,
        },
        variable: kind.as_ref().map(variable),
        verdict: ReachVerdict::Unknown,
        severity: None,
        why: "It is neither Mach-O nor ELF, nor a script that begins with #!.".into(),
        remedy: None,
        interpreters: Vec::new(),
        program: None,
        slices: Vec::new(),
    };
    let judged = match (&kind, &line) {
        (Some(kind), _) => {
            found.program = Some(shown(path));
            if let Kind::MachO(Ok(images)) = kind {
                found.slices = images.iter().map(judge::slice).collect();
            }
            Some(judge::of_file(path, kind, system))
        }
        (None, Some(_)) => Some(script(path, system, unanswered, &mut found)),
        (None, None) => None,
    };
    if let Some(judged) = judged {
        found.verdict = judged.verdict;
        found.why = judged.why;
        found.remedy = judged.remedy;
    }
    found.severity = found.verdict.severity();
    Ok(found)
}

/// Judges what a script starts. On a Mac each program on the way may take the variable out for the next one.
fn script(path: &Path, system: System, unanswered: Unanswered, found: &mut FileReach) -> Judged {
    let program = Program::with(path.to_owned(), unanswered);
    found.interpreters = program.steps.iter().map(|step| shown(step)).collect();
    let unknown = |why: String| Judged::new(ReachVerdict::Unknown, why);
    if system == System::Mac && program.interpreters.len() > 1 {
        return unknown(
            "It is a script of a script: a Mac runs none, and a shell may run it in its own way."
                .into(),
        );
    }
    let last = shown(&program.path);
    if let Some(why) = program.unanswered {
        return unknown(format!(
            "It is a script, and {last}, which it leads to, lies {why}."
        ));
    }
    let Some(kind) = program.kind else {
        return unknown(format!(
            "It is a script, and {last}, which it leads to, is not there or is not a program."
        ));
    };
    found.variable = Some(variable(&kind));
    found.program = Some(last);
    let last = judge::of_file(&program.path, &kind, system);
    let name = shown(&program.path);
    let before = program.steps.split_last().map_or(&[][..], |(_, rest)| rest);
    if system == System::Mac {
        for step in before {
            let Ok(Some(kind)) = program::kind_of(step) else {
                continue;
            };
            let judged = judge::of_file(step, &kind, system);
            if judged.verdict > last.verdict {
                return Judged {
                    verdict: judged.verdict,
                    why: format!("It is a script of {}: {}", shown(step), judged.why),
                    remedy: (last.verdict == ReachVerdict::Reached)
                        .then(|| format!("watchfix run starts {name} itself, which is reached.")),
                };
            }
        }
    }
    Judged {
        why: format!("It is a script of {name}: {}", last.why),
        ..last
    }
}

fn variable(kind: &Kind) -> &'static str {
    match kind {
        Kind::Elf(_) => "LD_PRELOAD",
        Kind::MachO(_) => "DYLD_INSERT_LIBRARIES",
    }
}

fn failure(path: &Path, error: &io::Error) -> ReachFailure {
    let name: Name = shown(path);
    let (kind, why) = match error.kind() {
        io::ErrorKind::PermissionDenied => (FailureKind::NotPermitted, "it may not be read"),
        io::ErrorKind::NotFound => (FailureKind::NoProcess, "there is no such file"),
        io::ErrorKind::InvalidInput => (FailureKind::NoProcess, "it is not a regular file"),
        _ => (FailureKind::NoProcess, "it cannot be read"),
    };
    ReachFailure {
        why: format!("{name}: {why}."),
        path: name,
        kind,
    }
}
