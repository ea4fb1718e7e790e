//! inotify records in a buffer: read ([`Record`]), judged ([`judge`](judge())), compacted in place ([`compact`](compact())).

mod compact;
mod format;
mod judge;

pub use compact::{FILLER_WD, compact};
pub use format::{HEADER, Record};
pub use judge::{Verdict, Watches, ignored, judge};
