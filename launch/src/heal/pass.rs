//! One pass over a process: its watches are read, changed where the rules ask for it, and read again,
//! until a look finds nothing left to change. So what is reported is what the kernel says.
//!
//! More than two looks are needed where directories can only be listed once the watches on them do not
//! report it any more (an unprivileged user finds paths by listing), and where watches come meanwhile.

use super::apply::{Around, Outcome, apply};
use super::plan::{self, By, Change};
use super::refused::Refused;
use super::target::Target;
use inspect::gather::ProcessHandle;
use inspect::model::{Name, StillWoken, Watch};
use rules::Rules;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

/// For all looks together, and for finding paths in them.
pub const PATH_TIMEOUT: Duration = Duration::from_secs(10);

/// For finding them in one look, as long as looks lead to changes: the next one may list more.
const GLANCE: Duration = Duration::from_millis(200);

/// A process that places watches faster than they are healed has to be followed.
const LOOKS: usize = 64;

/// What another round is expected to take at most: as long as the one before.
const ROUND: Duration = Duration::from_secs(3);

/// Why a watch is as it was in the end.
const ELSEWHERE: &str = "what was found in its place is not what it is on";
const LATE: &str = "it came, or was placed anew, while others were changed (--follow)";

/// What a pass did, and what its last look found.
#[derive(Debug, Default)]
pub struct Pass {
    /// Watches the kernel lists in the end.
    pub watches: usize,
    /// The changes that hold.
    pub done: Vec<Done>,
    /// Watches that went while they were to be changed: none of them is listed any more.
    pub vanished: usize,
    /// What is not as the rules ask for, by the last look.
    pub failed: Vec<Failed>,
    /// Threads with descriptors of their own, whose watches cannot be changed.
    pub left: Vec<u32>,
    /// Watches whose path is not known though rules ask for it: they were judged without.
    pub unjudged: usize,
    /// Databases that wake the process whatever its masks are.
    pub still_woken: Vec<StillWoken>,
}

impl Pass {
    /// Watches that are as the rules ask for.
    pub fn good(&self) -> usize {
        self.watches - self.failed.len().min(self.watches)
    }

    /// Everything was done that was asked for.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.left.is_empty() && self.unjudged == 0
    }
}

/// A change that was made.
#[derive(Debug)]
pub struct Done {
    /// From what to what.
    pub change: Change,
    /// The process's descriptor of the instance.
    pub fd: i32,
    /// Where the watched inode is.
    pub path: Option<Name>,
}

/// A watch that could not be changed.
#[derive(Debug)]
pub struct Failed {
    /// What was to be done.
    pub change: Change,
    /// Why it could not.
    pub why: String,
    /// What it is on: a path, or inode and device.
    pub place: String,
}

impl Failed {
    /// A change that could not be made.
    pub fn of(handle: &ProcessHandle, change: Change, why: String) -> Failed {
        Failed {
            change,
            why,
            place: place(handle, &change),
        }
    }

    /// A watch, with the places of its instance and of itself, that keeps the mask it has.
    pub fn left_alone(
        handle: &ProcessHandle,
        (instance, at): (usize, usize),
        watch: &Watch,
        (by, why): (By, &str),
    ) -> Failed {
        let change = Change {
            instance,
            watch: at,
            wd: watch.wd,
            before: watch.mask.0,
            after: watch.mask.0,
            by,
        };
        Failed::of(handle, change, why.to_owned())
    }
}

/// Why a pass could not be made.
#[derive(Debug)]
pub enum Stopped {
    /// The process may not be changed, or has ended.
    Refused(Refused),
    /// What had to be done before a change was not possible.
    Unprepared(String),
}

impl Stopped {
    /// The sentence.
    pub fn text(&self) -> &str {
        match self {
            Stopped::Refused(refused) => refused.text(),
            Stopped::Unprepared(why) => why,
        }
    }
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Stopped {
        Stopped::Refused(refused)
    }
}

/// The changes to be made, of what was just read.
pub type Plan<'a> = dyn FnMut(&Target) -> Vec<Change> + 'a;

/// What is done before changes are made.
pub type Prepare<'a> = dyn FnMut(&Target, &[Change]) -> Result<(), String> + 'a;

/// What the rules ask for.
pub fn by_rules<'a>(rules: &'a Rules<'_>) -> impl FnMut(&Target) -> Vec<Change> + 'a {
    |target| plan::changes(&target.handle, rules)
}

/// Makes the changes of `plan` until it has none.
///
/// # Errors
/// The process ended meanwhile, or `prepare` failed.
pub fn run(
    target: &mut Target,
    plan: &mut Plan<'_>,
    prepare: &mut Prepare<'_>,
) -> Result<Pass, Stopped> {
    run_with(target, plan, prepare, &|_, _, _, change| change())
}

/// The same, with what is done around each change.
///
/// # Errors
/// Those of [`run`].
pub fn run_with(
    target: &mut Target,
    plan: &mut Plan<'_>,
    prepare: &mut Prepare<'_>,
    around: &Around<'_>,
) -> Result<Pass, Stopped> {
    let start = Instant::now();
    let mut done = BTreeMap::new();
    // What could not be changed by the last changes, and why.
    let mut refused: HashMap<Key, String> = HashMap::new();
    // What was found there is not theirs. They are never tried again: each try would make a watch.
    let mut missed: HashSet<Key> = HashSet::new();
    let (mut progress, mut stuck) = (true, false);
    let mut looks = 0;
    let mut round = Duration::ZERO;
    let left = loop {
        let began = Instant::now();
        let rest = PATH_TIMEOUT.saturating_sub(start.elapsed());
        target.read(if progress { rest.min(GLANCE) } else { rest });
        // Where watches reported opens, databases can be told from other files once they do not any more.
        if looks <= 1 {
            target.handle.read_databases();
        }
        if target.handle.has_ended() {
            return Err(Refused::ended(target.pid()).into());
        }
        let left = plan(target);
        let is_new = |change: &&Change| !missed.contains(&key(change));
        let changes: Vec<Change> = left.iter().filter(is_new).copied().collect();
        if changes.is_empty() || stuck || looks == LOOKS || start.elapsed() + round >= PATH_TIMEOUT
        {
            break left;
        }
        looks += 1;
        prepare(target, &changes).map_err(Stopped::Unprepared)?;
        refused.clear();
        let thorough = !progress;
        progress = false;
        for (change, outcome) in changes.iter().zip(apply(target, &changes, around)) {
            match outcome {
                Outcome::Done => {
                    progress = true;
                    let made = done
                        .entry(key(change))
                        .or_insert_with(|| made(target, change));
                    // What it was at first stays.
                    (made.change.after, made.change.by) = (change.after, change.by);
                }
                Outcome::Missed => {
                    missed.insert(key(change));
                }
                Outcome::Failed(why) => {
                    refused.insert(key(change), why);
                }
            }
        }
        stuck = thorough && !progress;
        round = began.elapsed().min(ROUND);
    };
    let now = masks(target);
    done.retain(|key, made: &mut Done| now.get(key) == Some(&made.change.shown()));
    let why = |change: &Change| {
        if missed.contains(&key(change)) {
            return ELSEWHERE.to_owned();
        }
        let known = refused.remove(&key(change));
        known.unwrap_or_else(|| LATE.to_owned())
    };
    Ok(Pass {
        watches: now.len(),
        done: done.into_values().collect(),
        vanished: missed.iter().filter(|key| !now.contains_key(key)).count(),
        failed: failed(target, &left, why),
        left: target.left().to_vec(),
        unjudged: 0,
        still_woken: Vec::new(),
    })
}

fn failed(target: &Target, left: &[Change], mut why: impl FnMut(&Change) -> String) -> Vec<Failed> {
    let failed = left
        .iter()
        .map(|change| Failed::of(&target.handle, *change, why(change)));
    failed.collect()
}

/// A watch, by its instance and wd.
type Key = (usize, i32);

fn key(change: &Change) -> Key {
    (change.instance, change.wd)
}

/// The masks of the last look, by instance and wd.
fn masks(target: &Target) -> HashMap<Key, u32> {
    let instances = target.handle.process().inotify.iter().enumerate();
    instances
        .flat_map(|(at, instance)| instance.watches.iter().map(move |w| ((at, w.wd), w.mask.0)))
        .collect()
}

fn made(target: &Target, change: &Change) -> Done {
    let instance = target.handle.process().inotify.get(change.instance);
    Done {
        change: *change,
        fd: instance.map_or(-1, |instance| instance.fd),
        path: watch(&target.handle, change).and_then(|watch| watch.path.clone()),
    }
}

fn watch<'l>(handle: &'l ProcessHandle, change: &Change) -> Option<&'l Watch> {
    change.watched(handle.process()).map(|(_, watch)| watch)
}

/// A path, or inode and device.
fn place(handle: &ProcessHandle, change: &Change) -> String {
    match watch(handle, change) {
        Some(Watch {
            path: Some(path), ..
        }) => path.to_string(),
        Some(watch) => format!("inode {} on device {}", watch.inode, watch.device),
        None => format!("wd {}", change.wd),
    }
}
