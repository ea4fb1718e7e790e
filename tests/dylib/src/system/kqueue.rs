//! kqueue over inotify, as xnu has it: no event for open, read and close; one bit for every change of attributes; a
//! directory's entries without a name (bsd/kern/kern_event.c, bsd/vfs/vfs_vnops.c, bsd/vfs/kpi_vfs.c).
//!
//! A call never waits: what inotify reports is there when the call that caused it returns. A test of a wait is
//! [`scripted`].

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, c_int};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::scripted::{self, Asked};

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kevent {
    pub ident: u64,
    pub filter: i16,
    pub flags: u16,
    pub fflags: u32,
    pub data: i64,
    pub udata: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kevent64 {
    pub base: Kevent,
    pub ext: [u64; 2],
}

pub const VNODE: i16 = -4;
pub const READ: i16 = -1;

pub const ADD: u16 = 0x1;
pub const DELETE: u16 = 0x2;
pub const ENABLE: u16 = 0x4;
pub const DISABLE: u16 = 0x8;
pub const ONESHOT: u16 = 0x10;
pub const CLEAR: u16 = 0x20;
pub const RECEIPT: u16 = 0x40;
pub const DISPATCH: u16 = 0x80;
pub const UDATA_SPECIFIC: u16 = 0x100;
pub const ERROR: u16 = 0x4000;

pub const N_DELETE: u32 = 0x1;
pub const N_WRITE: u32 = 0x2;
pub const N_EXTEND: u32 = 0x4;
pub const N_ATTRIB: u32 = 0x8;
pub const N_LINK: u32 = 0x10;
pub const N_RENAME: u32 = 0x20;
pub const N_REVOKE: u32 = 0x40;

/// kevent64 does not wait with this flag.
pub const IMMEDIATE: u32 = 0x1;

const ENTRIES: u32 = libc::IN_CREATE | libc::IN_DELETE | libc::IN_MOVED_FROM | libc::IN_MOVED_TO;
const WATCHED: u32 =
    libc::IN_MODIFY | libc::IN_ATTRIB | libc::IN_DELETE_SELF | libc::IN_MOVE_SELF | ENTRIES;

pub fn resolve(name: &str) -> Option<usize> {
    match name {
        "_kevent" => Some(kevent as *const () as usize),
        "_kevent64" => Some(kevent64 as *const () as usize),
        _ => None,
    }
}

struct Note {
    asked: Kevent,
    wd: c_int,
    size: i64,
    pending: u32,
    enabled: bool,
}

/// Notes of one descriptor and filter, and of one udata where they are told apart by it.
type Key = (u64, i16, Option<u64>);

#[derive(Default)]
struct Queue {
    notes: BTreeMap<Key, Note>,
    /// The call it is used by: a kqueue is kevent's or kevent64's.
    wide: Option<bool>,
}

thread_local!(static QUEUES: RefCell<HashMap<c_int, Queue>> = RefCell::default());

/// kqueue(2).
pub fn kqueue() -> c_int {
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
    assert!(fd >= 0, "{}", std::io::Error::last_os_error());
    QUEUES.with_borrow_mut(|all| all.insert(fd, Queue::default()));
    fd
}

pub fn close(kq: c_int) {
    QUEUES.with_borrow_mut(|all| all.remove(&kq));
    // SAFETY: the test's own descriptor.
    unsafe { libc::close(kq) };
}

fn stat(fd: u64) -> Option<libc::stat> {
    // SAFETY: a stat may be zero, and is filled in.
    unsafe {
        let mut stat = std::mem::zeroed();
        (libc::fstat(fd as c_int, &mut stat) == 0).then_some(stat)
    }
}

impl Queue {
    fn change(&mut self, kq: c_int, change: &Kevent) -> Result<(), c_int> {
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
    fn collect(&mut self, kq: c_int) {
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
                let size = stat.as_ref().map_or(0, |stat| stat.st_size);
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

    fn events(&mut self, room: usize) -> Vec<Kevent> {
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

fn call(
    kq: c_int,
    changes: &[Kevent],
    room: usize,
    timeout: Option<u64>,
    wide: bool,
) -> Result<Vec<Kevent>, c_int> {
    let asked = Asked {
        changes: changes.to_vec(),
        timeout,
    };
    if let Some(answer) = scripted::next(asked) {
        return answer;
    }
    QUEUES.with_borrow_mut(|queues| {
        let queue = queues.get_mut(&kq).ok_or(libc::EBADF)?;
        if *queue.wide.get_or_insert(wide) != wide {
            return Err(libc::EINVAL);
        }
        // Before a note is placed it hears nothing.
        queue.collect(kq);
        let mut events = vec![];
        for change in changes {
            let made = queue.change(kq, change);
            let receipt = change.flags & RECEIPT != 0;
            match made {
                Err(error) if events.len() == room => return Err(error),
                Ok(()) if !receipt => {}
                _ if events.len() == room => {}
                _ => events.push(Kevent {
                    flags: change.flags | ERROR,
                    data: made.err().unwrap_or(0).into(),
                    ..*change
                }),
            }
        }
        if !events.is_empty() || room == 0 {
            return Ok(events);
        }
        let events = queue.events(room);
        assert!(
            !events.is_empty() || timeout.is_some(),
            "it would wait for ever"
        );
        Ok(events)
    })
}

/// The kernel copies the list, and answers EFAULT where it cannot: so does a write of it to a file in memory.
unsafe fn copied<E: Copy>(at: *const E, n: c_int) -> Result<Vec<E>, c_int> {
    let n = usize::try_from(n).unwrap_or(0);
    let size = n * size_of::<E>();
    if size == 0 {
        return Ok(vec![]);
    }
    // SAFETY: a new descriptor.
    let file = unsafe { OwnedFd::from_raw_fd(libc::memfd_create(c"list".as_ptr(), 0)) };
    // SAFETY: the kernel checks the pointer.
    let written = unsafe { libc::write(file.as_raw_fd(), at.cast(), size) };
    if written != size as isize {
        return Err(libc::EFAULT);
    }
    // SAFETY: all of it can be read.
    Ok((0..n)
        .map(|i| unsafe { at.add(i).read_unaligned() })
        .collect())
}

fn nanoseconds(timeout: &libc::timespec) -> u64 {
    timeout.tv_sec as u64 * 1_000_000_000 + timeout.tv_nsec as u64
}

/// A call's answer. What is called for it leaves errno as it was.
fn answer(call: impl FnOnce() -> Result<usize, c_int>) -> c_int {
    // SAFETY: errno's place.
    let errno = unsafe { &mut *libc::__errno_location() };
    let before = *errno;
    let (answer, after) = match call() {
        Ok(n) => (n as c_int, before),
        Err(error) => (-1, error),
    };
    *errno = after;
    answer
}

/// kevent(2).
///
/// # Safety
/// As kevent(2).
pub unsafe extern "C" fn kevent(
    kq: c_int,
    changes: *const Kevent,
    n: c_int,
    events: *mut Kevent,
    room: c_int,
    timeout: *const libc::timespec,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        answer(|| {
            let end = copied(timeout, c_int::from(!timeout.is_null()))?;
            let changes = copied(changes, n)?;
            let found = call(
                kq,
                &changes,
                room as usize,
                end.first().map(nanoseconds),
                false,
            )?;
            found
                .iter()
                .enumerate()
                .for_each(|(i, event)| *events.add(i) = *event);
            Ok(found.len())
        })
    }
}

/// kevent64(2).
///
/// # Safety
/// As kevent64(2).
pub unsafe extern "C" fn kevent64(
    kq: c_int,
    changes: *const Kevent64,
    n: c_int,
    events: *mut Kevent64,
    room: c_int,
    flags: u32,
    timeout: *const libc::timespec,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        answer(|| {
            let end = copied(timeout, c_int::from(!timeout.is_null()))?;
            let changes: Vec<Kevent> = copied(changes, n)?
                .iter()
                .map(|change| change.base)
                .collect();
            let end = end
                .first()
                .map(nanoseconds)
                .or((flags & IMMEDIATE != 0).then_some(0));
            let found = call(kq, &changes, room as usize, end, true)?;
            for (i, event) in found.iter().enumerate() {
                *events.add(i) = Kevent64 {
                    base: *event,
                    ext: [0; 2],
                };
            }
            Ok(found.len())
        })
    }
}
