//! Attribute changes: a watch that asks for them is remembered, and its files are asked on reading.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rules::attrib::{Identity, Time, is_change};
use rules::event::{ATTRIB, DONT_FOLLOW, ONESHOT};
use rules::record::Record;

use crate::config::Config;
use crate::memory::{self, Place, Watch};
use crate::{mounts, sandbox, sys};

/// Room on the stack for a path that has to be put together. A longer one is not asked: stacks of 4 KiB are in use
/// (coroutines, signal handlers).
const PATH: usize = 1280;

/// What a path leads to before a watch is placed. A look afterwards would be too late: a file that is replaced in
/// between would pass for the watched one.
pub struct Before(Option<(Identity, bool)>);

/// Looks at what is about to be watched with `mask`, if its records will have to be judged.
#[inline]
pub fn before(config: &Config, path: &CStr, mask: u32) -> Before {
    if mask & ATTRIB == 0 || !config.rules.chmod || sandbox::entered() {
        return Before(None);
    }
    Before(look(path, mask))
}

/// A one-shot watch ends with its record: it is never judged, so that the program gets the record.
#[inline(never)]
fn look(path: &CStr, mask: u32) -> Option<(Identity, bool)> {
    if mask & ONESHOT != 0 {
        return None;
    }
    let seen = sys::identity(path, nofollow(mask))?;
    answers(seen.0.device).then_some(seen)
}

impl Before {
    /// True if no record will have to be judged.
    #[inline]
    pub fn nothing(&self) -> bool {
        self.0.is_none()
    }

    /// Calls `placed` with what is to be remembered of the watch, if anything is.
    pub fn with_place<T>(
        &self,
        path: &CStr,
        mask: u32,
        placed: impl FnOnce(Option<Place<'_>>) -> T,
    ) -> T {
        let Before(Some(seen)) = *self else {
            return placed(None);
        };
        let path = path.to_bytes();
        if path.starts_with(b"/") {
            return placed(Some(at(path, mask, seen)));
        }
        with_absolute(path, |path| placed(path.map(|path| at(path, mask, seen))))
    }
}

fn at(path: &[u8], mask: u32, (identity, directory): (Identity, bool)) -> Place<'_> {
    Place {
        identity,
        path,
        nofollow: nofollow(mask),
        directory,
    }
}

/// On its own, so that only a relative path takes so much of the stack.
#[inline(never)]
fn with_absolute<T>(path: &[u8], then: impl FnOnce(Option<&[u8]>) -> T) -> T {
    let mut buf = [0; PATH];
    then(absolute(path, &mut buf))
}

/// A path below the working directory; `None` if it does not fit.
fn absolute<'b>(path: &[u8], buf: &'b mut [u8]) -> Option<&'b [u8]> {
    let directory = sys::working_directory(buf)?.len();
    let end = directory + 1 + path.len();
    let mut rest = buf.get_mut(directory..end)?.iter_mut();
    for (to, from) in rest.by_ref().zip(b"/".iter().chain(path)) {
        *to = *from;
    }
    buf.get(..end)
}

/// True if a record's ATTRIB is to be kept.
#[cold]
#[inline(never)]
pub fn kept(fd: c_int, record: &Record<'_>) -> bool {
    if sandbox::entered() {
        return true;
    }
    let Some(watch) = memory::find(fd, record.wd) else {
        return true;
    };
    let kept = ask(&watch, record.name, last_read(fd));
    // What was seen may have been by another's path.
    kept || !watch.holds()
}

/// When each descriptor was last read, or made, in nanoseconds; those from the end on share with lower ones.
static READ: [AtomicU64; 4096] = [const { AtomicU64::new(0) }; 4096];

const SECOND: u64 = 1_000_000_000;

/// Notes that everything up to now has been read.
pub fn note_read(fd: c_int) {
    if let Some(read) = READ.get(fd as usize % READ.len())
        && !sandbox::entered()
    {
        let (seconds, nanoseconds) = sys::now();
        let now = (seconds as u64).wrapping_mul(SECOND);
        read.store(now.wrapping_add(nanoseconds as u64), Relaxed);
    }
}

fn last_read(fd: c_int) -> Time {
    let read = READ
        .get(fd as usize % READ.len())
        .map_or(0, |read| read.load(Relaxed));
    ((read / SECOND) as i64, (read % SECOND) as i64)
}

fn ask(watch: &Watch<'_>, name: &[u8], read: Time) -> bool {
    let Some((watched, path)) = watch.place() else {
        return true;
    };
    // SAFETY: the path lies in memory that is never unmapped.
    let own = unsafe { sys::look(path, watch.nofollow()) };
    let entry = || {
        let mut buf = [0; PATH];
        let path = watch.entry(name, &mut buf)?;
        // SAFETY: the path is NUL-terminated.
        unsafe { sys::look(path.as_ptr(), true) }
    };
    is_change(watched, read, own, (!name.is_empty()).then_some(entry))
}

fn nofollow(mask: u32) -> bool {
    mask & DONT_FOLLOW != 0
}

/// False if the file system of this device may not answer, or is not known.
fn answers(device: u64) -> bool {
    // Only a file system without a block device has a server behind it.
    if libc::major(device) != 0 {
        return true;
    }
    /// The devices asked for last, each with its answer in the lowest bit. Device 0 is none.
    static ASKED: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];
    let Some(asked) = ASKED.get(device as usize % ASKED.len()) else {
        return false;
    };
    let known = asked.load(Relaxed);
    if known >> 1 == device {
        return known & 1 != 0;
    }
    let answers = mounts::has_server(device) == Some(false);
    asked.store(device << 1 | u64::from(answers), Relaxed);
    answers
}
