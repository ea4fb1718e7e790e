//! Pauses whose guardian was killed: whoever comes next ends them.

use super::message::{PROBLEM, lines};
use super::muted::Pause;
use super::resume::resume;
use super::store::{Store, covering, dirs, is_guarded};
use crate::heal::{Refused, Target};
use crate::sys::process::with_all_descriptors;
use inspect::gather::has_ended_since;
use inspect::model::{PauseRecord, Started};
use std::collections::BTreeSet;
use std::time::Duration;

/// A command that is about something else waits no longer.
const MOMENT: Duration = Duration::from_secs(2);

/// Ends the pauses nobody guards, but for what another one covers and what this process may not change. Returns what
/// was told, as lines.
pub fn recover(store: &Store) -> String {
    recover_unless(store, |record| {
        let why = refused(record)?;
        let of = dirs(record);
        Some(format!(
            "{PROBLEM}a pause of {of}, whose guardian was killed, is left to who may end it: {why}; `watchfix pause \
             --release` ends it for all other processes\n"
        ))
    })
}

/// The same by hand, whatever this process may change.
pub fn recover_all(store: &Store) -> String {
    recover_unless(store, |_| None)
}

fn recover_unless(store: &Store, leave: impl Fn(&PauseRecord) -> Option<String>) -> String {
    // What was watched is held while it is told: a descriptor each.
    with_all_descriptors(|| end_unguarded(store, leave))
}

/// Why this process may not change one that has muted watches. Whoever ended the pause all the same would leave these
/// muted, and nothing on record.
fn refused(record: &PauseRecord) -> Option<String> {
    let muted = record.watches.iter().filter(|watch| !watch.held);
    let processes: BTreeSet<Started> = muted.map(|watch| watch.process).collect();
    processes.into_iter().find_map(|Started { pid, ticks }| {
        if has_ended_since(pid, ticks) {
            return None;
        }
        match Target::open(pid) {
            Err(Refused::NotPermitted(why)) => Some(why),
            _ => None,
        }
    })
}

fn end_unguarded(store: &Store, leave: impl Fn(&PauseRecord) -> Option<String>) -> String {
    let mut text = String::new();
    for record in store.all() {
        if is_guarded(&record) || covering(store, &record).is_some() {
            continue;
        }
        if let Some(why) = leave(&record) {
            text += &why;
            continue;
        }
        let names = store.names(&record).unwrap_or_default();
        let of = dirs(&record);
        let mut pause = Pause::of_record(record, &names);
        let told = resume(&mut pause, &mut |record| {
            // It is for who has to put back what this process would leave there.
            let _ = store.write(record);
        });
        store.remove(&pause.record);
        text += &format!(
            "ended a pause of {of} whose guardian was killed: {}",
            told.text()
        );
    }
    text
}

/// The same, from any command: it costs nothing where there is none. Returns lines for standard error.
pub fn recover_any() -> String {
    if Store::look().iter().all(is_guarded) {
        return String::new();
    }
    // Whoever has them now may be ending it.
    Store::open(MOMENT).map_or_else(|_| String::new(), |store| lines(&recover(&store), false))
}
