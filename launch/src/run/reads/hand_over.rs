//! Where instances get numbers whose reads are trapped.

use super::super::owners::Owner;
use super::super::pending::Pending;
use super::instance::{Instance, Shared, instance_of};
use super::registry::Reads;
use crate::sys::inotify;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};

impl Reads<'_> {
    /// Answers inotify_init1 with an instance at a number whose reads are judged. What cannot be is the kernel's to answer.
    ///
    /// # Errors
    /// The call has not been answered.
    pub fn make(&self, owner: &Owner, flags: i32, pending: &Pending<'_>) -> io::Result<()> {
        if flags & !(libc::IN_NONBLOCK | libc::IN_CLOEXEC) != 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let new = inotify::new(flags & libc::IN_NONBLOCK != 0)?;
        let close_on_exec = flags & libc::IN_CLOEXEC != 0;
        let state = Arc::new(Mutex::new(Instance::new()));
        let at = self.hand_over(owner, (&new, &state), (0, close_on_exec), pending)?;
        pending.log.line(
            owner.thread(),
            format_args!("inotify_init: {at}, whose reads can be judged"),
        );
        Ok(())
    }

    /// Answers dup or fcntl with a number whose reads are judged, where descriptor `fd` is an instance.
    ///
    /// # Errors
    /// As [`Reads::make`].
    pub fn duplicate(
        &self,
        owner: &Owner,
        fd: i32,
        (least, close_on_exec): (i32, bool),
        pending: &Pending<'_>,
    ) -> io::Result<()> {
        let copy = instance_of(owner, fd)?;
        let state = self.of(owner, fd);
        let least = u32::try_from(least).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.hand_over(owner, (&copy, &state), (least, close_on_exec), pending)?;
        Ok(())
    }

    /// Answers the call with a copy of an instance, and says which number it has.
    fn hand_over(
        &self,
        owner: &Owner,
        (instance, state): (&OwnedFd, &Shared),
        (least, close_on_exec): (u32, bool),
        pending: &Pending<'_>,
    ) -> io::Result<u32> {
        let at = self.free_number(owner, least)?;
        // Before its program goes on: its next call may be handled by another thread.
        self.know(owner.process, at as i32, state);
        let Pending { listener, slot, .. } = *pending;
        slot.answer_with(listener, instance.as_fd(), at, close_on_exec)?;
        Ok(at)
    }

    /// The highest number, of those whose reads are judged and no lower than `least`, that the thread does not use.
    fn free_number(&self, owner: &Owner, least: u32) -> io::Result<u32> {
        let least = least.max(self.numbers.start);
        for number in (least..self.numbers.end).rev() {
            match owner.descriptor(number as i32) {
                Err(e) if e.raw_os_error() == Some(libc::EBADF) => return Ok(number),
                Err(e) => return Err(e),
                Ok(_) => {}
            }
        }
        Err(io::Error::from_raw_os_error(libc::EMFILE))
    }
}
