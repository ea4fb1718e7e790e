//! One read of an instance.

use super::super::log::Log;
use super::super::owners::Owner;
use super::super::pending::Pending;
use super::super::rights::Finder;
use super::super::tracee::{self, Buffer};
use super::instance::{Shared, now};
use super::look::Reader;
use super::registry::Reads;
use crate::sys::seccomp::{Answer, MOST};
use crate::sys::{inotify, lock};
use rules::event::{EVENTS, IGNORED, MODIFY};
use rules::record::{self, Record, Verdict};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

impl Reads<'_> {
    /// Makes the read that the thread asked for, judges what came and answers. Watches whose ignored files are written to too
    /// often settle then.
    ///
    /// # Errors
    /// The call has not been answered, and nothing has been read: it is the kernel's.
    pub fn read(
        &self,
        owner: &mut Owner,
        fd: i32,
        buffers: &[Buffer],
        pending: &Pending<'_>,
        finder: &Finder<'_>,
    ) -> io::Result<()> {
        let (copy, instance) = self.open(owner, fd)?;
        let [first, ..] = buffers else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if !lock(&instance).judged || !inotify::is_non_blocking(copy.as_fd()) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let source = (&instance, &copy);
        let turn = {
            let instance = lock(&instance);
            let is_held = instance.withheld.holds_any();
            is_held.then(|| Arc::clone(&instance.turn))
        };
        let _turn = turn.as_deref().map(lock);
        let before = lock(&instance).undelivered.next(room(first), copy.as_fd());
        if let Some(bytes) = before {
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(error) => return refuse(&error, pending),
            };
            let written = match tracee::fill(owner.thread(), buffers, &bytes) {
                true => bytes.len(),
                false => 0,
            };
            answer(source, bytes, written, pending);
            return Ok(());
        }
        let mut filled = Filled::default();
        for buffer in buffers {
            // As the kernel fills several buffers: it goes on while they get full (do_loop_readv_writev of fs/read_write.c).
            let size = room(buffer);
            let bytes = match pending.slot.read(copy.as_fd(), filled.read, size) {
                Ok(bytes) => bytes,
                Err(_) if filled.read > 0 => break,
                Err(error) => return refuse(&error, pending),
            };
            filled.read += bytes.len();
            let (bytes, bursts) = self.judge(owner, fd, &instance, (bytes, size), finder);
            filled.bursts.extend(bursts);
            filled.bytes.extend_from_slice(&bytes);
            if !tracee::fill(owner.thread(), &[*buffer], &bytes) {
                break;
            }
            filled.written += bytes.len();
            if bytes.len() as u64 != buffer.size {
                break;
            }
        }
        answer(source, filled.bytes, filled.written, pending);
        // Until now whoever takes over had it.
        pending.slot.forget(filled.read);
        self.settle(owner, source, &filled.bursts, finder);
        Ok(())
    }

    /// What is left of records that were read into a buffer of this size, and the watches that are to settle.
    pub fn judge(
        &self,
        owner: &Owner,
        fd: i32,
        instance: &Shared,
        (mut bytes, size): (Vec<u8>, usize),
        finder: &Finder<'_>,
    ) -> (Vec<u8>, Vec<i32>) {
        let filled = bytes.len();
        // Room for the second record of a settled write.
        bytes.resize(size.min(2 * filled), 0);
        let reader = Reader {
            instance,
            owner,
            finder,
            rules: &self.rules,
        };
        let mut bursts = Vec::new();
        let length = record::compact(&mut bytes, filled, filled == size, false, |record| {
            let is_last = record.mask & IGNORED != 0;
            if lock(instance).undelivered.is_doorbell(record.wd, is_last) {
                return Verdict::Remove;
            }
            let verdict = record::judge(&self.rules, &reader, record);
            if is_last {
                lock(instance).watches.remove(&record.wd);
            }
            if verdict != Verdict::Keep {
                self.say(finder.log, owner, fd, record, verdict);
            }
            if verdict == Verdict::Remove
                && record.mask & MODIFY != 0
                && let Some(watch) = lock(instance).watches.get_mut(&record.wd)
                && watch.burst.ignored_write()
            {
                bursts.push(record.wd);
            }
            match verdict != Verdict::Remove && lock(instance).withhold(record, verdict) {
                true => Verdict::Remove,
                false => verdict,
            }
        });
        bytes.truncate(length);
        lock(instance).read = now();
        (bytes, bursts)
    }

    fn say(&self, log: &Log, owner: &Owner, fd: i32, record: &Record<'_>, verdict: Verdict) {
        // The log's own file: removed without a word, which would be its next event.
        let is_log =
            matches!(self.rules.log, rules::rule::Log::File(path) if path.ends_with(record.name));
        if !log.is_wanted() || (is_log && !record.name.is_empty()) {
            return;
        }
        let names: Vec<&str> = EVENTS
            .iter()
            .filter(|(bit, _)| record.mask & bit != 0)
            .map(|&(_, name)| name)
            .collect();
        let (names, name) = (names.join(","), record.name.escape_ascii());
        let done = match verdict {
            Verdict::As(_) | Verdict::After(_) => "is modify: settled",
            Verdict::Remove | Verdict::Keep => "removed",
        };
        log.line(
            owner.process,
            format_args!("fd {fd} wd {}: {names} \"{name}\" {done}", record.wd),
        );
    }
}

/// What has become of the caller's buffers.
#[derive(Default)]
struct Filled {
    /// So many bytes were read.
    read: usize,
    /// What is left of them.
    bytes: Vec<u8>,
    /// So many of these are in the buffers.
    written: usize,
    /// Watches that are to settle.
    bursts: Vec<i32>,
}

/// How much of a buffer is used.
fn room(buffer: &Buffer) -> usize {
    usize::try_from(buffer.size).unwrap_or(MOST).min(MOST)
}

fn refuse(error: &io::Error, pending: &Pending<'_>) -> io::Result<()> {
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    // Its process may have ended.
    let _ = pending.answer(Answer::Error(errno));
    Ok(())
}

/// Answers a read of these records, of which so many bytes are in the caller's buffers. What could not be written there is lost,
/// as it is without a supervisor. All records of a thread that has ended meanwhile are kept: another process may have the
/// instance.
fn answer(
    (instance, copy): (&Shared, &OwnedFd),
    bytes: Vec<u8>,
    written: usize,
    pending: &Pending<'_>,
) {
    let answer = match written {
        0 => Answer::Error(libc::EFAULT),
        _ => Answer::Value(written as i32),
    };
    if pending.answer(answer).is_err() {
        lock(instance).undelivered.keep(bytes, copy.as_fd());
    }
}
