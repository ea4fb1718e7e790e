//! What is known of an inotify instance whose reads are judged.

use super::super::owners::Found;
use super::burst::Burst;
use super::undelivered::Undelivered;
use super::withheld::Withheld;
use rules::attrib::{Identity, Time};
use rules::event::{CLOSE_WRITE, MASK_ADD, MODIFY};
use rules::record::{Record, Verdict};
use rules::watch::Asked;
use std::collections::HashMap;
use std::ffi::CString;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

/// An instance, under every number it has in every process.
pub type Shared = Arc<Mutex<Instance>>;

/// An instance.
pub struct Instance {
    /// Its watches, by their descriptors: those that were placed while its reads were judged.
    pub watches: HashMap<i32, Watch>,
    /// When it was last read, or made.
    pub read: Time,
    /// What was read and could not be handed over.
    pub undelivered: Undelivered,
    /// What pauses hold back.
    pub withheld: Withheld,
    /// Who reads from it while any is held back has this: so records stay in their order.
    pub turn: Arc<Mutex<()>>,
    /// Its reads are judged: a watch was placed on it while they did not wait.
    pub judged: bool,
}

/// A watch.
pub struct Watch {
    /// The mask the program asked for.
    pub wanted: u32,
    /// The mask the kernel was asked for, by the rules.
    pub mask: u32,
    /// How its CLOSE_WRITEs are shown.
    pub asked: Asked,
    /// When it was placed: a file modified earlier was not modified under it.
    pub placed: Time,
    /// Where it is, if that may be looked at: no server has to answer.
    pub place: Option<Arc<Place>>,
    /// What its ignored files are doing.
    pub burst: Burst,
}

/// Where a watch is.
pub struct Place {
    /// The path by which its process finds it.
    pub path: CString,
    /// The file that was found there.
    pub identity: Identity,
    /// A final symbolic link is followed.
    pub follow: bool,
}

impl Watch {
    /// Whether CLOSE_WRITE stands, or has stood, for a MODIFY it was asked for.
    fn has_settled(&self) -> bool {
        self.asked.settled() || self.burst.has_settled()
    }
}

impl Instance {
    /// A new one.
    pub fn new() -> Instance {
        Instance {
            watches: HashMap::new(),
            read: now(),
            undelivered: Undelivered::default(),
            withheld: Withheld::default(),
            turn: Arc::default(),
            judged: false,
        }
    }

    /// What a watch placed on a file has to report besides `mask`, for which it is asked: CLOSE_WRITE, where that stood in for
    /// MODIFY. What was written to then and is still open has yet to be reported.
    pub fn owed(&self, file: Identity, mask: u32) -> u32 {
        let owes = |watch: &Watch| {
            let is_there = |place: &Arc<Place>| place.identity == file;
            watch.place.as_ref().is_some_and(is_there) && watch.has_settled()
        };
        match mask & MODIFY != 0 && self.watches.values().any(owes) {
            true => CLOSE_WRITE,
            false => 0,
        }
    }

    /// Notes that a watch was placed. What was known of an earlier call for it goes, unless the new mask was added to the old
    /// one.
    pub fn placed(&mut self, wd: i32, mut new: Watch) {
        if let Some(old) = self.watches.remove(&wd) {
            let adds = new.wanted & MASK_ADD != 0;
            let (was_settled, is_settled) = (old.asked.settled(), new.asked.settled());
            // What was written to since it was first placed may still be open.
            if was_settled {
                new.placed = old.placed;
            }
            new.burst = old.burst;
            if !adds && was_settled && !is_settled {
                new.burst.was_settled(old.placed, now());
            } else if !adds || new.mask & MODIFY != 0 {
                new.burst.end_if_settled(now());
            }
            if adds {
                new.wanted |= old.wanted;
                new.mask |= old.mask;
                new.asked = Asked::from_bits(new.asked.bits() | old.asked.bits());
            }
        }
        self.watches.insert(wd, new);
    }

    /// Withholds a record that is to be handed over as the verdict says, if a pause holds its watch.
    pub fn withhold(&mut self, record: &Record<'_>, verdict: Verdict) -> bool {
        if !self.withheld.holds(record.wd) {
            return false;
        }
        let hears = self.watches.get(&record.wd).map_or(0, |watch| watch.mask);
        if let Verdict::As(mask) | Verdict::After(mask) = verdict {
            self.withheld.keep(record, mask, hears);
        }
        if let Verdict::Keep | Verdict::After(_) = verdict {
            self.withheld.keep(record, record.mask, hears);
        }
        true
    }

    /// When the next of its watches is to get its mask back.
    pub fn due(&self) -> Option<Instant> {
        let watches = self.watches.values();
        watches.filter_map(|watch| watch.burst.due()).min()
    }

    /// The watches that are to get their masks back by then.
    pub fn due_until(&self, then: Instant) -> Vec<i32> {
        let is_due = |watch: &Watch| watch.burst.due().is_some_and(|due| due <= then);
        let due = self.watches.iter().filter(|(_, watch)| is_due(watch));
        due.map(|(&wd, _)| wd).collect()
    }
}

/// The time files are stamped with, or a little more.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.unwrap_or_default();
    (since.as_secs() as i64, i64::from(since.subsec_nanos()))
}

/// What tells the file from others.
pub fn identity(found: &Found) -> Identity {
    Identity {
        device: found.device().0.into(),
        inode: found.known.inode,
    }
}
