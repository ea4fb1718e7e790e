//! The budget of watches: what counts, and what a program gets past it.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rules::budget::{Admission, Booking, Budget, INVENTED};
use rules::event::{MASK_CREATE, ONLYDIR};

use crate::config::{self, Config};
use crate::fds::{END, Fds};
use crate::{log, look, next, sys};

/// Instances with watches that are remembered. Nothing tells when one is closed.
static HOLDERS: Fds = Fds::new();

/// The budget was used up once, and that has been logged.
static USED_UP: AtomicBool = AtomicBool::new(false);

/// Whether the kernel is asked for a watch, and whether it counts; else the answer the program gets.
#[cold]
#[inline(never)]
pub fn admit(
    config: &Config,
    budget: &Budget<'_>,
    fd: c_int,
    path: &CStr,
    mask: u32,
) -> Result<Option<Booking>, c_int> {
    // What cannot be looked at is left to the kernel's errno.
    let Some(file) = look::at(path, mask) else {
        return Ok(None);
    };
    let answer = match sys::fstat(file) {
        Some(stat) => decide(config, budget, fd, path, mask, file, stat),
        None => Ok(None),
    };
    sys::close(file);
    answer
}

fn decide(
    config: &Config,
    budget: &Budget<'_>,
    fd: c_int,
    path: &CStr,
    mask: u32,
    file: c_int,
    (mode, device, inode): (u32, u64, u64),
) -> Result<Option<Booking>, c_int> {
    let mut admission = budget.admit(fd, device, inode);
    if admission == Admission::Over {
        forget_closed(budget);
        admission = budget.admit(fd, device, inode);
    }
    if let Admission::Ask(booking) = admission {
        return Ok(Some(booking));
    }
    // The kernel is asked for what it will refuse: the errno is its own.
    let directory = mode & libc::S_IFMT == libc::S_IFDIR;
    if mask & ONLYDIR != 0 && !directory || !sys::may_read(file) || !sys::takes_watch(fd, mask) {
        return Ok(None);
    }
    Err(match admission {
        Admission::Known(_) if mask & MASK_CREATE != 0 => next::fail(libc::EEXIST),
        Admission::Known(wd) => wd,
        _ => {
            HOLDERS.insert(fd);
            if !USED_UP.swap(true, Relaxed) && log::wanted(config) {
                report(config, budget, path);
            }
            budget.invent(fd, device, inode)
        }
    })
}

/// A descriptor that is not an inotify instance any more has given its watches back.
fn forget_closed(budget: &Budget<'_>) {
    HOLDERS.each(|fd| {
        if !sys::is_inotify(fd) {
            made(budget, fd);
        }
    });
}

fn report(config: &Config, budget: &Budget<'_>, path: &CStr) {
    let mut buf: log::Buffer = [0; 1024];
    let mut line = log::begin(&mut buf);
    line.text(b"all ").number(budget.max());
    line.text(b" watches of WATCHFIX_MAX_WATCHES are used up: from ");
    line.quoted(path.to_bytes());
    line.text(b" on a new watch never fires");
    log::end(config, &mut line);
}

/// Notes what the kernel answered.
#[cold]
#[inline(never)]
pub fn answered(budget: &Budget<'_>, booking: Booking, fd: c_int, wd: c_int) {
    HOLDERS.insert(fd);
    budget.answered(booking, fd, (wd > 0).then_some(wd));
}

/// A new instance, or none any more: what had its number before is gone.
pub fn made(budget: &Budget<'_>, fd: c_int) {
    if HOLDERS.remove(fd) || fd >= END {
        budget.forget(fd);
    }
}

/// inotify_rm_watch(2), where `kernel` asks the kernel.
pub fn remove(fd: c_int, wd: c_int, kernel: impl FnOnce() -> c_int) -> c_int {
    let Some(budget) = &config::get().budget else {
        return kernel();
    };
    if wd >= INVENTED {
        return if budget.remove(fd, wd) { 0 } else { kernel() };
    }
    let errno = next::Errno::save();
    let answer = kernel();
    if answer == 0 {
        budget.remove(fd, wd);
    } else if USED_UP.load(Relaxed) && wd > 0 && sys::is_inotify(fd) {
        // The watch went with its directory. @parcel/watcher learns that from the directory above alone, whose
        // watch may be an invented one, and it throws when a removal fails.
        errno.restore();
        return 0;
    }
    answer
}
