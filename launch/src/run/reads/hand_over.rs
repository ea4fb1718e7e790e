//! Where instances get numbers whose reads are trapped.

use super::super::owners::Owner;
use super::instance::{Instance, instance_of};
use super::read::Setting;
use super::registry::Reads;
use crate::sys::inotify;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

impl Reads<'_> {
    /// Answers inotify_init1 with an instance at a number whose reads are judged. What cannot be is the kernel's to answer.
    ///
    /// # Errors
    /// The call has not been answered.
    pub fn make(&self, owner: &Owner, flags: i32, setting: &Setting<'_>) -> io::Result<()> {
        if flags & !(libc::IN_NONBLOCK | libc::IN_CLOEXEC) != 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let new = inotify::new(flags & libc::IN_NONBLOCK != 0)?;
        let close_on_exec = flags & libc::IN_CLOEXEC != 0;
        let state = Arc::new(Mutex::new(Instance::new()));
        // Before its program goes on: its next call may be handled by another thread.
        let at = self.free_number(owner, 0, |at| self.know(owner.process, at, &state))?;
        let Setting { listener, slot, .. } = *setting;
        slot.answer_with(listener, new.as_fd(), at, close_on_exec)?;
        setting.log.line(
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
        setting: &Setting<'_>,
    ) -> io::Result<()> {
        let copy = instance_of(owner, fd)?;
        let state = self.of(owner, fd);
        let least = u32::try_from(least).map_err(|_| io::ErrorKind::InvalidInput)?;
        let at = self.free_number(owner, least, |at| self.know(owner.process, at, &state))?;
        let Setting { listener, slot, .. } = *setting;
        slot.answer_with(listener, copy.as_fd(), at, close_on_exec)
    }

    /// The highest number, of those whose reads are judged and no lower than `least`, that the thread does not use.
    fn free_number(&self, owner: &Owner, least: u32, take: impl FnOnce(i32)) -> io::Result<u32> {
        let least = least.max(self.numbers.start);
        for number in (least..self.numbers.end).rev() {
            match owner.descriptor(number as i32) {
                Err(e) if e.raw_os_error() == Some(libc::EBADF) => {
                    take(number as i32);
                    return Ok(number);
                }
                Err(e) => return Err(e),
                Ok(_) => {}
            }
        }
        Err(io::Error::from_raw_os_error(libc::EMFILE))
    }
}
