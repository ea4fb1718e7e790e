//! Files by which programs say that they run, where they listen, or that they should stop.

mod claim;
pub mod content;
pub mod places;
pub mod verdicts;

pub use claim::claim;
pub use content::kind_of;
