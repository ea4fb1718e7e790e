//! `--replay`: how much of what changed is told.

/// What is told of what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Replay {
    /// Every change, once
    All,
    /// One change to each instance: for programs that restart at each event they hear
    One,
    /// Nothing
    None,
}

impl Replay {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Replay::All => "all",
            Replay::One => "one",
            Replay::None => "none",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Replay {
        match name {
            "one" => Replay::One,
            "none" => Replay::None,
            _ => Replay::All,
        }
    }
}
