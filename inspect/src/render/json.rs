//! The schema `fdscan/1`.

use crate::model::Scan;
use std::io::{self, Write};

/// Writes `scan` as one line of JSON, straight from the model: 100,000 watches are never held as text.
///
/// # Errors
/// What writing to `to` failed with.
pub fn json(scan: &Scan, to: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *to, scan)?;
    to.write_all(b"\n")
}
