//! What was read, on its way to the program.

use core::ffi::{c_int, c_void};

use rules::event::IGNORED;
use rules::record::{self, HEADER, Record, Verdict, Watches};
use rules::watch::Asked;

use crate::config::{self, Config};
use crate::{attrib, log, memory, sandbox, watch, written};

/// Judges what a read of `fd` put into a buffer of `size` bytes; returns what the program is told.
///
/// # Safety
/// `buf` and `size` are what the program passed to a read that returned `filled`.
#[inline(always)]
pub unsafe fn filter(fd: c_int, buf: *mut c_void, size: usize, filled: isize) -> isize {
    // SAFETY: the kernel filled this much of `buf`.
    if filled < HEADER as isize || !unsafe { looks_like_records(buf) } {
        return filled;
    }
    // SAFETY: the caller's own promise.
    unsafe { one(fd, buf, size, filled) }
}

/// # Safety
/// As [`filter`].
#[cold]
#[inline(never)]
unsafe extern "C" fn one(fd: c_int, buf: *mut c_void, size: usize, filled: isize) -> isize {
    let part = libc::iovec {
        iov_base: buf,
        iov_len: size,
    };
    // SAFETY: the caller's own promise.
    unsafe { records(fd, &[part], filled) }
}

/// As [`filter`], for the parts of a readv.
///
/// # Safety
/// `parts` and `count` are what the program passed to a readv that returned `filled`.
#[inline(always)]
pub unsafe fn filter_parts(
    fd: c_int,
    parts: *const libc::iovec,
    count: c_int,
    filled: isize,
) -> isize {
    if filled < HEADER as isize {
        return filled;
    }
    // SAFETY: the kernel accepted the array.
    let parts = unsafe { core::slice::from_raw_parts(parts, count.max(0) as usize) };
    match parts.iter().find(|part| part.iov_len > 0) {
        // An inotify instance refuses a part with no room for a record.
        // SAFETY: the kernel filled the first part that has room, or as much of it as it filled at all.
        Some(first) if first.iov_len >= HEADER && unsafe { looks_like_records(first.iov_base) } => {
            // SAFETY: the caller's own promise.
            unsafe { records(fd, parts, filled) }
        }
        _ => filled,
    }
}

/// The one comparison for everything that is not inotify: a record's mask has bits of these alone.
///
/// # Safety
/// At least [`HEADER`] bytes can be read.
#[inline(always)]
unsafe fn looks_like_records(buf: *const c_void) -> bool {
    // SAFETY: the caller's own promise.
    let mask = unsafe { buf.cast::<u32>().add(1).read_unaligned() };
    mask.wrapping_sub(1) & !0x4000_ffff == 0
}

/// # Safety
/// As [`filter_parts`].
#[cold]
#[inline(never)]
unsafe fn records(fd: c_int, parts: &[libc::iovec], filled: isize) -> isize {
    let config = config::get();
    let mut parts = parts.iter().filter(|part| part.iov_len > 0);
    let Some(mut part) = parts.next() else {
        return filled;
    };
    let mut left = filled as usize;
    // SAFETY: the kernel filled the first part as far as it or `left` goes.
    let head =
        unsafe { core::slice::from_raw_parts(part.iov_base.cast::<u8>(), left.min(part.iov_len)) };
    if Record::read(head).is_none() {
        return filled;
    }
    if config.rules.off || !sandbox::is_inotify(fd) {
        return filled;
    }
    let known = watch::known(fd);
    let watches = Instance(fd);
    let mut told = 0;
    loop {
        let here = left.min(part.iov_len);
        left -= here;
        // Nothing is written behind what the kernel has written, but for a settled write that is two records: then the
        // program's word that the memory is there counts.
        let size = match config.rules.settle.is_empty() {
            true => here,
            false => part.iov_len.min(isize::MAX as usize),
        };
        // SAFETY: the kernel has just written this, or the program gave it to be written to.
        let buf = unsafe { core::slice::from_raw_parts_mut(part.iov_base.cast::<u8>(), size) };
        let full = here == part.iov_len;
        let judge = |record: &Record<'_>| judge(config, &watches, record);
        let n = record::compact(buf, here, full, known, judge);
        told += n;
        // The kernel goes on to the next part only when this one is full, and so it still is.
        match parts.next() {
            Some(next) if left > 0 => part = next,
            _ => {
                if config.rules.chmod {
                    attrib::note_read(fd);
                }
                return told as isize;
            }
        }
    }
}

/// What is remembered of the watches of a descriptor.
struct Instance(c_int);

impl Watches for Instance {
    fn asked(&self, record: &Record<'_>) -> Asked {
        match config::get().rules.settle.is_empty() {
            true => Asked::NONE,
            false => memory::asked(self.0, record.wd),
        }
    }

    fn was_written(&self, record: &Record<'_>) -> bool {
        written::was_written(self.0, record)
    }

    fn is_change(&self, record: &Record<'_>) -> bool {
        attrib::kept(self.0, record)
    }
}

fn judge(config: &Config, watches: &Instance, record: &Record<'_>) -> Verdict {
    let fd = watches.0;
    let verdict = record::judge(&config.rules, watches, record);
    if record.mask & IGNORED != 0 {
        memory::forget(fd, record.wd);
        if let Some(budget) = &config.budget {
            budget.remove(fd, record.wd);
        }
    }
    if verdict != Verdict::Keep && log::wanted(config) {
        report(config, fd, record, verdict);
    }
    verdict
}

#[cold]
#[inline(never)]
fn report(config: &Config, fd: c_int, record: &Record<'_>, verdict: Verdict) {
    // The log's own file: removed without a word, which would be its next event.
    if let rules::rule::Log::File(path) = config.rules.log
        && path.rsplit(|&c| c == b'/').next() == Some(record.name)
    {
        return;
    }
    let mut buf: log::Buffer = [0; 1024];
    let mut line = log::begin(&mut buf);
    line.text(b"fd ").number(fd as u32);
    line.text(b" wd ").number(record.wd as u32).text(b": ");
    for (bit, name) in rules::event::EVENTS {
        if record.mask & bit != 0 {
            line.text(name.as_bytes()).text(b" ");
        }
    }
    line.quoted(record.name);
    line.text(match verdict {
        Verdict::As(_) | Verdict::After(_) => b" is modify: settled".as_slice(),
        Verdict::Remove | Verdict::Keep => b" removed",
    });
    log::end(config, &mut line);
}
