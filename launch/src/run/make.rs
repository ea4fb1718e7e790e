//! inotify_init and inotify_init1: instances made here, and handed to the program.

use super::call::Judge;
use super::owners::Owner;
use super::pending::Pending;
use super::reads::new_instance;
use super::rights::Acting;
use crate::sys::inotify;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

impl Judge<'_> {
    /// Answers the call with an instance: at a number whose reads are trapped, where reads are judged. What cannot be answered is
    /// the kernel's.
    ///
    /// # Errors
    /// The call has not been answered.
    pub fn make(&self, owner: &Owner, flags: i32, pending: &Pending<'_>) -> io::Result<()> {
        if flags & !(libc::IN_NONBLOCK | libc::IN_CLOEXEC) != 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let acting = self.guard.makes_for(owner)?;
        let new = self.instance(&acting, flags & libc::IN_NONBLOCK != 0)?;
        let number = self.copies.keep(&new)?;
        let made = self.hand_over(
            owner,
            (&new, number),
            flags & libc::IN_CLOEXEC != 0,
            pending,
        );
        if made.is_err() {
            self.copies.forget(number);
        }
        made
    }

    /// A new instance. Those that were closed, and of which there still are copies, count against the limit too.
    fn instance(&self, acting: &Acting, non_blocking: bool) -> io::Result<OwnedFd> {
        let new = || acting.make(|| inotify::new(non_blocking))?;
        match new() {
            Err(e) if e.raw_os_error() == Some(libc::EMFILE) => {
                self.copies.look();
                new()
            }
            done => done,
        }
    }

    fn hand_over(
        &self,
        owner: &Owner,
        (new, number): (&OwnedFd, Option<u64>),
        close_on_exec: bool,
        pending: &Pending<'_>,
    ) -> io::Result<()> {
        let free = self.reads.as_ref().map(|reads| {
            let free = reads.free_number(owner, 0)?;
            // Before its program goes on: its next call may be judged by another thread.
            reads.know((owner.process, free as i32), number, &new_instance());
            Ok(free)
        });
        let at = match free {
            None => None,
            Some(Ok(free)) => Some(free),
            // Its masks can still be judged, by the copy that is kept.
            Some(Err(_)) if number.is_some() => None,
            Some(Err(e)) => return Err(e),
        };
        let Pending {
            listener,
            slot,
            log,
        } = *pending;
        let fd = slot.answer_with(listener, new.as_fd(), at, close_on_exec)?;
        self.copies.placed(owner.process, fd, number);
        let what = match at {
            Some(_) => "whose reads can be judged",
            None => "whose watches can be judged",
        };
        log.line(owner.thread(), format_args!("inotify_init: {fd}, {what}"));
        Ok(())
    }
}
