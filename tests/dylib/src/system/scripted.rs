//! A kqueue whose answers a test writes down beforehand.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::calls;
use super::event::Kevent;

/// One answer.
pub struct Answer {
    /// So long the call takes, by the clock of [`calls::set_clock`].
    pub takes: u64,
    /// The events, or an error.
    pub events: Result<Vec<Kevent>, i32>,
    /// What happens while it is made.
    pub also: Box<dyn FnOnce()>,
}

impl Answer {
    pub fn after(takes: u64, events: &[Kevent]) -> Answer {
        Answer {
            takes,
            events: Ok(events.to_vec()),
            also: Box::new(|| ()),
        }
    }
}

/// What the library asked.
#[derive(Debug, PartialEq)]
pub struct Asked {
    pub changes: Vec<Kevent>,
    /// In nanoseconds; `None` for no end.
    pub timeout: Option<u64>,
}

thread_local! {
    static ANSWERS: RefCell<Option<VecDeque<Answer>>> = const { RefCell::new(None) };
    static ASKED: RefCell<Vec<Asked>> = const { RefCell::new(vec![]) };
}

/// From now on these are the answers on this thread.
pub fn answer(answers: Vec<Answer>) {
    ANSWERS.set(Some(answers.into()));
    ASKED.take();
}

/// What was asked since [`answer`]. The answers must have been taken.
pub fn asked() -> Vec<Asked> {
    let left = ANSWERS.take();
    assert!(
        left.is_some_and(|left| left.is_empty()),
        "an answer was not asked for"
    );
    ASKED.take()
}

/// The next answer, if there is a script.
pub fn next(asked: Asked) -> Option<Result<Vec<Kevent>, i32>> {
    ANSWERS.with_borrow_mut(|answers| {
        let answers = answers.as_mut()?;
        ASKED.with_borrow_mut(|all| all.push(asked));
        let answer = answers
            .pop_front()
            .expect("one call more than there are answers");
        calls::move_clock(answer.takes);
        (answer.also)();
        Some(answer.events)
    })
}
