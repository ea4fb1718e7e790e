//! `watchfix pause --release DIR`: ends pauses by hand.

use super::message::lines;
use super::recover::recover_all;
use super::store::{Store, TIMEOUT, dirs, is_guarded};
use crate::complaint::{complain, complain_plainly};
use crate::sys::pidfd;
use crate::sys::poll::{For, Ready, wait};
use crate::sys::words;
use inspect::model::{Name, PauseRecord};
use std::os::fd::AsFd;
use std::process::ExitCode;

/// No pause of the directories, or one that could not be ended.
const NOT_DONE: u8 = 1;

/// Ends the pauses of the directories.
pub fn main(wanted: &[Name]) -> ExitCode {
    let store = match Store::open(TIMEOUT) {
        Ok(store) => store,
        Err(e) => {
            complain(&words(&e));
            return NOT_DONE.into();
        }
    };
    let about = |record: &PauseRecord| record.dirs.iter().any(|dir| wanted.contains(dir));
    let found: Vec<_> = store.all().into_iter().filter(about).collect();
    if found.is_empty() {
        let names: Vec<_> = wanted.iter().map(ToString::to_string).collect();
        complain(&format!(
            "no pause of {} is on record (--list shows those that are)",
            names.join(", ")
        ));
        return NOT_DONE.into();
    }
    let guarded: Vec<_> = found.into_iter().filter(is_guarded).collect();
    say(&recover_all(&store));
    // A guardian needs it to end its pause.
    drop(store);
    let mut exit = ExitCode::SUCCESS;
    for record in guarded {
        match end(&record) {
            Ok(()) => say(&format!("released {}\n", dirs(&record))),
            Err(why) => {
                complain(&why);
                exit = NOT_DONE.into();
            }
        }
    }
    exit
}

fn end(record: &PauseRecord) -> Result<(), String> {
    let pid = record.guardian.pid;
    let guardian = pidfd::open(pid).map_err(|e| format!("process {pid}: {}", words(&e)))?;
    // It is the one on record still.
    if !is_guarded(record) {
        return Ok(());
    }
    let sent = pidfd::send_signal(guardian.as_fd(), libc::SIGTERM);
    sent.map_err(|e| {
        format!(
            "the guardian, process {pid}, cannot be asked to end: {}",
            words(&e)
        )
    })?;
    match wait([For::Input(guardian.as_fd())], Some(TIMEOUT)) {
        [Ready::No] => Err(format!(
            "the guardian, process {pid}, has not ended: another pause may cover what it muted (--list)"
        )),
        _ => Ok(()),
    }
}

fn say(text: &str) {
    complain_plainly(&lines(text, false));
}
