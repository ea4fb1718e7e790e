//! `watchfix run`: a program with the rules in force, for it and everything it starts.
//!
//! ```text
//! launcher ------------> supervisor -----------> command ---> its children, theirs, daemons
//!  | signals, stops,      | threads that judge     | filter: an inotify_add_watch whose mask the
//!  | exit status          | [judges, call]         | rules may change is trapped [filter]
//!  |                      |                        |
//!  +--- listener (copy) --+------ listener --------+
//!  answers when the supervisor has died [heir]
//! ```
//!
//! The supervisor is the parent of the command, so that it can inspect the command and all it starts wherever Yama allows a
//! debugger at all. It is outside their session: no key and no hang-up reaches it. The command is in the launcher's process
//! group, as if it had been started there.
//!
//! Dynamic programs also get the library, which sees more than masks. It marks the calls it has judged, and those are not
//! trapped.

mod add_watch;
mod budget;
mod call;
mod calls;
mod command;
mod copies;
mod databases;
mod engine;
mod explain;
mod filter;
mod heir;
mod inherited;
mod judges;
mod launcher;
mod library;
mod log;
mod make;
mod message;
mod owners;
mod pauses;
mod pending;
mod program;
mod reads;
mod repeated;
mod rights;
mod start;
mod supervisor;
mod tracee;
mod tree;
mod voice;

use crate::cli::RunArgs;
use crate::complaint::{USAGE, complain};
use crate::settings::Settings;
pub use command::{Command, OWN_FAILURE};
use engine::Plan;
use inspect::reach::{Program, find};
pub use launcher::{End, Launcher};
pub use library::find as find_library;
pub use log::Log;
use rules::Rule;
use rules::rule::Problem;
use std::path::Path;
use std::process::ExitCode;

/// Starts the command and ends as it ends.
pub fn main(args: &RunArgs, settings: &Settings) -> ExitCode {
    let rules = settings.rules();
    let command = |library: Option<&Path>, supervised| {
        let environment = library::environment(library, settings, supervised);
        // The kernel passes no argument that contains a NUL.
        Command::new(&args.command, environment)
    };
    if rules.off {
        command(None, false).become_it();
    }
    let plan = Plan::new(args.engine, &rules);
    if let (true, Some(name)) = (args.explain, args.command.first()) {
        return explain::main(name, &plan);
    }
    if let Some(why) = plan.refusal() {
        complain(&format!(
            "the engine that was asked for cannot be used: {why}"
        ));
        return OWN_FAILURE.into();
    }
    let unreached = args.command.first().and_then(|name| {
        let reaches_it = || program::refuses_library(&Program::of(find(name)?));
        plan.library.as_ref().err().cloned().or_else(reaches_it)
    });
    if let (true, Some(why)) = (plan.library_is_forced(), &unreached) {
        complain(&format!(
            "the engine that was asked for cannot be used: {why}"
        ));
        return OWN_FAILURE.into();
    }
    let unreached = unreached.filter(|_| !args.quiet);
    let Ok(log) = Log::open(rules.log) else {
        complain(&settings.problem(Rule::Log, Problem::CannotOpen));
        return USAGE.into();
    };
    let pid = std::process::id();
    if let Err(why) = &plan.library {
        log.line(pid, format_args!("no library is preloaded: {why}"));
    }
    let library = plan.library.as_deref().ok();
    match &plan.supervisor {
        Ok(trapped) => {
            let command = command(library, true);
            let forced = plan.supervisor_is_forced();
            launcher::run(&command, rules, trapped, (forced, unreached), log)
        }
        Err(why) => {
            log.line(pid, format_args!("nothing is supervised: {why}"));
            if let (true, Some(unreached)) = (plan.is_for_something(), &unreached) {
                program::say_unreached(unreached, why);
            }
            command(library, false).become_it();
        }
    }
}
