//! Directories in which a watching process holds a SQLite database open: watches on them settle.
//!
//! A database may be opened after its directory was watched. So the process is looked at again, soon and then less and
//! less often; what is found late is settled in place, as `watchfix heal` does it. Nothing is looked at while no process
//! has such a watch. No lock is held while one is.
//!
//! Where no watch is judged for anything else, none is for this: then all processes of the tree are looked at, soon and then
//! ever more rarely, and everything is found late ([`super::filter::Trapped::settles_unseen`]).

use super::copies::Copies;
use super::owners::{Found, Owner, Owners, identity};
use super::reads::Reads;
use super::rights::Finder;
use super::tree::{Tree, interval};
use crate::sys::{inotify, lock, pidfd};
use inspect::gather::{ProcessHandle, masks_of, watches_of};
use inspect::model::Identity;
use rules::Rules;
use rules::event::{ACCESS, CLOSE_NOWRITE, MODIFY, OPEN};
use rules::watch::{Fate, reduce};
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// Processes with watches that would settle, and where their databases lie.
pub struct Databases {
    watchers: Mutex<HashMap<u32, Watcher>>,
    /// There is one more watcher.
    more: Condvar,
    /// Watches are placed that nobody judges.
    unseen: bool,
}

/// What a look is taken with.
pub struct Eyes<'a> {
    /// What settles.
    pub rules: &'a Rules<'a>,
    /// Instances whose reads are judged: nothing has to settle there.
    pub reads: Option<&'a Reads<'a>>,
    /// Where copies of instances come from.
    pub copies: &'a Copies,
    /// Whose rights it is taken with.
    pub finder: Finder<'a>,
}

/// Directories with their paths, as the process has them.
type Directories = HashMap<Identity, Vec<u8>>;

struct Watcher {
    pidfd: OwnedFd,
    directories: Directories,
    /// When these were read.
    seen: Option<Instant>,
    /// Those of them in which no watch can be left that was placed before.
    settled: HashSet<Identity>,
    looks: usize,
    /// When the next look is taken.
    due: Instant,
}

impl Databases {
    /// Nothing yet; `unseen` if watches are placed that nobody judges.
    pub fn new(unseen: bool) -> Databases {
        Databases {
            watchers: Mutex::default(),
            more: Condvar::new(),
            unseen,
        }
    }

    /// Whether `process` holds a database open in the directory.
    pub fn has_in(
        &self,
        owner: &Owner,
        directory: &Found,
        (rules, copies): (&Rules<'_>, &Copies),
    ) -> bool {
        let process = owner.process;
        let has = |watcher: &Watcher| {
            // Few have that inode number: only these are looked up in full.
            let mut known = watcher.directories.keys();
            known.any(|one| one.inode == directory.known.inode)
                && identity(process, directory)
                    .is_some_and(|id| watcher.directories.contains_key(&id))
        };
        let known = lock(&self.watchers).get(&process).and_then(|watcher| {
            // So soon no number is another process's.
            let lately = watcher.seen.is_some_and(|at| at.elapsed() < interval(0));
            lately.then(|| has(watcher))
        });
        if let Some(known) = known {
            return known;
        }
        let due = Instant::now() + interval(0);
        let new = Watcher::new(process, due).and_then(|mut new| {
            new.see(new.look(owner, rules, copies)?.1);
            if !self.unseen {
                new.settled = new.directories.keys().copied().collect();
            }
            Ok(new)
        });
        let mut watchers = lock(&self.watchers);
        if let Ok(mut new) = new {
            if let Some(old) = watchers.remove(&process)
                && !pidfd::has_ended(old.pidfd.as_fd())
            {
                new.follows(old);
            }
            watchers.insert(process, new);
            self.more.notify_one();
        }
        watchers.get(&process).is_some_and(has)
    }

    /// Looks again where it is time to, and settles what has become due. Does not return.
    pub fn look_after(&self, eyes: &Eyes<'_>) {
        let mut tree = self.unseen.then(Tree::new);
        loop {
            if let Some(tree) = tree.as_mut().filter(|tree| tree.rest().is_zero()) {
                self.look_for_more(tree);
            }
            let due = lock(&self.watchers)
                .extract_if(|_, watcher| watcher.rest().is_zero())
                .collect();
            self.look_at(due, eyes);
            let watchers = lock(&self.watchers);
            let rests = watchers.values().map(Watcher::rest);
            match rests.chain(tree.as_ref().map(Tree::rest)).min() {
                Some(Duration::ZERO) => {}
                Some(rest) => drop(self.more.wait_timeout(watchers, rest)),
                None => drop(self.more.wait(watchers)),
            }
        }
    }

    fn look_at(&self, due: Vec<(u32, Watcher)>, eyes: &Eyes<'_>) {
        for (process, mut watcher) in due {
            let looked = watcher.look_again(process, eyes, self.unseen);
            if looked.is_err() && pidfd::has_ended(watcher.pidfd.as_fd()) {
                continue;
            }
            // Unless it has ended, what fails once may work the next time.
            match lock(&self.watchers).entry(process) {
                // One of its calls has been judged meanwhile.
                Entry::Occupied(mut new) => new.get_mut().follows(watcher),
                Entry::Vacant(free) => {
                    free.insert(watcher);
                }
            }
        }
    }

    /// Finds processes that have watches and were not looked at yet.
    fn look_for_more(&self, tree: &mut Tree) {
        for process in tree.look() {
            let is_known = lock(&self.watchers)
                .get(&process)
                .is_some_and(|watcher| !pidfd::has_ended(watcher.pidfd.as_fd()));
            let has_watches =
                || masks_of(process).is_some_and(|m| m.iter().any(|m| m.mask.has(MODIFY)));
            if !is_known
                && has_watches()
                && let Ok(new) = Watcher::new(process, Instant::now())
            {
                lock(&self.watchers).insert(process, new);
            }
        }
    }
}

impl Watcher {
    fn new(process: u32, due: Instant) -> io::Result<Watcher> {
        Ok(Watcher {
            pidfd: pidfd::open(process)?,
            directories: Directories::new(),
            seen: None,
            settled: HashSet::new(),
            looks: 0,
            due,
        })
    }

    /// Takes the place of `old`. Where it has found databases first, there may be watches from before.
    fn follows(&mut self, old: Watcher) {
        self.settled = old.settled;
    }

    fn rest(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    fn see(&mut self, directories: Directories) {
        self.directories = directories;
        self.seen = Some(Instant::now());
    }

    /// Reads what the process has open now: copies of its instances, and where its databases lie.
    fn look(
        &self,
        owner: &Owner,
        rules: &Rules<'_>,
        copies: &Copies,
    ) -> io::Result<(Vec<(i32, OwnedFd)>, Directories)> {
        let process = owner.process;
        let mut live =
            ProcessHandle::open(process).map_err(|failure| io::Error::other(failure.why))?;
        // Its masks have been judged by its own rules, which say where it settles.
        if live.process().preload.mapped == Some(true) {
            return Ok(Default::default());
        }
        let numbers: Vec<i32> = live.inotify_fds().collect();
        let mut instances = Vec::new();
        for fd in numbers {
            let copy = copies.if_known(owner, fd)?;
            instances.extend(copy.map(|copy| (fd, copy)));
        }
        // Where its watches report opens, a look at its files must not be one.
        if rules.strip & (OPEN | ACCESS | CLOSE_NOWRITE) != OPEN | ACCESS | CLOSE_NOWRITE {
            let borrowed: Vec<_> = instances.iter().map(|(fd, c)| (*fd, c.as_fd())).collect();
            live.read(&borrowed, Duration::ZERO);
        }
        live.read_databases();
        let databases = live.process().sqlite.iter();
        let parts = databases.flat_map(|database| &database.parts);
        let directories = parts.filter(|part| !part.deleted).filter_map(|part| {
            let path = part.path.parent()?;
            Some((part.parent?, path.to_vec()))
        });
        let directories = directories.collect();
        Ok((instances, directories))
    }

    /// Looks with the rights the process itself has: between two looks it may lead every path elsewhere.
    fn look_again(&mut self, process: u32, eyes: &Eyes<'_>, unseen: bool) -> io::Result<()> {
        self.looks += 1;
        self.due = Instant::now() + interval(self.looks);
        let mut owners = Owners::default();
        let owner = owners.of(process)?;
        let rights = eyes.finder.guard.rights_of(owner)?;
        rights.act(|| {
            let (instances, directories) = self.look(owner, eyes.rules, eyes.copies)?;
            let is_judged = |fd| eyes.reads.is_some_and(|reads| reads.has(process, fd));
            let new = directories
                .iter()
                .filter(|(one, _)| !self.settled.contains(one));
            let new: Directories = new.map(|(one, path)| (*one, path.clone())).collect();
            let left = instances
                .iter()
                .filter(|&&(fd, _)| !new.is_empty() && !is_judged(fd))
                .flat_map(|(_, instance)| settle(owner, instance, &new, eyes));
            let left: HashSet<_> = left.collect();
            if !unseen {
                let settled = directories.keys().filter(|one| !left.contains(one));
                self.settled = settled.copied().collect();
            }
            self.see(directories);
            Ok(())
        })?
    }
}

/// Settles the instance's watches on `directories` that would report every write. Returns those that are to be looked
/// for again.
fn settle(
    owner: &Owner,
    instance: &OwnedFd,
    directories: &Directories,
    eyes: &Eyes<'_>,
) -> Vec<Identity> {
    let mut left = Vec::new();
    for watch in watches_of(owner.process, instance.as_fd()) {
        let there = watch.identity().filter(|_| watch.mask.has(MODIFY));
        let Some((there, path)) = there.and_then(|id| Some((id, directories.get(&id)?))) else {
            continue;
        };
        let mask = reduce(eyes.rules.strip, Fate::Settled, watch.mask.0);
        match place(owner, instance, path, (there, watch.wd), mask, eyes) {
            Ok(true) => eyes.finder.log.line(
                owner.process,
                format_args!(
                    "\"{}\": mask {:#x} -> {mask:#x} by WATCHFIX_SETTLE: a database was opened there",
                    path.escape_ascii(),
                    watch.mask.0
                ),
            ),
            Ok(false) | Err(_) => left.push(there),
        }
    }
    left
}

/// Gives the watch `wd` on the directory `there`, which is `path` for the process, another mask; false if that was
/// no longer its place.
fn place(
    owner: &Owner,
    instance: &OwnedFd,
    path: &[u8],
    (there, wd): (Identity, i32),
    mask: u32,
    eyes: &Eyes<'_>,
) -> io::Result<bool> {
    let directory = owner.find(&CString::new(path)?, false, eyes.finder.own_root)?;
    if identity(owner.process, &directory) != Some(there) {
        return Ok(false);
    }
    inotify::change_here(instance.as_fd(), directory.file.as_fd(), (wd, mask))
}
