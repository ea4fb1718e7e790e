//! The notes of a kqueue, and what has happened to their files: over inotify, as xnu has it. No event for open, read and
//! close; one bit for every change of attributes; a directory's entries without a name (bsd/kern/kern_event.c,
//! bsd/vfs/vfs_vnops.c, bsd/vfs/kpi_vfs.c).

use std::collections::BTreeMap;
use std::ffi::{CString, c_int};

use super::event::*;

const ENTRIES: u32 = libc::IN_CREATE | libc::IN_DELETE | libc::IN_MOVED_FROM | libc::IN_MOVED_TO;
const WATCHED: u32 =
    libc::IN_MODIFY | libc::IN_ATTRIB | libc::IN_DELETE_SELF | libc::IN_MOVE_SELF | ENTRIES;

struct Note {
    asked: Kevent,
    wd: c_int,
    size: i64,
    pending: u32,
    enabled: bool,
}

/// Notes of one descriptor and filter, and of one udata where they are told apart by it.
type Key = (u64, i16, Option<u64>);

/// What a kqueue holds.
#[derive(Default)]
pub struct Queue {
    notes: BTreeMap<Key, Note>,
    /// The call it is used by: a kqueue is kevent's or kevent64's.
    pub wide: Option<bool>,
}

fn stat(fd: u64) -> Option<libc::stat> {
    // SAFETY: a stat may be zero, and is filled in.
    unsafe {
        let mut stat = std::mem::zeroed();
        (libc::fstat(fd as c_int, &mut stat) == 0).then_some(stat)
    }
}

impl Queue {
    pub fn change(&mut self, kq: c_int, change: &Kevent) -> Result<(), c_int> {
        let by_udata = change.flags & UDATA_SPECIFIC != 0;
        let key = (
            change.ident,
            change.filter,
            by_udata.then_some(change.udata),
        );
        if change.flags & DELETE != 0 {
            let note = self.notes.remove(&key).ok_or(libc::ENOENT)?;
            self.unwatch(kq, note.wd);
            return Ok(());
        }
        if let Some(note) = self.notes.get_mut(&key) {
            // filt_vntouch
            note.asked.fflags = change.fflags;
            note.asked.udata = change.udata;
            if change.flags & ENABLE != 0 {
                note.enabled = true;
            }
            if change.flags & DISABLE != 0 {
                note.enabled = false;
            }
            return Ok(());
        }
        if change.flags & ADD == 0 {
            return Err(libc::ENOENT);
        }
        let stat = stat(change.ident).ok_or(libc::EBADF)?;
        let mut wd = -1;
        if change.filter == VNODE {
            let path = CString::new(format!("/proc/self/fd/{}", change.ident)).unwrap();
            // SAFETY: a path that ends with a NUL.
            wd = unsafe { libc::inotify_add_watch(kq, path.as_ptr(), WATCHED) };
            assert!(wd >= 0);
        }
        let note = Note {
            asked: *change,
            wd,
            size: stat.st_size,
            pending: 0,
            enabled: change.flags & DISABLE == 0,
        };
        self.notes.insert(key, note);
        Ok(())
    }

    /// inotify has one watch for a file, however many notes there are on it.
    fn unwatch(&self, kq: c_int, wd: c_int) {
        if wd >= 0 && !self.notes.values().any(|note| note.wd == wd) {
            // SAFETY: no memory is involved.
            unsafe { libc::inotify_rm_watch(kq, wd) };
        }
    }

    /// Takes up what has happened.
    pub fn collect(&mut self, kq: c_int) {
        let mut buffer = [0u8; 8192];
        loop {
            // SAFETY: the buffer is there.
            let n = unsafe { libc::read(kq, buffer.as_mut_ptr().cast(), buffer.len()) };
            let Ok(n @ 1..) = usize::try_from(n) else {
                return;
            };
            let mut at = 0;
            while at < n {
                let word =
                    |i: usize| u32::from_ne_bytes(buffer[at + i..at + i + 4].try_into().unwrap());
                self.happened(word(0) as c_int, word(4));
                at += 16 + word(12) as usize;
            }
        }
    }

    fn happened(&mut self, wd: c_int, mask: u32) {
        for (key, note) in self.notes.iter_mut().filter(|(_, note)| note.wd == wd) {
            let stat = stat(key.0);
            let mut hint = 0;
            if mask & libc::IN_MODIFY != 0 {
                // A directory is not told that it has grown, as it has on a tmpfs.
                let file = stat.filter(|stat| stat.st_mode & libc::S_IFMT != libc::S_IFDIR);
                let size = file.map_or(0, |stat| stat.st_size);
                hint |= N_WRITE | if size > note.size { N_EXTEND } else { 0 };
                note.size = size;
            }
            if mask & libc::IN_ATTRIB != 0 {
                // That is all inotify says of a file that is unlinked while it is open.
                let gone = stat.is_some_and(|stat| stat.st_nlink == 0);
                hint |= if gone { N_DELETE | N_LINK } else { N_ATTRIB };
            }
            let others = [
                (libc::IN_DELETE_SELF, N_DELETE),
                (libc::IN_MOVE_SELF, N_RENAME),
                (ENTRIES, N_WRITE),
            ];
            let found = others.iter().filter(|(events, _)| mask & events != 0);
            hint = found.fold(hint, |all, (_, notes)| all | notes);
            // filt_vnode_common: the whole hint, where any of it is asked for.
            if note.asked.fflags & hint != 0 {
                note.pending |= hint;
            }
        }
    }

    pub fn events(&mut self, room: usize) -> Vec<Kevent> {
        let (mut events, mut gone) = (vec![], vec![]);
        for (key, note) in &mut self.notes {
            if key.1 == READ {
                let mut poll = libc::pollfd {
                    fd: key.0 as c_int,
                    events: libc::POLLIN,
                    revents: 0,
                };
                // SAFETY: one pollfd.
                note.pending = u32::from(unsafe { libc::poll(&mut poll, 1, 0) } == 1);
            }
            if note.pending == 0 || !note.enabled || events.len() == room {
                continue;
            }
            let fflags = if key.1 == READ { 0 } else { note.pending };
            events.push(Kevent {
                fflags,
                ..note.asked
            });
            if note.asked.flags & CLEAR != 0 {
                note.pending = 0;
            }
            if note.asked.flags & ONESHOT != 0 {
                gone.push(*key);
            }
            if note.asked.flags & DISPATCH != 0 {
                note.enabled = false;
            }
        }
        for key in gone {
            // Its watch may stay: what it reports is nobody's.
            self.notes.remove(&key);
        }
        events
    }
}
