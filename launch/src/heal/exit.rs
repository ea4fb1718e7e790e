//! The exit status.

use std::process::ExitCode;

/// What the exit status of `watchfix heal` means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Every watch is as it was asked for.
    #[default]
    Done = 0,
    /// Some are not.
    Some = 1,
    /// There is no such process, or it has ended.
    NoProcess = 3,
    /// A permission is missing.
    NotPermitted = 4,
}

impl Exit {
    /// By whether all watches are as asked for.
    pub fn of(all: bool) -> Exit {
        if all { Exit::Done } else { Exit::Some }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        (exit as u8).into()
    }
}
