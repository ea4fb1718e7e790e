//! inotify masks.

use rules::event;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use std::fmt;

/// A watch's mask, shown and serialised as `0x3ee`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mask(pub u32);

impl Mask {
    /// Whether it has any of these bits.
    pub fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    /// Its events and flags by name.
    pub fn events(self) -> Events {
        Events(self.0)
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for Mask {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The names of a mask's bits; bits without a name come last, as one hexadecimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Events(u32);

impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for name in event::names(self.0) {
            write!(f, "{between}{name}")?;
            between = " ";
        }
        match event::unknown(self.0) {
            0 => Ok(()),
            bits => write!(f, "{between}{bits:#x}"),
        }
    }
}

impl Serialize for Events {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(None)?;
        for name in event::names(self.0) {
            list.serialize_element(name)?;
        }
        match event::unknown(self.0) {
            0 => {}
            bits => list.serialize_element(&Mask(bits))?,
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_without_a_name_is_shown_as_hex() {
        let mask = Mask(0x0800_0002);
        assert_eq!(mask.events().to_string(), "modify 0x8000000");
        assert_eq!(
            serde_json::to_string(&mask.events()).unwrap(),
            r#"["modify","0x8000000"]"#
        );
    }
}
