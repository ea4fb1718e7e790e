//! `watchfix pause DIR... -- CMD`: who watches DIR hears nothing while CMD runs, and once afterwards.
//!
//! ```text
//! launcher ------> guardian, in a session of its own
//!  |                 [guardian]  a record of who pauses what       [store]
//!  |                 [muted]     what is there, by name, and then masks that report nothing
//!  |                 [held]      or, under `watchfix run` with reads judged: its supervisor withholds the records
//!  |  <- ready ---   looks every 250 ms for watches placed meanwhile
//!  +--> CMD
//!  |  -- pidfd -->   waits for the end of CMD, and for other pauses of the same tree
//!  |                 [resume]    masks back, what changed told once [operations]
//!  |  <- done ----
//! ends as CMD ended
//! ```
//!
//! While CMD runs no copy of another process's descriptor is held: an instance its process closes ends. Whoever finds a
//! record nobody guards ends that pause ([`recover`]).

mod aside;
mod begun;
mod busy;
mod changes;
mod files;
mod found;
mod guardian;
mod hearing;
mod held;
mod known;
mod left;
mod list;
mod looks;
mod masks;
mod message;
mod moved;
mod muted;
mod notes;
mod on_record;
mod operations;
mod plan;
mod processes;
mod recover;
mod release;
mod replaced;
mod resume;
mod scope;
mod state;
mod still;
mod store;
mod tell;
mod told;
mod trees;

use crate::cli::PauseArgs;
use crate::complaint::{USAGE, complain, complain_plainly};
use crate::run::{Command, End, Launcher, OWN_FAILURE};
use crate::sys::poll::{For, Ready, wait};
use crate::sys::process::{self, Fork};
use crate::sys::{pidfd, signal, socket, words};
use guardian::Request;
use inspect::model::{Name, PauseRecord};
use message::PROBLEM;
pub use recover::recover_any;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::ExitCode;
use store::{Store, TIMEOUT};

/// `watchfix pause`.
pub fn main(args: &PauseArgs) -> ExitCode {
    if args.list {
        return list::main(args);
    }
    let dirs = match resolved(&args.dirs) {
        Ok(dirs) => dirs,
        Err(why) => return usage(&why),
    };
    if args.release {
        return release::main(&dirs);
    }
    if args.command.is_empty() {
        return usage("which command? Type: watchfix pause DIR... -- CMD");
    }
    let gone = |pid: &&u32| inspect::thread(**pid).is_err();
    if let Some(pid) = args.pid.iter().find(gone) {
        return usage(&format!("there is no process {pid}"));
    }
    let exclude = args.exclude.clone().unwrap_or_default().into_vec();
    if let Some(why) = trees::problem(&exclude) {
        return usage(&why);
    }
    let command = args
        .command
        .iter()
        .map(|word| word.as_bytes())
        .collect::<Vec<_>>();
    let request = Request {
        record: PauseRecord {
            command: command.join(&b' '),
            replay: args.replay.name().to_owned(),
            dirs,
            exclude,
            ..PauseRecord::default()
        },
        timeout: args.timeout,
        pids: args.pid.clone(),
    };
    match pause(request, &Command::plain(&args.command), args.quiet) {
        Ok(exit) => exit,
        Err(why) => {
            complain(&why);
            OWN_FAILURE.into()
        }
    }
}

fn usage(why: &str) -> ExitCode {
    complain(why);
    USAGE.into()
}

/// The trees, without links: each must be there.
fn resolved(dirs: &[PathBuf]) -> Result<Vec<Name>, String> {
    if dirs.is_empty() {
        return Err("which directories? Type: watchfix pause DIR... -- CMD".to_owned());
    }
    let one = |dir: &PathBuf| {
        let found = dir.canonicalize();
        let found = found.map_err(|e| format!("{}: {}", dir.display(), words(&e)))?;
        Ok(found.into_os_string().into_vec().into())
    };
    dirs.iter().map(one).collect()
}

fn pause(request: Request, command: &Command, quiet: bool) -> Result<ExitCode, String> {
    let (link, its_link) = socket::pair().map_err(|e| guardian::no_guardian(&e))?;
    // From here on nothing that is sent gets lost.
    let inherited = signal::take_all();
    let signals = signal::descriptor().map_err(|e| guardian::no_guardian(&e))?;
    let guardian = match process::fork().map_err(|e| guardian::no_guardian(&e))? {
        Fork::Parent(pid) => pid,
        Fork::Child => {
            drop((link, signals));
            guardian::run(its_link, request);
            std::process::exit(0);
        }
    };
    drop(its_link);
    let say = |text: &str| complain_plainly(&message::lines(text, quiet));
    match next(&link, &signals) {
        Heard::Told(b'r', text) => say(&text),
        Heard::Told(_, why) => return Err(why),
        Heard::Gone => return Err("the guardian has gone".to_owned()),
        // The guardian sees that nobody is here, and ends the pause.
        Heard::Signal(signal) => return Ok(End::Killed(signal).exit()),
    }
    let launcher = Launcher::start_alone(command, inherited);
    let launcher = launcher.map_err(|e| format!("the command cannot be started: {}", words(&e)))?;
    // Without it the guardian ends the pause at once.
    let _ = socket::send(link.as_fd(), b"c", &[launcher.command()]);
    let end = launcher.wait();
    match next(&link, &signals) {
        Heard::Told(_, text) => say(&text),
        Heard::Gone => say(&in_place_of(guardian)),
        // It goes on without this process.
        Heard::Signal(_) => {}
    }
    Ok(end.exit())
}

/// Ends the pause of a guardian that was killed, as any command would. Returns what was told, as lines.
fn in_place_of(guardian: u32) -> String {
    // It has closed its descriptors, and may not have ended yet.
    if let Ok(guardian) = pidfd::open(guardian) {
        wait([For::Input(guardian.as_fd())], Some(TIMEOUT));
    }
    match Store::open(TIMEOUT) {
        // It may be somebody else's work by now.
        Ok(store) => format!(
            "{PROBLEM}the guardian was killed\n{}",
            recover::recover(&store)
        ),
        Err(e) => format!(
            "{PROBLEM}the guardian was killed, and the record cannot be opened ({}): the next watchfix command resumes what it muted\n",
            words(&e)
        ),
    }
}

/// What comes first.
enum Heard {
    Told(u8, String),
    Gone,
    Signal(i32),
}

fn next(link: &OwnedFd, signals: &OwnedFd) -> Heard {
    loop {
        match wait(
            [For::Input(link.as_fd()), For::Input(signals.as_fd())],
            None,
        ) {
            [Ready::No, Ready::No] => {}
            [Ready::No, _] => {
                while let Some(signal) = signal::next(signals.as_fd()) {
                    if matches!(
                        signal.number,
                        libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT
                    ) {
                        return Heard::Signal(signal.number);
                    }
                }
            }
            _ => {
                let told = message::receive(link.as_fd());
                return told.map_or(Heard::Gone, |(kind, text)| Heard::Told(kind, text));
            }
        }
    }
}
