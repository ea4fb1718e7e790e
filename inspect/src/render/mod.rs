//! From data to text, for people and for programs.

mod annotations;
mod json;
mod report;
mod style;
mod terminal;
mod text;
mod workflow;

pub use annotations::annotations;
pub use json::json;
pub use report::{html, markdown};
pub use style::Style;
pub use terminal::{is_ascii, is_dumb, wants_colour};
pub use text::{
    Detail, Layout, Top, check_text, claims_text, events_text, reach_text, roll_up, text, top_text,
    wal_text,
};
pub use workflow::{Guard, inert};
