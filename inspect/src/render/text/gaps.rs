//! What could not be seen.

use super::wrap::wrap;
use super::{Detail, Layout};
use crate::model::Gap;
use crate::words::{number, sanitize};
use std::io::{self, Write};

pub fn write(gaps: &[Gap], layout: Layout, to: &mut impl Write) -> io::Result<()> {
    if layout.detail == Detail::Short {
        return gaps_in_short(gaps, layout, to);
    }
    if gaps.is_empty() {
        return Ok(());
    }
    writeln!(to, "\n{}", layout.style.heading("Not seen"))?;
    for gap in gaps {
        let line = format!("{}: {}.", named(gap), gap.why);
        wrap(&sanitize(&line), layout.width, "  ", to)?;
    }
    Ok(())
}

/// As few lines as are needed to say what may be missing among the findings.
fn gaps_in_short(gaps: &[Gap], layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let gaps: Vec<_> = gaps.iter().filter(|gap| !gap.aside).collect();
    let line = match gaps.as_slice() {
        [] => return Ok(()),
        [gap] => format!("Not seen: {}: {}.", named(gap), gap.why),
        all => {
            let list: Vec<_> = all.iter().map(|gap| named(gap)).collect();
            format!("Not seen: {}. --tables says why.", list.join("; "))
        }
    };
    writeln!(to)?;
    wrap(&sanitize(&line), layout.width, "", to)
}

/// What is missing, and how much of it.
fn named(gap: &Gap) -> String {
    match gap.count {
        Some(count) => format!("{} ({})", gap.what, number(count as u64)),
        None => gap.what.clone(),
    }
}
