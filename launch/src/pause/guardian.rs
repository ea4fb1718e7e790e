//! The guardian: the process that mutes, watches over the command, and ends the pause, whatever becomes of the launcher.

use super::begun::Begun;
use super::message::{Message, PROBLEM, send};
use super::muted::{Outcome, Pause};
use super::processes::{self, watching};
use super::recover::recover;
use super::resume::resume;
use super::store::{Store, TIMEOUT, covering, dirs};
use crate::replay::Replay;
use crate::sys::poll::{For, Ready, wait};
use crate::sys::{pidfd, process, signal, socket, words};
use inspect::gather::{Fingerprint, Processes, sees_as_we_do};
use inspect::model::{PauseRecord, Started};
use inspect::words::plural;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two looks for watches placed meanwhile.
const LOOK: Duration = Duration::from_millis(250);

/// Of the time, at most one part in so many is spent looking.
const SHARE: u32 = 5;

/// How long the end of another pause is waited for before it is looked at again.
const AGAIN: Duration = Duration::from_secs(1);

/// A pause that ends later does not end by its time: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What a pause is asked to be.
pub struct Request {
    /// Without the guardian and the times.
    pub record: PauseRecord,
    /// When it ends at the latest.
    pub timeout: Duration,
    /// The processes it is about; of all if there are none.
    pub pids: Vec<u32>,
}

/// Is the guardian, from the mute to the end.
pub fn run(link: OwnedFd, request: Request) {
    process::detach(&[link.as_fd()]);
    process::raise_descriptor_limit();
    let say = |message: Message<'_>| {
        // The launcher may have been killed: nobody listens then.
        let _ = send(link.as_fd(), message);
    };
    let mut guardian = match Guardian::begin(request) {
        Ok((guardian, text)) => {
            say(Message::Ready(&text));
            guardian
        }
        Err(why) => return say(Message::Failed(&why)),
    };
    let why = guardian.watch_over(&link);
    let text = guardian.end(why, &say);
    say(Message::Done(&text));
}

/// Why a pause ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Command,
    Asked,
    Timeout,
}

struct Guardian {
    pause: Pause,
    pids: Vec<u32>,
    ends: Instant,
    signals: OwnedFd,
    seen: HashMap<u32, Fingerprint>,
    /// Watches that were muted since it began.
    later: usize,
}

impl Guardian {
    /// Mutes, and says what it came to.
    fn begin(request: Request) -> Result<(Guardian, String), String> {
        let signals = signal::descriptor().map_err(|e| words(&e))?;
        let store =
            Store::open(TIMEOUT).map_err(|e| format!("no record can be kept: {}", words(&e)))?;
        let mut text = recover(&store);
        let mut record = request.record;
        record.guardian = own_start().ok_or("/proc does not tell when this process started")?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        record.since = now.as_secs() as i64;
        let timeout = request.timeout.min(LONGEST);
        record.until = (now + timeout).as_secs() as i64;
        let write = |record: &PauseRecord| {
            let written = store.write(record);
            written.map_err(|e| format!("no record can be kept: {}", words(&e)))
        };
        write(&record)?;
        let mut guardian = Guardian {
            pause: Pause::new(record),
            pids: request.pids,
            ends: Instant::now() + timeout,
            signals,
            seen: HashMap::new(),
            later: 0,
        };
        let guardians = guardians(&store);
        let mut begun = Begun::default();
        let mut pids = watching();
        // For those in other mount namespaces the trees are listed, which the others are not to hear.
        pids.sort_by_key(|&pid| !sees_as_we_do(pid));
        pids.retain(|pid| guardian.is_about(*pid) && !guardians.contains(pid));
        // First of all what would hear the looks.
        for &pid in &pids {
            if guardian.pause.hears_looks(pid) {
                guardian.pause.mute_reads(pid, &store);
            }
        }
        for pid in pids {
            if guardian.pause.concerns(pid) {
                begun.add(guardian.pause.mute(pid, &store));
            }
        }
        guardian.pause.begun = true;
        let names = guardian.pause.names_text();
        let written = store.write_names(&guardian.pause.record, &names);
        if let Err(e) = written {
            text += &format!(
                "{PROBLEM}what is there cannot be kept for a guardian that is killed: {}\n",
                words(&e)
            );
        }
        if guardian.pids.is_empty() {
            begun.hidden = processes::not_permitted();
        }
        text += &begun.text(&guardian.pause.record);
        Ok((guardian, text))
    }

    fn is_about(&self, pid: u32) -> bool {
        self.pids.is_empty() || self.pids.contains(&pid)
    }

    /// Waits for the end of the command, and mutes what is watched meanwhile.
    fn watch_over(&mut self, link: &OwnedFd) -> Why {
        let mut text = [0; 16];
        let received = socket::receive(link.as_fd(), &mut text);
        // Without a command the launcher has gone before it started one.
        let Some(command) = received.ok().and_then(|(_, fds)| fds.into_iter().next()) else {
            return Why::Command;
        };
        let mut pause = LOOK;
        loop {
            let rest = self.ends.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Why::Timeout;
            }
            let what = [
                For::Input(command.as_fd()),
                For::Input(self.signals.as_fd()),
            ];
            let [ended, signalled] = wait(what, Some(pause.min(rest)));
            if ended != Ready::No {
                return Why::Command;
            }
            if signalled == Ready::Yes && self.is_asked_to_end() {
                return Why::Asked;
            }
            let start = Instant::now();
            self.look();
            pause = LOOK.max(start.elapsed() * SHARE);
        }
    }

    fn is_asked_to_end(&self) -> bool {
        let mut asked = false;
        while let Some(signal) = signal::next(self.signals.as_fd()) {
            asked |= signal.number == libc::SIGTERM;
        }
        asked
    }

    /// Mutes what has come since the last look, and what is withheld no more.
    fn look(&mut self) {
        if self.pause.held.has_lost_any() {
            self.seen.values_mut().for_each(Fingerprint::forget);
        }
        let Ok(pids) = Processes::open().and_then(|mut all| all.pids()) else {
            return;
        };
        let alive: HashSet<u32> = pids.iter().copied().collect();
        self.seen.retain(|pid, _| alive.contains(pid));
        let own = std::process::id();
        for pid in pids.into_iter().filter(|&pid| pid != own) {
            if !self.is_about(pid) {
                continue;
            }
            let Ok(seen) = self
                .seen
                .remove(&pid)
                .map_or_else(|| Fingerprint::of(pid), Ok)
            else {
                continue;
            };
            let seen = self.seen.entry(pid).or_insert(seen);
            if !seen.changed().unwrap_or(false) || !self.pause.concerns(pid) {
                continue;
            }
            let Ok(store) = Store::open(Duration::ZERO) else {
                // Another look comes.
                seen.forget();
                continue;
            };
            if guardians(&store).contains(&pid) {
                continue;
            }
            // One that may not be changed was told at the beginning.
            if let Ok(Outcome { muted, .. }) = self.pause.mute(pid, &store)
                && muted > 0
            {
                self.later += muted;
                // The masks are on record, which is what matters most.
                let _ = store.write_names(&self.pause.record, &self.pause.names_text());
            }
        }
    }

    /// What a supervisor that has ended would have handed over is told as for all others.
    fn mute_what_was_withheld(&mut self) {
        let watches = self.pause.record.watches.iter();
        let held = watches.filter(|watch| watch.held);
        let pids: BTreeSet<u32> = held.map(|watch| watch.process.pid).collect();
        if let Ok(store) = Store::open(TIMEOUT) {
            for pid in pids {
                // One that has ended hears nothing.
                let _ = self.pause.mute(pid, &store);
            }
        }
    }

    /// Ends the pause, once no other one goes on, and says what it came to.
    fn end(mut self, why: Why, say: &dyn Fn(Message<'_>)) -> String {
        if self.pause.held.loses_any() {
            self.mute_what_was_withheld();
        }
        self.pause.record.over = true;
        let mut told = false;
        let store = loop {
            let store = match Store::open(TIMEOUT) {
                Ok(store) => store,
                // Nobody else gives the masks back.
                Err(e) if e.kind() == io::ErrorKind::TimedOut => continue,
                Err(e) => return format!("the record cannot be opened: {}\n", words(&e)),
            };
            // Others must not wait for this one.
            let _ = store.write(&self.pause.record);
            let Some(other) = covering(&store, &self.pause.record) else {
                break store;
            };
            drop(store);
            if !std::mem::replace(&mut told, true) {
                say(Message::Waits(&format!(
                    "another pause of {} goes on: what both are about stays mute until it ends\n",
                    dirs(&other)
                )));
            }
            await_end(other.guardian);
        };
        let mut told = resume(&mut self.pause, &mut |record| {
            // It is for who has to put back what a killed guardian has left there.
            let _ = store.write(record);
        });
        // What was done to tell the others is withheld too, and told as what it was.
        let handed_over = self
            .pause
            .held
            .end(Replay::named(&self.pause.record.replay));
        let watches = self.pause.record.watches.iter();
        told.add(&handed_over, watches.filter(|watch| watch.held).count());
        store.remove(&self.pause.record);
        let mut text = match why {
            Why::Command => String::new(),
            Why::Asked => "released, as was asked for, while the command goes on\n".to_owned(),
            Why::Timeout => "--timeout is over while the command goes on\n".to_owned(),
        };
        if self.later > 0 {
            let later = plural(self.later, "watch", "watches");
            text += &format!("muted {later} more, placed meanwhile\n");
        }
        text += &told.text();
        // A killed guardian's, which this pause has covered.
        text += &recover(&store);
        text
    }
}

/// This process.
fn own_start() -> Option<Started> {
    let pid = std::process::id();
    let ticks = inspect::gather::start_of(pid)?;
    Some(Started { pid, ticks })
}

/// The processes that guard pauses: for a moment they have what they mute.
fn guardians(store: &Store) -> HashSet<u32> {
    store
        .all()
        .iter()
        .map(|record| record.guardian.pid)
        .collect()
}

fn await_end(guardian: Started) {
    if let Ok(process) = pidfd::open(guardian.pid) {
        wait([For::Input(process.as_fd())], Some(AGAIN));
    }
}

/// Why a guardian could not be made.
pub fn no_guardian(error: &io::Error) -> String {
    format!("the pause cannot be guarded: {}", words(error))
}
