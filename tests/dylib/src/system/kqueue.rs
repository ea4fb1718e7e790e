//! kqueue(2), kevent(2) and kevent64(2).
//!
//! A call never waits: what inotify reports is there when the call that caused it returns. A test of a wait is
//! [`scripted`].

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_int;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

pub use super::event::*;
use super::queue::Queue;
use super::scripted::{self, Asked};

pub fn resolve(name: &str) -> Option<usize> {
    match name {
        "_kevent" => Some(kevent as *const () as usize),
        "_kevent64" => Some(kevent64 as *const () as usize),
        _ => None,
    }
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
