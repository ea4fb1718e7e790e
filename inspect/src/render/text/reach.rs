//! The text of `fdscan reach`: each verdict with its reason, and for a Mac's program what it rests on.

use super::Layout;
use super::wrap::wrap;
use crate::model::{FileReach, ProgramKind, ReachScan, SliceReach};
use crate::words::sanitize;
use std::io::{self, Write};

/// Said where a verdict is about a Mac.
const RESTS_ON: &str = "About macOS: read from the file, by what Apple documents and publishes. It was not tried on a Mac.";

/// Writes every file of `scan`.
///
/// # Errors
/// What writing to `to` failed with.
pub fn reach_text(scan: &ReachScan, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    for (number, file) in scan.files.iter().enumerate() {
        if number > 0 {
            writeln!(to)?;
        }
        let heading = format!("{}: {} ({})", file.path, file.verdict.name(), kind(file));
        writeln!(to, "{}", layout.style.heading(&sanitize(&heading)))?;
        wrap(&sanitize(&file.why), layout.width, "  ", to)?;
        if let Some(remedy) = &file.remedy {
            wrap(&sanitize(remedy), layout.width, "  ", to)?;
        }
        let differ = file
            .slices
            .windows(2)
            .any(|two| matches!(two, [a, b] if a.why != b.why));
        for slice in file.slices.iter().filter(|_| differ) {
            let line = format!("{}: {}. {}", slice.cpu, slice.verdict.name(), slice.why);
            wrap(&sanitize(&line), layout.width, "    ", to)?;
        }
    }
    if scan.files.iter().any(is_about_macos) {
        writeln!(to)?;
        wrap(RESTS_ON, layout.width, "", to)?;
    }
    Ok(())
}

fn is_about_macos(file: &FileReach) -> bool {
    file.variable == Some("DYLD_INSERT_LIBRARIES")
}

fn kind(file: &FileReach) -> String {
    let name = match file.kind {
        ProgramKind::MachO => "Mach-O",
        ProgramKind::Elf => "ELF",
        ProgramKind::Script => "script",
        ProgramKind::Other => "other",
    };
    let cpu = |slice: &SliceReach| slice.cpu.clone();
    let cpus: Vec<_> = file.slices.iter().map(cpu).collect();
    match cpus.is_empty() {
        true => name.into(),
        false => format!("{name} {}", cpus.join(", ")),
    }
}
