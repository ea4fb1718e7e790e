//! One read of an instance.

use super::super::log::Log;
use super::super::owners::Owner;
use super::super::tracee::Buffer;
use super::instance::{Shared, instance_of, lock, now};
use super::look::Reader;
use super::registry::Reads;
use crate::sys::inotify;
use crate::sys::memory;
use crate::sys::seccomp::{Answer, MOST, Slot};
use rules::event::{EVENTS, IGNORED, MODIFY};
use rules::record::{self, Record, Verdict};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What a read is made with.
pub struct Setting<'a> {
    /// Where the call is answered.
    pub listener: BorrowedFd<'a>,
    /// The call.
    pub slot: Slot,
    /// This program's root directory.
    pub own_root: Option<(u64, u64)>,
    /// Where decisions are written.
    pub log: &'a Log,
}

impl Reads<'_> {
    /// Makes the read that the thread asked for, judges what came and answers. Returns the watches whose ignored files are written
    /// to so often that they should settle.
    ///
    /// # Errors
    /// The call has not been answered, and nothing has been read: it is the kernel's.
    pub fn read(
        &self,
        owner: &Owner,
        fd: i32,
        buffer: Buffer,
        setting: &Setting<'_>,
    ) -> io::Result<(Shared, OwnedFd, Vec<i32>)> {
        let copy = instance_of(owner, fd)?;
        let instance = self.of(owner, fd);
        if !lock(&instance).judged || !inotify::is_non_blocking(copy.as_fd()) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let size = usize::try_from(buffer.size).unwrap_or(MOST).min(MOST);
        let before = lock(&instance).undelivered.next(size, copy.as_fd());
        let (read, bytes, bursts) = match before {
            Some(bytes) => (0, bytes, Vec::new()),
            None => match setting.slot.read(copy.as_fd(), size) {
                Ok(bytes) => {
                    let read = bytes.len();
                    let (bytes, bursts) = self.judge(owner, fd, &instance, (bytes, size), setting);
                    (read, bytes, bursts)
                }
                Err(error) => {
                    let errno = error.raw_os_error().unwrap_or(libc::EIO);
                    // Its process may have ended.
                    let _ = setting.slot.answer(setting.listener, Answer::Error(errno));
                    return Ok((instance, copy, Vec::new()));
                }
            },
        };
        self.deliver(owner, &instance, &copy, (bytes, buffer), setting);
        // Until now whoever takes over had it.
        setting.slot.forget(read);
        Ok((instance, copy, bursts))
    }

    fn judge(
        &self,
        owner: &Owner,
        fd: i32,
        instance: &Shared,
        (mut bytes, size): (Vec<u8>, usize),
        setting: &Setting<'_>,
    ) -> (Vec<u8>, Vec<i32>) {
        let filled = bytes.len();
        // Room for the second record of a settled write.
        bytes.resize(size.min(2 * filled), 0);
        let reader = Reader {
            instance,
            owner,
            own_root: setting.own_root,
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
                self.say(setting.log, owner, fd, record, verdict);
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

    /// Writes records into the caller's buffer and answers. Those of a thread that has ended meanwhile are kept: another
    /// process may have the instance.
    fn deliver(
        &self,
        owner: &Owner,
        instance: &Shared,
        copy: &OwnedFd,
        (bytes, buffer): (Vec<u8>, Buffer),
        setting: &Setting<'_>,
    ) {
        let Setting { listener, slot, .. } = *setting;
        let written = memory::write_of(owner.thread(), buffer.address, &bytes);
        let answer = match written {
            Ok(count) if count == bytes.len() => Answer::Value(count as i32),
            // What has been read is lost, as it is without a supervisor.
            _ => Answer::Error(libc::EFAULT),
        };
        let answered = slot.answer(listener, answer);
        if answered.is_err() {
            lock(instance).undelivered.keep(bytes, copy.as_fd());
        }
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
