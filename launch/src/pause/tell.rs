//! What became of entries, told to watches: by operations that leave everything as it is, one kind of event at a time.

use super::aside::{Aside, Asides};
use super::changes::{Changes, Entry};
use super::hearing::{ALL, Hearing, Only, no_delete, no_modify, no_writes};
use super::operations::{
    At, give_back, lend, made_and_removed, make_place_holder, put_in, take_out,
};
use super::state::OwnChanges;
use super::told::Told;
use rules::event::{ATTRIB, CLOSE_WRITE, CREATE, DELETE, MODIFY, MOVED_FROM, MOVED_TO};
use rustix::fs::CWD;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// A directory: its path, and itself; files that are watched themselves, by their paths; or what was opened.
#[derive(Clone, Copy)]
pub enum Of<'a> {
    /// The changes are those of its entries.
    Dir(&'a [u8], BorrowedFd<'a>),
    /// The changes are theirs: names are paths.
    Files(&'a BTreeMap<Vec<u8>, Rc<OwnedFd>>),
    /// The changes are its own.
    Itself(&'a [u8], BorrowedFd<'a>),
}

impl<'a> Of<'a> {
    fn path(self) -> &'a [u8] {
        match self {
            Of::Dir(path, _) | Of::Itself(path, _) => path,
            Of::Files(_) => b"",
        }
    }

    fn at(self, name: &'a [u8]) -> At<'a> {
        match self {
            Of::Dir(_, dir) => At::Entry(dir, name),
            Of::Itself(_, file) => At::Open(file),
            Of::Files(files) => match files.get(name) {
                Some(file) => At::Open(file.as_fd()),
                None => At::Entry(CWD, name),
            },
        }
    }
}

/// The watches that are to hear of changes.
#[derive(Default)]
pub struct Who {
    /// Those of the directory, or of what was opened: they hear of all of them.
    pub dir: Vec<usize>,
    /// Those of files that were written to.
    pub written: Vec<usize>,
    /// Those of files with other attributes.
    pub attributes: Vec<usize>,
}

/// Who hears, where entries are for a moment, and what was told.
pub struct Telling<'a> {
    /// The watches.
    pub hearing: Hearing,
    /// Directories beside the trees.
    pub asides: Asides<'a>,
    /// What was told.
    pub told: Told,
    /// What that has changed.
    pub own: OwnChanges,
    /// By directory and name: the numbers of place holders that are made.
    pub held: HashMap<(Vec<u8>, Vec<u8>), String>,
}

/// What is announced as new, and to whom: what took the place of something else to who hears of it in no other way.
fn announced(changes: &Changes) -> [(Vec<Entry>, Only<'static>); 3] {
    let replaced = changes.replaced.iter().cloned();
    let (files, others) = replaced.partition(|(_, state)| state.is_regular());
    [
        (changes.new.clone(), &ALL),
        (files, &no_writes),
        (others, &no_modify),
    ]
}

impl Telling<'_> {
    /// Makes what telling a directory's changes takes beside it. To make a file may take long, and who restarts at the first
    /// event is to hear the last one before it watches again.
    pub fn prepare(&mut self, watches: &[usize], path: &[u8], changes: &Changes) {
        if !changes.gone.is_empty() && self.hearing.anybody(watches, MOVED_FROM, &no_delete) {
            // Why it cannot be made is told with what is not told then.
            let _ = self.asides.place(path, 0);
        }
        let mut held = Vec::new();
        if self.hearing.anybody(watches, MOVED_FROM, &ALL) {
            let others = self.hearing.some_of(&changes.others, watches, MOVED_FROM);
            held.extend(others.into_iter().map(|other| other.name));
        }
        for (list, only) in announced(changes) {
            if self.hearing.anybody(watches, MOVED_TO, only) {
                let news = self.hearing.some_of(&list, watches, MOVED_TO);
                held.extend(news.into_iter().map(|(name, _)| name));
            }
        }
        for name in held {
            if let Ok((_, number)) = self.hold_place(path, &name) {
                self.held.insert((path.to_owned(), name), number);
            }
        }
    }

    /// A place beside a directory for an entry of it, and the number of the place holder there.
    pub fn hold_place(&mut self, path: &[u8], name: &[u8]) -> io::Result<(Aside, String)> {
        let held = self.held.remove(&(path.to_owned(), name.to_owned()));
        let (aside, first) = self.asides.place(path, usize::from(held.is_none()))?;
        if let Some(number) = held {
            return Ok((aside, number));
        }
        let number = first.to_string();
        make_place_holder(aside.fd().as_fd(), &number, &aside.way(path, &number))?;
        Ok((aside, number))
    }

    /// Tells all: ends before news, news before writes. Returns new names that had gone again before they were told.
    pub fn tell(&mut self, who: &Who, of: Of<'_>, changes: &Changes) -> HashSet<Vec<u8>> {
        let mut unannounced = HashSet::new();
        if let Of::Dir(path, dir) = of {
            self.tell_gone(&who.dir, path, dir, changes);
            unannounced = self.tell_new(&who.dir, path, dir, changes);
        }
        self.tell_writes(who, of, changes, &unannounced);
        self.tell_attributes(who, of, changes);
        let Changes {
            new,
            replaced,
            written,
            attributes,
            ..
        } = changes;
        for (name, before) in [new, replaced, written, attributes].into_iter().flatten() {
            // One that has gone meanwhile has no time of a change.
            if let Ok(now) = of.at(name).state() {
                self.own.note(before, &now);
                unannounced.remove(name);
            }
        }
        // What was something else before had been heard of.
        let files = new.iter().filter(|(_, state)| !state.is_dir());
        let names = files.map(|(name, _)| name.clone());
        names.filter(|name| unannounced.contains(name)).collect()
    }

    /// [`Hearing::phase`] for each of a list; nothing where there is none.
    fn each<T>(
        &mut self,
        watches: &[usize],
        (event, only): (u32, Only<'_>),
        list: &[T],
        mut act: impl FnMut(&mut Told, &T),
    ) {
        if !list.is_empty() {
            self.hearing
                .phase(watches, event, only, &mut self.told, |told| {
                    list.iter().for_each(|one| act(told, one));
                });
        }
    }

    /// [`Hearing::phase`] for what has to be done whether anybody hears it or not.
    pub fn back(
        &mut self,
        watches: &[usize],
        (event, only): (u32, Only<'_>),
        act: impl FnOnce(&mut Told),
    ) {
        let mut act = Some(act);
        let once = |told: &mut Told| {
            if let Some(act) = act.take() {
                act(told);
            }
        };
        self.hearing
            .phase(watches, event, only, &mut self.told, once);
        if let Some(act) = act {
            act(&mut self.told);
        }
    }

    pub fn aside(&mut self, path: &[u8], count: usize) -> Option<(Aside, usize)> {
        let place = self.asides.place(path, count);
        place.map_err(|e| self.told.failed(path, b"", &e)).ok()
    }

    fn tell_gone(
        &mut self,
        watches: &[usize],
        path: &[u8],
        dir: BorrowedFd<'_>,
        changes: &Changes,
    ) {
        let gone = self
            .hearing
            .some_of(&changes.gone, watches, DELETE | MOVED_FROM);
        self.each(watches, (DELETE, &ALL), &gone, |told, (name, is_dir)| {
            let done = made_and_removed(dir, name, *is_dir);
            told.done(path, name, done, |told| &mut told.gone);
        });
        if gone.is_empty() || !self.hearing.anybody(watches, MOVED_FROM, &no_delete) {
            return;
        }
        let Some((aside, first)) = self.aside(path, gone.len()) else {
            return;
        };
        let mut there = Vec::new();
        for (at, (name, is_dir)) in gone.iter().enumerate() {
            let number = (first + at).to_string();
            match put_in((dir, name), (aside.fd().as_fd(), &number), *is_dir) {
                Ok(()) => there.push((name, number, *is_dir)),
                Err(e) => self.told.failed(path, name, &e),
            }
        }
        if there.is_empty() {
            return;
        }
        self.back(watches, (MOVED_FROM, &no_delete), |told| {
            for (name, number, is_dir) in there {
                let done = take_out((dir, name), (aside.fd().as_fd(), &number), is_dir);
                told.done(path, name, done, |told| &mut told.gone);
            }
        });
    }

    /// New names come back from aside. Returns those that could not be moved: where a file system exchanges nothing, or they are somebody else's.
    fn tell_new(
        &mut self,
        watches: &[usize],
        path: &[u8],
        dir: BorrowedFd<'_>,
        changes: &Changes,
    ) -> HashSet<Vec<u8>> {
        let mut unannounced = HashSet::new();
        let unheard = |mask: u32| mask & CREATE != 0 && mask & MOVED_TO == 0;
        if self.hearing.anybody(watches, CREATE, &unheard) {
            self.told.only_create += changes.new.len();
        }
        for (list, only) in announced(changes) {
            if !self.hearing.anybody(watches, MOVED_TO, only) {
                continue;
            }
            // One after the other: who was woken by the one before finds the next in its place nearly all the time.
            for (name, _) in self.hearing.some_of(&list, watches, MOVED_TO) {
                let (aside, number) = match self.hold_place(path, &name) {
                    Ok(place) => place,
                    Err(e) => {
                        if unannounced.is_empty() {
                            self.told.failed(path, b"", &e);
                        }
                        self.told.not_announced += 1;
                        unannounced.insert(name);
                        continue;
                    }
                };
                let to = (watches, (MOVED_TO, only));
                if !self.there_and_back(to, (path, dir, &name), (&aside, &number), |told| {
                    &mut told.new
                }) {
                    unannounced.insert(name);
                }
            }
        }
        unannounced
    }

    /// Lets an entry change places with its place holder, and tells its return. False if it could not go.
    pub fn there_and_back(
        &mut self,
        (watches, event): (&[usize], (u32, Only<'_>)),
        (path, dir, name): (&[u8], BorrowedFd<'_>, &[u8]),
        (aside, number): (&Aside, &str),
        count: fn(&mut Told) -> &mut usize,
    ) -> bool {
        let beside = aside.fd();
        let (entry, place) = ((dir, name), (beside.as_fd(), number));
        if let Err(e) = lend(entry, place) {
            self.told.failed(path, name, &e);
            return false;
        }
        let way = aside.way(path, number);
        self.back(watches, event, |told| {
            told.done(path, name, give_back(entry, place, &way), count);
        });
        true
    }

    fn tell_writes(
        &mut self,
        who: &Who,
        of: Of<'_>,
        changes: &Changes,
        unannounced: &HashSet<Vec<u8>>,
    ) {
        let path = of.path();
        let files = changes.new.iter().filter(|(_, state)| !state.is_dir());
        let (unknown, new): (Vec<_>, Vec<_>) = files
            .cloned()
            .partition(|(name, _)| unannounced.contains(name));
        let all = [&changes.written[..], &changes.replaced[..], &unknown[..]].concat();
        // A new file was announced to who hears of new names.
        let no_names = |mask: u32| mask & MOVED_TO == 0;
        let everybody = [&who.dir[..], &who.written[..]].concat();
        for (list, only, watches) in [
            (all, &ALL as Only<'_>, &everybody),
            (new, &no_names, &who.dir),
        ] {
            let list = self.hearing.some_of(&list, watches, MODIFY | CLOSE_WRITE);
            let mut unowned = HashSet::new();
            self.each(watches, (MODIFY, only), &list, |told, (name, _)| {
                let done = of.at(name).modify();
                if done.is_err() {
                    unowned.insert(name.clone());
                }
                told.done(path, name, done, |told| &mut told.written);
            });
            // A program that is being run cannot be opened; who hears MODIFY knows already.
            let opened = |(name, state): &&Entry| !state.is_executable() || unowned.contains(name);
            let opened: Vec<_> = list.iter().filter(opened).cloned().collect();
            let both = |mask: u32| only(mask) && mask & MODIFY != 0;
            let just = |mask: u32| only(mask) && mask & MODIFY == 0;
            let regular: Vec<_> = list
                .iter()
                .filter(|(_, state)| state.is_regular())
                .cloned()
                .collect();
            for (list, only) in [(&opened, &both as Only<'_>), (&regular, &just)] {
                self.each(watches, (CLOSE_WRITE, only), list, |told, (name, _)| {
                    let done = of.at(name).close_write();
                    told.done(path, name, done, |told| &mut told.closed);
                });
            }
        }
    }

    fn tell_attributes(&mut self, who: &Who, of: Of<'_>, changes: &Changes) {
        let watches = [&who.dir[..], &who.attributes[..]].concat();
        let list = self.hearing.some_of(&changes.attributes, &watches, ATTRIB);
        self.each(&watches, (ATTRIB, &ALL), &list, |told, (name, _)| {
            let done = of.at(name).attrib();
            told.done(of.path(), name, done, |told| &mut told.attributes);
        });
    }
}
