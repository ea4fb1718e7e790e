//! `watchfix run --explain`: what would be used for a command, and why.

use super::command::{NOT_FOUND, NOT_RUNNABLE};
use super::engine::Plan;
use super::filter::{Trapped, Watches};
use super::supervisor::try_a_child;
use crate::complaint::{USAGE, complain};
use inspect::output::print;
use inspect::reach::{Linkage, Program, find, may_run};
use inspect::render::inert;
use inspect::words::sanitize;
use std::ffi::OsStr;
use std::fs;
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
    let kind = program.linkage();
    lines.extend(
        program
            .interpreters
            .iter()
            .map(|line| format!("script of   {line}")),
    );
    lines.push(format!(
        "program     {}",
        kind.map_or("of an unknown kind", Linkage::text)
    ));
    if let Some(Linkage::Dynamic { loader, .. }) = kind {
        lines.push(format!("loader      {loader}"));
    }
    if let Some(why) = program.privileges {
        lines.push(format!("privileges  {why}: without root it runs without them under the supervisor, and no library is \
                            loaded into it"));
    }
    lines.push(match (&plan.library, kind) {
        (Ok(path), Some(Linkage::Dynamic { bits: 64, .. })) => {
            format!("library     {}", path.display())
        }
        (Ok(path), Some(Linkage::Dynamic { .. })) => {
            format!(
                "library     {}, for 64-bit programs it starts; it cannot be loaded into this one",
                path.display()
            )
        }
        (Ok(path), _) => format!(
            "library     {}, for dynamic programs it starts",
            path.display()
        ),
        (Err(why), _) => format!("library     none: {why}"),
    });
    let supervisor = plan.supervisor.as_ref().map_err(String::clone);
    let supervisor = supervisor.and_then(|trapped| try_a_child(trapped.keeps).map(|()| trapped));
    lines.push(match &supervisor {
        Ok(Trapped {
            watches: Watches::Masks(0),
            ..
        }) => "supervisor  for directories with an open database: their watches settle later"
            .to_owned(),
        Ok(Trapped {
            watches: Watches::Masks(bits),
            ..
        }) => {
            let events: Vec<_> = rules::event::names(*bits).collect();
            format!("supervisor  for watches with any of {}", events.join(","))
        }
        Ok(Trapped {
            watches: Watches::All,
            ..
        }) => "supervisor  for every watch, to count them".to_owned(),
        Err(why) => format!("supervisor  none: {why}"),
    });
    if let Ok(trapped) = &supervisor {
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
            let text =
                "is told from touch where reads are judged; elsewhere attrib stays in the masks";
            lines.push(format!("chmod       {text}"));
        }
    }
    let yama = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    lines.push(match yama.as_deref().map(str::trim) {
        Ok(scope @ ("0" | "1")) => format!("yama        ptrace_scope {scope}: no obstacle"),
        Ok(scope @ "2") => {
            format!("yama        ptrace_scope {scope}: the supervisor needs CAP_SYS_PTRACE")
        }
        Ok(scope) => format!(
            "yama        ptrace_scope {scope}: there is no supervisor, whatever its capabilities, until the machine is \
             started again"
        ),
        Err(_) => "yama        not in this kernel".to_owned(),
    });
    let lines: Vec<_> = lines.iter().map(|line| sanitize(line)).collect();
    match print(inert(&(lines.join("\n") + "\n")).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            USAGE.into()
        }
    }
}
