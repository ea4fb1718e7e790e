//! Where a watch stands: what it is on, and the path it was placed by. It is remembered where its files have to be asked
//! on reading.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rules::attrib::{self, Identity, Look};
use rules::event::{ATTRIB, DONT_FOLLOW, ONESHOT};
use rules::record::Record;
use rules::watch::Asked;

use crate::config::Config;
use crate::memory::{self, Place};
use crate::{mounts, sandbox, sys};

/// Room on the stack for a path that has to be put together. A longer one is not asked: stacks of 4 KiB are in use
/// (coroutines, signal handlers).
const PATH: usize = 1280;

/// What a path leads to before a watch is placed. A look afterwards would be too late: a file that is replaced in
/// between would pass for the watched one.
pub struct Before(Option<Seen>);

#[derive(Clone, Copy)]
struct Seen {
    identity: Identity,
    directory: bool,
    /// The time as a word, for a watch that settles.
    at: u64,
}

/// Looks at what is about to be watched with `mask`, if its files will have to be asked.
#[inline]
pub fn before(config: &Config, path: &CStr, mask: u32, asked: Asked) -> Before {
    let attributes = mask & ATTRIB != 0 && config.rules.chmod;
    match attributes || asked.settled() {
        true => Before(look(path, mask, asked)),
        false => Before(None),
    }
}

/// A one-shot watch ends with its record: it is never judged, so that the program gets the record.
#[inline(never)]
fn look(path: &CStr, mask: u32, asked: Asked) -> Option<Seen> {
    if mask & ONESHOT != 0 || sandbox::entered() {
        return None;
    }
    let at = match asked.settled() {
        true => sys::to_word(sys::now()),
        false => 0,
    };
    let (identity, directory) = sys::identity(path, nofollow(mask))?;
    answers(identity.device).then_some(Seen {
        identity,
        directory,
        at,
    })
}

impl Before {
    /// True if no file will have to be asked.
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

fn at(path: &[u8], mask: u32, seen: Seen) -> Place<'_> {
    Place {
        identity: seen.identity,
        placed: seen.at,
        path,
        nofollow: nofollow(mask),
        directory: seen.directory,
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

/// The file a record is about, and when its watch was placed, as a word; `None` where nothing can be learnt about it.
#[cold]
#[inline(never)]
pub fn file(fd: c_int, record: &Record<'_>) -> Option<(Look, u64)> {
    if sandbox::entered() {
        return None;
    }
    let watch = memory::find(fd, record.wd)?;
    let (watched, placed, path) = watch.place()?;
    // SAFETY: the path lies in memory that is never unmapped.
    let own = unsafe { sys::look(path, watch.nofollow()) };
    let entry = || {
        let mut buf = [0; PATH];
        let path = watch.entry(record.name, &mut buf)?;
        // SAFETY: the path is NUL-terminated.
        unsafe { sys::look(path.as_ptr(), true) }
    };
    let file = attrib::file(watched, own, (!record.name.is_empty()).then_some(entry))?;
    // What was seen may have been by another's path.
    watch.holds().then_some((file, placed))
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
