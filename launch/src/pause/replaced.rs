//! Directories that took the place of others, as a deploy puts them: that the old ones are gone, told.
//!
//! ```text
//! mask MOVED_FROM   the new one goes aside, in exchange for a symbolic link that leads there
//! mute              it comes back
//! ```
//!
//! So its name leads to it all the time. To remove and make it would raise DELETE, and others would miss it. What is no
//! directory any more is one for a moment, so that the event says so.

use super::changes::{Changes, Other};
use super::hearing::{ALL, Only};
use super::operations::{give_back, lend, make_stand_in, remove_entry};
use super::resume::{Resume, leave_as_found};
use super::state::Inode;
use super::tell::Telling;
use rules::event::MOVED_FROM;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

impl Resume<'_> {
    /// Tells of entries that are others that the old ones are gone, if that was not told yet.
    pub fn tell_replaced(&mut self, inode: Inode, changes: &mut [(usize, Changes)]) {
        for (at, changes) in changes {
            let others = std::mem::take(&mut changes.others);
            let known = self.known.get(&inode).filter(|_| !others.is_empty());
            let Some(known) = known else {
                continue;
            };
            let (path, fd) = (known.path.clone(), known.fd.clone());
            let Some(as_found) = self.as_found(&path, &fd) else {
                continue;
            };
            let watches = self.watches_of(inode, *at);
            self.telling
                .tell_replaced_in(&watches, &path, fd.as_fd(), &others);
            leave_as_found(&fd, &as_found);
        }
    }
}

impl Telling<'_> {
    fn tell_replaced_in(
        &mut self,
        watches: &[usize],
        path: &[u8],
        dir: BorrowedFd<'_>,
        others: &[Other],
    ) {
        if !self.hearing.anybody(watches, MOVED_FROM, &ALL) {
            return;
        }
        for other in self.hearing.some_of(others, watches, MOVED_FROM) {
            let name = &other.name[..];
            // Why there is no place for it is told with its news.
            let Ok((aside, number)) = self.hold_place(path, name) else {
                continue;
            };
            let beside = aside.fd();
            let (entry, place) = ((dir, name), (beside.as_fd(), &number[..]));
            let way = aside.way(path, &number);
            let heard = (MOVED_FROM, &ALL as Only<'_>);
            // What is heard to go is of the kind that was there.
            if other.was_dir && other.is_dir {
                let mut lent = Ok(());
                self.back(watches, heard, |told| {
                    lent = lend(entry, place);
                    told.gone += usize::from(lent.is_ok());
                });
                self.note(
                    path,
                    name,
                    lent.and_then(|()| give_back(entry, place, &way)),
                );
            } else if let Err(e) = lend(entry, place) {
                self.told.failed(path, name, &e);
            } else if other.is_dir {
                self.back(watches, heard, |told| {
                    told.done(path, name, give_back(entry, place, &way), |told| {
                        &mut told.gone
                    });
                });
            } else {
                self.tell_directory_gone(watches, path, entry);
                self.note(path, name, give_back(entry, place, &way));
            }
            self.held.insert((path.to_owned(), other.name), number);
        }
    }

    /// A directory stands at a name for a moment, and is heard to go.
    fn tell_directory_gone(
        &mut self,
        watches: &[usize],
        path: &[u8],
        entry: (BorrowedFd<'_>, &[u8]),
    ) {
        let Some((aside, number)) = self.aside(path, 1) else {
            return;
        };
        let (beside, number) = (aside.fd(), number.to_string());
        let place = (beside.as_fd(), &number[..]);
        let made = make_stand_in(beside.as_fd(), number.as_bytes(), true);
        let put = made.and_then(|()| lend(entry, place));
        if put.is_ok() {
            self.back(watches, (MOVED_FROM, &ALL), |told| {
                told.done(path, entry.1, lend(entry, place), |told| &mut told.gone);
            });
        }
        let removed = put.and_then(|()| remove_entry(beside.as_fd(), number.as_bytes(), true));
        self.note(path, entry.1, removed);
    }

    fn note(&mut self, path: &[u8], name: &[u8], done: io::Result<()>) {
        if let Err(e) = done {
            self.told.failed(path, name, &e);
        }
    }
}
