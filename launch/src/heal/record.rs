//! What masks were before they were changed, for `--undo`.
//!
//! One file for each process, named by its PID and start: `PID-TICKS`. A line is a watch: descriptor, wd,
//! device and inode, the mask it had at first and the one it was given last.

use super::plan::Change;
use super::runtime::Runtime;
use super::target::Target;
use inspect::model::{Process, Watch};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The first line.
const FORMAT: &str = "watchfix heal 1";

/// What a watch is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    fd: i32,
    wd: i32,
    device: u32,
    inode: u64,
}

impl Key {
    /// Of a watch of the instance at descriptor `fd`.
    pub fn of(fd: i32, watch: &Watch) -> Key {
        Key {
            fd,
            wd: watch.wd,
            device: watch.device.0,
            inode: watch.inode,
        }
    }
}

/// Masks as fdinfo shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Masks {
    /// What the process asked for.
    pub first: u32,
    /// What heal made of it.
    pub last: u32,
}

/// The record of one process.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record(pub BTreeMap<Key, Masks>);

impl Record {
    /// The record of a process; `None` if there is none. Records of processes that are gone are removed.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(runtime: &Runtime, process: &Process) -> Result<Option<Record>, String> {
        sweep(runtime);
        let name = name(process)?;
        let text = runtime.read(&name).map_err(|e| e.to_string())?;
        text.map(|text| {
            Record::parse(&text)
                .ok_or_else(|| format!("{}: it is damaged", runtime.path().join(&name).display()))
        })
        .transpose()
    }

    /// Notes changes that are about to be made: what a watch had at first stays noted for as long as it
    /// has the mask heal gave it.
    pub fn add(&mut self, target: &Target, changes: &[Change]) {
        let instances = &target.live.process().inotify;
        for change in changes {
            let Some(instance) = instances.get(change.instance) else {
                continue;
            };
            let Some(watch) = instance.watches.get(change.watch) else {
                continue;
            };
            self.note(Key::of(instance.fd, watch), change.before, change.shown());
        }
    }

    fn note(&mut self, key: Key, before: u32, after: u32) {
        let masks = self.0.entry(key).or_insert(Masks {
            first: before,
            last: before,
        });
        if masks.last != before && masks.first != before {
            masks.first = before;
        }
        masks.last = after;
    }

    /// Writes it, or removes it when nothing is in it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, runtime: &Runtime, process: &Process) -> Result<(), String> {
        let name = name(process)?;
        if self.0.is_empty() {
            runtime.remove(&name);
            return Ok(());
        }
        let mut text = format!("{FORMAT}\n");
        for (key, masks) in &self.0 {
            let Key {
                fd,
                wd,
                device,
                inode,
            } = key;
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{fd} {wd} {device:x} {inode:x} {:x} {:x}",
                masks.first, masks.last
            );
        }
        runtime.write(&name, &text).map_err(|e| e.to_string())
    }

    fn parse(text: &str) -> Option<Record> {
        let mut lines = text.lines();
        if lines.next() != Some(FORMAT) {
            return None;
        }
        let entries = lines.map(|line| {
            let mut words = line.split(' ');
            let key = Key {
                fd: words.next()?.parse().ok()?,
                wd: words.next()?.parse().ok()?,
                device: u32::from_str_radix(words.next()?, 16).ok()?,
                inode: u64::from_str_radix(words.next()?, 16).ok()?,
            };
            let masks = Masks {
                first: u32::from_str_radix(words.next()?, 16).ok()?,
                last: u32::from_str_radix(words.next()?, 16).ok()?,
            };
            words.next().is_none().then_some((key, masks))
        });
        entries.collect::<Option<_>>().map(Record)
    }
}

fn name(process: &Process) -> Result<String, String> {
    match process.start_ticks {
        Some(ticks) => Ok(format!("{}-{ticks}", process.pid)),
        None => Err(format!("when process {} started is not known", process.pid)),
    }
}

/// Removes the records of processes that are gone.
fn sweep(runtime: &Runtime) {
    for name in runtime.names() {
        let process = name.trim_start_matches('.').split_once('-');
        let process =
            process.and_then(|(pid, ticks)| Some((pid.parse().ok()?, ticks.parse().ok()?)));
        if process.is_some_and(|(pid, ticks)| inspect::gather::is_gone_since(pid, ticks)) {
            runtime.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key {
        fd: 5,
        wd: 31,
        device: 0xfe0_0000,
        inode: u64::MAX,
    };

    fn noted(masks: &[(u32, u32)]) -> (u32, u32) {
        let mut record = Record::default();
        for &(before, after) in masks {
            record.note(KEY, before, after);
        }
        (record.0[&KEY].first, record.0[&KEY].last)
    }

    #[test]
    fn healing_twice_keeps_the_first_mask() {
        assert_eq!(noted(&[(0x3ee, 0x3ce), (0x3ce, 0x3ca)]), (0x3ee, 0x3ca));
    }

    #[test]
    fn a_mask_the_process_placed_since_is_the_first_one_from_then_on() {
        assert_eq!(noted(&[(0x3ee, 0x3ce), (0xfff, 0xfce)]), (0xfff, 0xfce));
        // It was noted, and the change was not made.
        assert_eq!(noted(&[(0x3ee, 0x3ce), (0x3ee, 0x3ca)]), (0x3ee, 0x3ca));
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written_and_never_in_part() {
        let masks = Masks {
            first: 0x8400_0fff,
            last: 0,
        };
        let record = Record(BTreeMap::from([(KEY, masks)]));
        let text = format!("{FORMAT}\n5 31 fe00000 ffffffffffffffff 84000fff 0\n");
        assert_eq!(Record::parse(&text), Some(record));
        for cut in ["", "watchfix heal 2\n", "watchfix heal 1\n5 31 fe\n"] {
            assert_eq!(Record::parse(cut), None, "{cut:?}");
        }
    }
}
