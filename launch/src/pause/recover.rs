//! Pauses whose guardian was killed: whoever comes next ends them.

use super::message::lines;
use super::muted::Pause;
use super::resume::resume;
use super::store::{Store, covering, dirs, is_guarded};
use crate::sys::process::with_all_descriptors;
use std::time::Duration;

/// A command that is about something else waits no longer.
const MOMENT: Duration = Duration::from_secs(2);

/// Ends the pauses nobody guards, but for what another one covers. Returns what was told, as lines.
pub fn recover(store: &Store) -> String {
    // What was watched is held while it is told: a descriptor each.
    with_all_descriptors(|| end_unguarded(store))
}

fn end_unguarded(store: &Store) -> String {
    let mut text = String::new();
    for record in store.all() {
        if is_guarded(&record) || covering(store, &record).is_some() {
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
