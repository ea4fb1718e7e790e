//! The numbers under which instances are handed out, so that their reads are trapped.

use super::super::owners::Owner;
use super::super::pending::Pending;
use super::registry::Reads;
use std::io;
use std::os::fd::AsFd;

impl Reads<'_> {
    /// Answers dup or fcntl with a number whose reads are judged, where descriptor `fd` is an instance.
    ///
    /// # Errors
    /// The call has not been answered.
    pub fn duplicate(
        &self,
        owner: &Owner,
        fd: i32,
        (least, close_on_exec): (i32, bool),
        pending: &Pending<'_>,
    ) -> io::Result<()> {
        let (copy, state) = self.open(owner, fd)?;
        let number = self.copies.number(owner, fd);
        let least = u32::try_from(least).map_err(|_| io::ErrorKind::InvalidInput)?;
        let at = self.free_number(owner, least)?;
        // Before its program goes on: its next call may be judged by another thread.
        self.know((owner.process, at as i32), number, &state);
        let Pending { listener, slot, .. } = *pending;
        slot.answer_with(listener, copy.as_fd(), Some(at), close_on_exec)?;
        self.copies.placed(owner.process, at as i32, number);
        Ok(())
    }

    /// The highest number, of those whose reads are judged and no lower than `least`, that the thread does not use.
    ///
    /// # Errors
    /// EMFILE if it uses them all.
    pub fn free_number(&self, owner: &Owner, least: u32) -> io::Result<u32> {
        let least = least.max(self.numbers.start);
        let mut numbers = (least..self.numbers.end).rev();
        let free = numbers.find(|&number| !owner.has_descriptor(number as i32));
        free.ok_or_else(|| io::Error::from_raw_os_error(libc::EMFILE))
    }
}
