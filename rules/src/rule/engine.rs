//! What carries the rules out.

/// What carries the rules out, and so which defaults hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The preload library: it sees every watch and every event.
    Library,
    /// `watchfix run`'s supervisor and `watchfix heal`: they see masks and paths, and no event.
    Masks,
}
