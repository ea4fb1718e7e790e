//! Text for a person under stress. First what is wrong, worst first, with the command that helps; then one line of
//! counts; and at the end, where the eye is, the summary. The tables, and what could not be seen, come in between if
//! they are asked for.

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
mod kqueue;
mod layout;
mod processes;
mod reach;
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
pub use reach::reach_text;
pub use rollup::{Top, roll_up};
pub use top::top_text;
pub use wal::wal_text;
