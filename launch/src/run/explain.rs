//! `watchfix run --explain`: what would be used for a command, and why.

use super::command::{NOT_FOUND, NOT_RUNNABLE};
use super::engine::Plan;
use super::filter::Watches;
use super::supervisor::try_a_child;
use crate::complaint::{USAGE, complain};
use inspect::output::print;
use inspect::reach::{Linkage, Program, find, may_run};
use inspect::render::inert;
use inspect::words::sanitize;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Says it on standard output. The exit status is that of a command that cannot be started, else 0.
pub fn main(name: &OsStr, plan: &Plan) -> ExitCode {
    let Some(found) = find(name) else {
        complain(&format!(
            "{} cannot be run: it is not found",
            name.display()
        ));
        return ExitCode::from(NOT_FOUND as u8);
    };
    if !may_run(&found) {
        complain(&format!(
            "{} cannot be run: it is not a program this user may run",
            found.display()
        ));
        return ExitCode::from(NOT_RUNNABLE as u8);
    }
    let mut lines = vec![format!("command     {}", found.display())];
    let program = Program::of(found);
    lines.extend(about_program(&program));
    lines.push(about_library(&plan.library, program.linkage()));
    lines.extend(about_supervisor(plan));
    lines.push(about_yama());
    let lines: Vec<_> = lines.iter().map(|line| sanitize(line)).collect();
    match print(inert(&(lines.join("\n") + "\n")).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            USAGE.into()
        }
    }
}

fn about_program(program: &Program) -> Vec<String> {
    let interpreters = program.interpreters.iter();
    let mut lines: Vec<_> = interpreters
        .map(|line| format!("script of   {line}"))
        .collect();
    let kind = program.linkage();
    lines.push(format!(
        "program     {}",
        kind.map_or("of an unknown kind", Linkage::text)
    ));
    if let Some(Linkage::Dynamic { loader, .. }) = kind {
        lines.push(format!("loader      {loader}"));
    }
    if let Some(why) = &program.privileges {
        lines.push(format!("privileges  {why}: without root it runs without them under the supervisor, and no library is \
                            loaded into it"));
    }
    lines
}

fn about_library(library: &Result<PathBuf, String>, kind: Option<&Linkage>) -> String {
    let path = match library {
        Ok(path) => path.display(),
        Err(why) => return format!("library     none: {why}"),
    };
    match kind {
        Some(Linkage::Dynamic {
            bits: 64,
            go: false,
            ..
        }) => format!("library     {path}"),
        Some(Linkage::Dynamic { bits: 32, .. }) => format!(
            "library     {path}, for 64-bit programs it starts; it cannot be loaded into this one"
        ),
        _ => format!("library     {path}, for dynamic programs it starts"),
    }
}

/// What it judges, after a try whether there can be one.
fn about_supervisor(plan: &Plan) -> Vec<String> {
    let trapped = match &plan.supervisor {
        Ok(trapped) => try_a_child(trapped.keeps).map(|()| trapped),
        Err(why) => Err(why.clone()),
    };
    let trapped = match trapped {
        Ok(trapped) => trapped,
        Err(why) => return vec![format!("supervisor  none: {why}")],
    };
    let mut lines = vec![match trapped.watches {
        Watches::Masks(0) => {
            "supervisor  for directories with an open database: their watches settle later"
                .to_owned()
        }
        Watches::Masks(bits) => {
            let events: Vec<_> = rules::event::names(bits).collect();
            format!("supervisor  for watches with any of {}", events.join(","))
        }
        Watches::All => "supervisor  for every watch, to count them".to_owned(),
    }];
    lines.push(match &plan.reads {
        Ok(()) if trapped.reads.is_empty() => "reads       the rules change none".to_owned(),
        Ok(()) => "reads       of instances that do not wait (O_NONBLOCK) are judged as the library judges them; \
                   others have masks alone"
            .to_owned(),
        Err(why) => format!("reads       are not judged: {why}"),
    });
    if let Err(why) = &plan.copies {
        lines.push(format!(
            "copies      of instances are kept, as they cannot be obtained later: {why}"
        ));
    }
    if plan.chmod {
        let text = "is told from touch where reads are judged; elsewhere attrib stays in the masks";
        lines.push(format!("chmod       {text}"));
    }
    lines
}

fn about_yama() -> String {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    match scope.as_deref().map(str::trim) {
        Ok(scope @ ("0" | "1")) => format!("yama        ptrace_scope {scope}: no obstacle"),
        Ok(scope @ "2") => {
            format!("yama        ptrace_scope {scope}: the supervisor needs CAP_SYS_PTRACE")
        }
        Ok(scope) => format!(
            "yama        ptrace_scope {scope}: there is no supervisor, whatever its capabilities, until the machine is \
             started again"
        ),
        Err(_) => "yama        not in this kernel".to_owned(),
    }
}
