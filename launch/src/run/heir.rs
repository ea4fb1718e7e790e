//! Who answers when the supervisor has died.
//!
//! If no process holds the listener, every trapped call fails with ENOSYS; if one holds it and does not answer, the calls
//! wait. So a second process always has a copy: the launcher while the command runs, and then a process made for this. It
//! leaves every call to the kernel. If records were already read for a call, it hands them over.

use super::{calls, tracee};
use crate::sys::poll::{For, Ready, wait};
use crate::sys::process::{self, Fork};
use crate::sys::seccomp::{Answer, InFlight, Slot, waits};
use crate::sys::socket;
use rules::record::Record;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Lets one waiting call go on, and returns which process made it. If that process has died, the call needs no answer.
pub fn let_one_go(listener: BorrowedFd<'_>, in_flight: InFlight) -> Option<u32> {
    let [own, ..] = in_flight;
    let notice = own.receive(listener).ok()?;
    // It may have died between the two.
    let answered = own.answer(listener, Answer::Continue);
    answered.is_ok().then_some(notice.pid)
}

/// Lets those go on that the dead supervisor had received and not answered.
pub fn let_received_go(listener: BorrowedFd<'_>, in_flight: InFlight) {
    for slot in in_flight {
        let answer = hand_over(listener, slot).unwrap_or(Answer::Continue);
        // It may have been answered already.
        let _ = slot.answer(listener, answer);
    }
}

/// What the dead supervisor had read for a call and not handed over: the kernel no longer has it.
fn hand_over(listener: BorrowedFd<'_>, slot: Slot) -> Option<Answer> {
    let notice = slot.notice()?;
    let buffers = tracee::buffers(notice.pid, calls::call(&notice.data)).ok()?;
    let mut bytes = slot.all();
    let mut length = 0;
    while let Some(record) = bytes.get(length..).and_then(Record::read) {
        length += record.size;
    }
    bytes.truncate(length);
    // Its thread waits still: the buffers are its buffers.
    if bytes.is_empty() || !waits(listener, notice.id) {
        return None;
    }
    let count = i32::try_from(length).ok()?;
    tracee::fill(notice.pid, &buffers, &bytes).then_some(Answer::Value(count))
}

/// Answers until no process is left that could ask.
pub fn answer_all(listener: BorrowedFd<'_>, in_flight: InFlight) {
    let_received_go(listener, in_flight);
    loop {
        match wait([For::Input(listener)], None) {
            [Ready::Closed] => return,
            [Ready::Yes] => {
                let_one_go(listener, in_flight);
            }
            [Ready::No] => {}
        }
    }
}

/// Makes a process that waits for the death of this one and then answers. What is returned has to be kept: to drop it
/// is to die, for that process.
pub fn stand_by(listener: BorrowedFd<'_>, in_flight: InFlight) -> Option<OwnedFd> {
    let (kept, watched) = socket::pair().ok()?;
    match process::fork().ok()? {
        Fork::Parent(_) => Some(kept),
        Fork::Child => {
            drop(kept);
            process::detach(&[listener, watched.as_fd()]);
            // It looks at nothing but whether the two are there.
            let two = [For::Closing(watched.as_fd()), For::Closing(listener)];
            let [mut dead, mut over] = [Ready::No; 2];
            while dead == Ready::No && over == Ready::No {
                [dead, over] = wait(two, None);
            }
            if over == Ready::No {
                answer_all(listener, in_flight);
            }
            std::process::exit(0);
        }
    }
}
