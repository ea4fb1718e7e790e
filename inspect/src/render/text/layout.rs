//! How text is laid out, and how much of it there is.

use crate::render::Style;

/// How the text is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Columns of the terminal.
    pub width: u16,
    /// Whether and how to colour.
    pub style: Style,
    /// How much is shown.
    pub detail: Detail,
    /// Whether the terminal shows only ASCII.
    pub ascii: bool,
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// What is wrong, what helps, and one line of counts.
    Short,
    /// The tables behind it, rolled up.
    Tables,
    /// Everything: each watch and descriptor, and the evidence of the findings.
    All,
}

impl Detail {
    /// With the tables, or without them.
    pub fn of(tables: bool) -> Detail {
        match tables {
            true => Detail::Tables,
            false => Detail::Short,
        }
    }
}
