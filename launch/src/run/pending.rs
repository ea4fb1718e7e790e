//! A call that was received and waits for its answer.

use super::log::Log;
use crate::sys::seccomp::{Answer, Slot};
use std::io;
use std::os::fd::BorrowedFd;

/// Where it came from, and where its answer goes.
#[derive(Clone, Copy)]
pub struct Pending<'a> {
    /// Where calls come from.
    pub listener: BorrowedFd<'a>,
    /// The call.
    pub slot: Slot,
    /// Where decisions are written.
    pub log: &'a Log,
}

impl Pending<'_> {
    /// Answers it.
    ///
    /// # Errors
    /// As [`Slot::answer`].
    pub fn answer(&self, answer: Answer) -> io::Result<()> {
        self.slot.answer(self.listener, answer)
    }
}
