//! One pass over a process: its watches are read, changed where the rules ask for it, and read again,
//! until a look finds nothing left to change. So what is reported is what the kernel says.
//!
//! More than two looks are needed where directories can only be listed once the watches on them do not
//! report it any more (an unprivileged user finds paths by listing), and where watches come meanwhile.

use super::apply::{Outcome, apply};
use super::plan::{self, Change};
use super::refused::Refused;
use super::target::Target;
use inspect::model::{Name, Watch};
use rules::Rules;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// For finding the paths of watches, in all looks together.
const PATIENCE: Duration = Duration::from_secs(10);

/// For finding them in one look, as long as looks lead to changes: the next one may list more.
const GLANCE: Duration = Duration::from_millis(200);

/// A process that places watches faster than they are healed has to be followed.
const LOOKS: usize = 64;

/// What a pass did, and what its last look found.
#[derive(Debug, Default)]
pub struct Pass {
    /// Watches the kernel lists in the end.
    pub watches: usize,
    /// The changes that hold.
    pub done: Vec<Done>,
    /// Watches that went while they were to be changed.
    pub vanished: usize,
    /// What could not be changed.
    pub failed: Vec<Failed>,
    /// Watches whose path is not known though rules ask for it: they were judged without.
    pub unjudged: usize,
}

impl Pass {
    /// Everything was done that was asked for.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.unjudged == 0
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
            Stopped::Refused(Refused::NoProcess(why) | Refused::NotPermitted(why))
            | Stopped::Unprepared(why) => why,
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

/// Reads the watches once, and says what the rules ask for.
pub fn look(target: &mut Target, rules: &Rules<'_>) -> Vec<Change> {
    target.read(PATIENCE);
    target.live.read_databases();
    by_rules(rules)(target)
}

/// What the rules ask for.
pub fn by_rules<'a>(rules: &'a Rules<'_>) -> impl FnMut(&Target) -> Vec<Change> + 'a {
    |target| plan::changes(target.live.process(), rules, &target.live.opener())
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
    let start = Instant::now();
    let mut pass = Pass::default();
    let mut done = BTreeMap::new();
    let mut progress = true;
    for look in 0..=LOOKS {
        let left = PATIENCE.saturating_sub(start.elapsed());
        target.read(if progress { left.min(GLANCE) } else { left });
        if look == 0 {
            target.live.read_databases();
        }
        if target.live.has_ended() {
            return Err(Refused::ended(target.pid()).into());
        }
        let changes = plan(target);
        if changes.is_empty() || look == LOOKS {
            break;
        }
        prepare(target, &changes).map_err(Stopped::Unprepared)?;
        pass.failed.clear();
        let thorough = !progress;
        progress = false;
        for (change, outcome) in changes.iter().zip(apply(target, &changes)) {
            match outcome {
                Outcome::Done => {
                    progress = true;
                    let made = done
                        .entry((change.instance, change.wd))
                        .or_insert_with(|| made(target, change));
                    // What it was at first stays.
                    made.change.after = change.after;
                }
                Outcome::Vanished => pass.vanished += 1,
                Outcome::Failed(why) => pass.failed.push(Failed {
                    change: *change,
                    why,
                    place: place(target, change),
                }),
            }
        }
        if thorough && !progress {
            break;
        }
    }
    let now = masks(target);
    pass.watches = now.len();
    done.retain(|key, made: &mut Done| now.get(key) == Some(&made.change.shown()));
    pass.done = done.into_values().collect();
    Ok(pass)
}

/// The masks of the last look, by instance and wd.
fn masks(target: &Target) -> HashMap<(usize, i32), u32> {
    let instances = target.live.process().inotify.iter().enumerate();
    instances
        .flat_map(|(at, instance)| instance.watches.iter().map(move |w| ((at, w.wd), w.mask.0)))
        .collect()
}

fn made(target: &Target, change: &Change) -> Done {
    let instance = target.live.process().inotify.get(change.instance);
    Done {
        change: *change,
        fd: instance.map_or(-1, |instance| instance.fd),
        path: watch(target, change).and_then(|watch| watch.path.clone()),
    }
}

fn watch<'t>(target: &'t Target, change: &Change) -> Option<&'t Watch> {
    let instance = target.live.process().inotify.get(change.instance)?;
    instance.watches.get(change.watch)
}

/// A path, or inode and device.
pub fn place(target: &Target, change: &Change) -> String {
    match watch(target, change) {
        Some(Watch {
            path: Some(path), ..
        }) => path.to_string(),
        Some(watch) => format!("inode {} on device {}", watch.inode, watch.device),
        None => format!("wd {}", change.wd),
    }
}
