//! `fdscan watch PID`

use super::processes::one;
use super::{complain, layout};
use inspect::Exit;
use inspect::cli::WatchArgs;
use inspect::render::{Detail, is_dumb};
use inspect::watch::{End, Held, Options, Refused, View, watch as run};
use inspect::words::sanitize;
use std::io::{self, IsTerminal};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Watches a process; with `--exec`, becomes that command when the condition held.
pub fn watch(args: &WatchArgs) -> Exit {
    let pid = match one(&args.process, "watch", args.json) {
        Ok(pid) => pid,
        Err(exit) => return exit,
    };
    let layout = layout(args.color, Detail::Short);
    let dumb = is_dumb(|name| std::env::var_os(name));
    let options = Options {
        pid,
        interval: args.interval,
        window: args.window,
        until: args.until.clone(),
        samples: args.samples,
        view: match args.json {
            true => View::Json,
            false if io::stdout().is_terminal() && !dumb => View::Screen,
            false => View::Lines,
        },
        colour: layout.style.colour,
        ascii: layout.ascii,
    };
    match run(&options) {
        Ok(End::Done) => Exit::Done,
        Ok(End::ProcessEnded) => {
            complain(&format!("process {pid} has ended"));
            Exit::Done
        }
        Ok(End::Held(held)) => held_up(args, &held),
        Err(Refused::NoProcess) => {
            complain(&format!("there is no process {pid}"));
            Exit::NoProcess
        }
        Err(Refused::NotPermitted(why)) => {
            complain(&format!("process {pid}: {}", sanitize(&why)));
            Exit::NotPermitted
        }
        Err(Refused::Output(e)) => {
            complain(&format!("the readings could not be shown: {e}"));
            Exit::Usage
        }
    }
}

fn held_up(args: &WatchArgs, held: &Held) -> Exit {
    let finding = held.finding();
    complain(&sanitize(&finding.message));
    let Some(command) = &args.exec else {
        return Exit::Found;
    };
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command);
    // In the place of this program: its status is ours, and a signal for us is one for it.
    let error = shell.envs(held.environment(&finding)).exec();
    complain(&format!("/bin/sh cannot be started: {error}"));
    Exit::Usage
}
