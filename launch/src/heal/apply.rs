//! Changing masks: the same inode is watched again through a copy of the instance, and the kernel puts
//! the new mask in place of the old one, under the same wd.

use super::plan::{Change, SHOWN};
use super::target::Target;
use crate::sys::{inotify, lock};
use inspect::gather::Opener;
use inspect::model::{Device, Mask};
use rules::event::{MASK_ADD, UNMOUNT};
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// Changes nothing of a watch that is there, whatever its mask: every watch has UNMOUNT. Where there is
/// none it makes one that never fires.
const TOUCH: u32 = MASK_ADD | UNMOUNT;

/// Fewer are not worth a thread.
const SHARE: usize = 1000;

/// How long a watch that was made by mistake is left to itself: a process that takes a watch away and
/// places it anew at once gets ours, which then is its own.
const ADOPTION: Duration = Duration::from_millis(50);

const NEW_INODES: &str =
    "its file system makes a new inode for each open, so the watched one cannot be reached";

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel took it.
    Done,
    /// The instance has no watch there: it has gone meanwhile, or what was found is not what it is on.
    Missed,
    /// It was not possible, with the reason.
    Failed(String),
}

/// A watch that was made where the instance had none, with its mask as fdinfo shows it.
pub struct Stray {
    instance: usize,
    wd: i32,
    mask: u32,
}

/// Changes a watch, with the inode it is on, and may look at that before and after. What was found there may turn out to be
/// another one.
pub type Around<'a> =
    dyn Fn(&Target, &Change, &OwnedFd, &mut dyn FnMut() -> Outcome) -> Outcome + Sync + 'a;

/// Makes the changes; one outcome for each, in their order.
pub fn apply(target: &Target, changes: &[Change], around: &Around<'_>) -> Vec<Outcome> {
    // It holds a directory of each mount open.
    let new = changes.iter();
    let new = new.map(|change| (change.instance, change.watch, Mask(change.after)));
    let opener = &target.handle.opener_while(new);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = changes.len().div_ceil(threads).max(SHARE);
    let inodes = &Inodes::default();
    let one = |changes: &[Change]| {
        let mut strays = Vec::new();
        let each = changes
            .iter()
            .map(|c| change(target, (opener, inodes), c, around, &mut strays));
        (each.collect::<Vec<_>>(), strays)
    };
    let (mut outcomes, mut strays) = (Vec::with_capacity(changes.len()), Vec::new());
    thread::scope(|scope| {
        let mut shares = changes.chunks(share);
        let first = shares.next().unwrap_or_default();
        let others: Vec<_> = shares
            .map(|share| {
                (
                    share,
                    thread::Builder::new().spawn_scoped(scope, || one(share)),
                )
            })
            .collect();
        let mut add = |(mut done, mut more): (Vec<Outcome>, Vec<Stray>)| {
            outcomes.append(&mut done);
            strays.append(&mut more);
        };
        add(one(first));
        for (share, thread) in others {
            // Where no thread could be started this one does its share.
            let done = thread.ok().and_then(|thread| thread.join().ok());
            add(done.unwrap_or_else(|| one(share)));
        }
    });
    guess(
        target,
        opener,
        changes,
        around,
        (&mut outcomes, &mut strays),
    );
    remove_strays(target, &strays);
    outcomes
}

fn change(
    target: &Target,
    (opener, inodes): (&Opener<'_>, &Inodes),
    change: &Change,
    around: &Around<'_>,
    strays: &mut Vec<Stray>,
) -> Outcome {
    let Some(copy) = target.copy(change.instance) else {
        return Outcome::Missed;
    };
    // As long as it is held, the inode and the watch on it stay, even when its last name goes.
    match inodes.open(opener, change) {
        Ok(inode) => {
            let mut place = || place(copy, &inode, change, strays);
            around(target, change, &inode, &mut place)
        }
        Err(why) => Outcome::Failed(why),
    }
}

/// A file that is opened twice may be two inodes in memory: 9p without a cache makes a new one each time
/// (v9fs_get_new_inode_from_fid, fs/9p). A watch placed there would be one more, and the process would be told when it is removed.
#[derive(Default)]
struct Inodes(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// An instance of our own.
    own: Option<OwnedFd>,
    /// File systems that make new inodes.
    new: HashSet<Device>,
}

impl Inodes {
    /// Opens the inode of a watch, unless each open makes one.
    fn open(&self, opener: &Opener<'_>, change: &Change) -> Result<OwnedFd, String> {
        let open = || opener.open(change.instance, change.watch);
        let Some(device) = opener.served(change.instance, change.watch) else {
            return Ok(open()?);
        };
        let seen = &mut *lock(&self.0);
        if seen.new.contains(&device) {
            return Err(NEW_INODES.into());
        }
        if seen.own.is_none() {
            seen.own = inotify::new(true).ok();
        }
        let Some(own) = &seen.own else {
            return Ok(open()?);
        };
        let place = |inode: &OwnedFd| inotify::add_watch(own.as_fd(), inode.as_fd(), UNMOUNT);
        // Closed in between: as long as it is open, it is found again.
        let first = place(&open()?);
        let inode = open()?;
        let second = place(&inode);
        for wd in [&first, &second].into_iter().flatten() {
            let _ = inotify::rm_watch(own.as_fd(), *wd);
        }
        // Where it cannot be told, as at the limit of watches, the kernel is asked by the change itself.
        if let (Ok(first), Ok(second)) = (first, second)
            && first != second
        {
            seen.new.insert(device);
            return Err(NEW_INODES.into());
        }
        Ok(inode)
    }
}

fn place(
    copy: BorrowedFd<'_>,
    inode: &OwnedFd,
    change: &Change,
    strays: &mut Vec<Stray>,
) -> Outcome {
    let place = (change.instance, change.wd);
    change_in_place(copy, inode, place, change.after, strays)
}

/// Gives the watch `wd`, on `inode`, the mask `after`: a watch with it is placed where the old one is.
pub fn change_in_place(
    copy: BorrowedFd<'_>,
    inode: &OwnedFd,
    (instance, was): (usize, i32),
    after: u32,
    strays: &mut Vec<Stray>,
) -> Outcome {
    // First without an effect: the process may have removed this watch, or placed another one there.
    for mask in [TOUCH, after & !MASK_ADD] {
        match change_again(copy, inode, (instance, was), mask, strays) {
            Outcome::Done => {}
            other => return other,
        }
    }
    Outcome::Done
}

/// The same for a watch that was changed just before.
pub fn change_again(
    copy: BorrowedFd<'_>,
    inode: &OwnedFd,
    (instance, was): (usize, i32),
    mask: u32,
    strays: &mut Vec<Stray>,
) -> Outcome {
    match inotify::add_watch(copy, inode.as_fd(), mask) {
        Ok(wd) if wd == was => Outcome::Done,
        Ok(wd) => {
            let mask = mask & SHOWN;
            strays.push(Stray { instance, wd, mask });
            Outcome::Missed
        }
        Err(e) => failed(&e),
    }
}

/// Tries likely places where none is proved, one after the other: first those where nothing else was met, and others
/// only after one of these was right. A wrong one costs the process a notice about a watch it never had: it is the last.
fn guess(
    target: &Target,
    opener: &Opener<'_>,
    changes: &[Change],
    around: &Around<'_>,
    (outcomes, strays): (&mut [Outcome], &mut Vec<Stray>),
) {
    for with_contested in [false, true] {
        for (change, outcome) in changes.iter().zip(&mut *outcomes) {
            if !matches!(outcome, Outcome::Failed(_)) || !target.guesses.may_go_on(with_contested) {
                continue;
            }
            let likely = opener.guess(change.instance, change.watch);
            let likely = likely.filter(|&(_, contested)| contested == with_contested);
            if let (Some(copy), Some((inode, _))) = (target.copy(change.instance), likely) {
                let mut place = || place(copy, &inode, change, strays);
                *outcome = around(target, change, &inode, &mut place);
                match outcome {
                    Outcome::Done => target.guesses.was_right(),
                    Outcome::Missed => target.guesses.was_wrong(),
                    Outcome::Failed(_) => {}
                }
            }
        }
    }
}

fn failed(error: &io::Error) -> Outcome {
    match error.raw_os_error() {
        // The limit is only looked at for a new watch.
        Some(libc::ENOSPC) => Outcome::Missed,
        Some(libc::EACCES) => Outcome::Failed(
            "this user may not read it, which placing a watch needs; root may".into(),
        ),
        _ => Outcome::Failed(format!("the kernel refused: {error}")),
    }
}

/// Removes the watches that were made by mistake. One whose mask is another one by now is the process's
/// own: it has placed it meanwhile.
pub fn remove_strays(target: &Target, strays: &[Stray]) {
    if strays.is_empty() {
        return;
    }
    thread::sleep(ADOPTION);
    let mut masks: HashMap<usize, HashMap<i32, u32>> = HashMap::new();
    for stray in strays {
        let Some(copy) = target.copy(stray.instance) else {
            continue;
        };
        let now = masks
            .entry(stray.instance)
            .or_insert_with(|| masks_of(copy));
        if now.get(&stray.wd) == Some(&stray.mask) {
            // It may have gone by itself.
            let _ = inotify::rm_watch(copy, stray.wd);
        }
    }
}

fn masks_of(copy: BorrowedFd<'_>) -> HashMap<i32, u32> {
    let watches = inspect::gather::own_watches(copy);
    watches.iter().map(|w| (w.wd, w.mask.0)).collect()
}
