//! What `watchfix heal` notes of the masks it changes, and what that says about a process.
//!
//! One file for each process, named by its PID and start: `PID-TICKS`. A line is a watch: descriptor, wd,
//! device and inode, the mask it had at first and the one it was given last; or a rule that was asked for: its variable
//! and its text, in hexadecimal.

use super::pause_record::{from_hex, hex};
use super::{Process, Watch};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The first line.
const FORMAT: &str = "watchfix heal 1";

/// What a watch is known by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HealKey {
    fd: i32,
    wd: i32,
    device: u32,
    inode: u64,
}

impl HealKey {
    /// Of a watch of the instance at descriptor `fd`.
    pub fn of(fd: i32, watch: &Watch) -> HealKey {
        HealKey {
            fd,
            wd: watch.wd,
            device: watch.device.0,
            inode: watch.inode,
        }
    }

    /// The descriptor of the instance.
    pub fn fd(&self) -> i32 {
        self.fd
    }
}

/// Masks as fdinfo shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealedMasks {
    /// What the process asked for.
    pub first: u32,
    /// What heal made of it.
    pub last: u32,
}

/// The record of one process.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HealRecord {
    /// The watches that were changed.
    pub masks: BTreeMap<HealKey, HealedMasks>,
    /// The rules that were asked for, by their variable: what a restart needs as well.
    pub rules: BTreeMap<String, Vec<u8>>,
}

impl HealRecord {
    /// The name of the file; `None` if it is not known when the process started.
    pub fn name(process: &Process) -> Option<String> {
        let ticks = process.start_ticks?;
        Some(format!("{}-{ticks}", process.pid))
    }

    /// Reads it; `None` if it is damaged.
    pub fn parse(text: &str) -> Option<HealRecord> {
        let mut lines = text.lines();
        if lines.next() != Some(FORMAT) {
            return None;
        }
        let mut record = HealRecord::default();
        for line in lines {
            match line.split_once(' ') {
                Some((variable, text)) if variable.starts_with("WATCHFIX_") => {
                    record.rules.insert(variable.into(), from_hex(text)?);
                }
                _ => record.masks.extend([masks_of(line)?]),
            }
        }
        Some(record)
    }

    /// Writes it.
    pub fn text(&self) -> String {
        let mut text = format!("{FORMAT}\n");
        for (variable, value) in &self.rules {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{variable} {}", hex(value));
        }
        for (key, masks) in &self.masks {
            let HealKey {
                fd,
                wd,
                device,
                inode,
            } = key;
            let _ = writeln!(
                text,
                "{fd} {wd} {device:x} {inode:x} {:x} {:x}",
                masks.first, masks.last
            );
        }
        text
    }

    /// Watches of the process that have the mask they were given, and had another one.
    pub fn in_force(&self, process: &Process) -> usize {
        let watches = process
            .inotify
            .iter()
            .flat_map(|instance| instance.watches.iter().map(|watch| (instance.fd, watch)));
        let healed = watches.filter(|&(fd, watch)| {
            let masks = self.masks.get(&HealKey::of(fd, watch));
            masks.is_some_and(|masks| masks.last == watch.mask.0 && masks.first != masks.last)
        });
        healed.count()
    }
}

fn masks_of(line: &str) -> Option<(HealKey, HealedMasks)> {
    let mut words = line.split(' ');
    let key = HealKey {
        fd: words.next()?.parse().ok()?,
        wd: words.next()?.parse().ok()?,
        device: u32::from_str_radix(words.next()?, 16).ok()?,
        inode: u64::from_str_radix(words.next()?, 16).ok()?,
    };
    let masks = HealedMasks {
        first: u32::from_str_radix(words.next()?, 16).ok()?,
        last: u32::from_str_radix(words.next()?, 16).ok()?,
    };
    words.next().is_none().then_some((key, masks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_as_it_was_written_and_never_in_part() {
        let key = HealKey {
            fd: 5,
            wd: 31,
            device: 0xfe0_0000,
            inode: u64::MAX,
        };
        let masks = HealedMasks {
            first: 0x8400_0fff,
            last: 0,
        };
        let record = HealRecord {
            masks: [(key, masks)].into(),
            rules: [("WATCHFIX_IGNORE".into(), b"+a\n\xff".into())].into(),
        };
        let text =
            "watchfix heal 1\nWATCHFIX_IGNORE 2b610aff\n5 31 fe00000 ffffffffffffffff 84000fff 0\n";
        assert_eq!(record.text(), text);
        assert_eq!(HealRecord::parse(text), Some(record));
        for cut in [
            "",
            "watchfix heal 2\n",
            "watchfix heal 1\n5 31 fe\n",
            "watchfix heal 1\nWATCHFIX_DROP 2\n",
            "watchfix heal 1\nWATCHFIX_DROP +1\n",
        ] {
            assert_eq!(HealRecord::parse(cut), None, "{cut:?}");
        }
    }
}
