//! One read of an instance.

use super::super::log::Log;
use super::super::owners::Owner;
use super::super::pending::Pending;
use super::super::rights::Finder;
use super::super::tracee::Buffer;
use super::instance::{Shared, instance_of, now};
use super::look::Reader;
use super::registry::Reads;
use crate::sys::seccomp::{Answer, MOST};
use crate::sys::{inotify, lock, memory};
use rules::event::{EVENTS, IGNORED, MODIFY};
use rules::record::{self, Record, Verdict};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

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
        buffer: Buffer,
        pending: &Pending<'_>,
        finder: &Finder<'_>,
    ) -> io::Result<()> {
        let copy = instance_of(owner, fd)?;
        let instance = self.of(owner, fd);
        if !lock(&instance).judged || !inotify::is_non_blocking(copy.as_fd()) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let size = usize::try_from(buffer.size).unwrap_or(MOST).min(MOST);
        let before = lock(&instance).undelivered.next(size, copy.as_fd());
        if let Some(bytes) = before {
            deliver(owner, (&instance, &copy), (bytes, buffer), pending);
            return Ok(());
        }
        let bytes = match pending.slot.read(copy.as_fd(), size) {
            Ok(bytes) => bytes,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                // Its process may have ended.
                let _ = pending.answer(Answer::Error(errno));
                return Ok(());
            }
        };
        let read = bytes.len();
        let (bytes, bursts) = self.judge(owner, fd, &instance, (bytes, size), finder);
        deliver(owner, (&instance, &copy), (bytes, buffer), pending);
        // Until now whoever takes over had it.
        pending.slot.forget(read);
        self.settle(owner, (&instance, &copy), &bursts, finder);
        Ok(())
    }

    fn judge(
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
            own_root: finder.own_root,
            rules: &self.rules,
        };
        let mut bursts = Vec::new();
        let length = record::compact(&mut bytes, filled, filled == size, false, |record| {
            if lock(instance).undelivered.is_doorbell(record.wd) {
                return Verdict::Remove;
            }
            let verdict = record::judge(&self.rules, &reader, record);
            if record.mask & IGNORED != 0 {
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
            verdict
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

/// Writes records into the caller's buffer and answers. Those of a thread that has ended meanwhile are kept: another
/// process may have the instance.
fn deliver(
    owner: &Owner,
    (instance, copy): (&Shared, &OwnedFd),
    (bytes, buffer): (Vec<u8>, Buffer),
    pending: &Pending<'_>,
) {
    let written = memory::write_of(owner.thread(), buffer.address, &bytes);
    let answer = match written {
        Ok(count) if count == bytes.len() => Answer::Value(count as i32),
        // What has been read is lost, as it is without a supervisor.
        _ => Answer::Error(libc::EFAULT),
    };
    if pending.answer(answer).is_err() {
        lock(instance).undelivered.keep(bytes, copy.as_fd());
    }
}
