//! Text for a person under stress: what is wrong first, worst first, with the command that helps; what it
//! is about in one line; and last, where the eye is, what that comes to. The tables behind it and all that
//! could not be seen come in between, where they are asked for.

mod check;
mod claims;
mod events;
mod evidence;
mod files;
mod findings;
mod gaps;
mod growth;
mod holders;
mod inotify;
mod layout;
mod processes;
mod rollup;
mod sheet;
mod summary;
mod tables;
mod top;
mod wal;
mod wrap;

pub use check::check_text;
pub use claims::claims_text;
pub use events::events_text;
pub use evidence::lines as lines_of;
pub use layout::{Detail, Layout};
pub use processes::{tables_text, text};
pub use rollup::{Top, roll_up};
pub use top::top_text;
pub use wal::wal_text;
