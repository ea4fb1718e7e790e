//! The processes a command line names.

use super::{complain, complain_plainly};
use clap::CommandFactory;
use inspect::Exit;
use inspect::cli::{Cli, TargetArgs, nearest};
use inspect::targets::{Found, command_line};
use inspect::words::sanitize;

/// Processes listed for who has to choose one.
const LISTED: usize = 20;

/// All of them, for the command `name`; says which a name or a port led to, unless `quietly`. What led to none stands in the answer.
///
/// # Errors
/// None was asked for, or they cannot be looked for: the exit status, after it was said why.
pub fn several(args: &TargetArgs, name: &str, quietly: bool) -> Result<Found, Exit> {
    find(args, &format!("fdscan {name}"), quietly, &|_| None)
}

/// As [`several`], where a word may be a command's name that was mistyped.
///
/// # Errors
/// As [`several`].
pub fn several_or_command(args: &TargetArgs, quietly: bool) -> Result<Found, Exit> {
    let program = Cli::command();
    let meant = |word: &str| {
        let commands = program.get_subcommands().map(clap::Command::get_name);
        nearest(word, commands).map(|command| format!("fdscan {command}"))
    };
    find(args, "fdscan", quietly, &meant)
}

/// The only one, for the command `name`.
///
/// # Errors
/// There is none, or there are several: the exit status, after it was said why.
pub fn one(args: &TargetArgs, name: &str, quietly: bool) -> Result<u32, Exit> {
    let place = format!("fdscan {name}");
    let found = find(args, &place, true, &|_| None)?;
    match (found.pids.as_slice(), found.failures.first()) {
        (_, Some(failure)) => {
            complain(&failure.why);
            Err(failure.kind.into())
        }
        (&[pid], _) => {
            say(&found, quietly);
            Ok(pid)
        }
        (all, None) => {
            let mut text = format!("{place} takes one process, and these are {}:", all.len());
            for &pid in all.iter().take(LISTED) {
                text += &format!("\n{}", command_line(pid));
            }
            if let Some(more @ 1..) = all.len().checked_sub(LISTED) {
                text += &format!("\n          and {more} more");
            }
            complain(&text);
            Err(Exit::Usage)
        }
    }
}

fn find(
    args: &TargetArgs,
    place: &str,
    quietly: bool,
    meant: &dyn Fn(&str) -> Option<String>,
) -> Result<Found, Exit> {
    if args.is_empty() {
        let what = match place {
            "fdscan check" => "PID, or :PORT for who listens there, or CMD ARGS",
            _ => "PID, or its NAME, or :PORT for who listens there",
        };
        complain_plainly(&format!("{place}: which process?\nType: {place} {what}\n"));
        return Err(Exit::Usage);
    }
    let found = args.find(meant).map_err(|why| {
        complain(&sanitize(&why));
        Exit::Usage
    })?;
    say(&found, quietly);
    Ok(found)
}

fn say(found: &Found, quietly: bool) {
    for note in found.notes.iter().filter(|_| !quietly) {
        complain(note);
    }
}
