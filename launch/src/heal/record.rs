//! What masks were before they were changed, for `--undo`: [`HealRecord`], which `fdscan` reads as well.

use super::plan::Change;
use super::runtime::Runtime;
use super::target::Target;
use inspect::model::{HealKey, HealRecord, HealedMasks, Process};
use std::collections::HashSet;

/// The record of one process.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record(pub HealRecord);

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
            HealRecord::parse(&text)
                .map(Record)
                .ok_or_else(|| format!("{}: it is damaged", runtime.path().join(&name).display()))
        })
        .transpose()
    }

    /// Notes changes that are about to be made: what a watch had at first stays noted for as long as it
    /// has the mask heal gave it.
    pub fn add(&mut self, target: &Target, changes: &[Change]) {
        for change in changes {
            let Some((instance, watch)) = change.watched(target.handle.process()) else {
                continue;
            };
            self.note(
                HealKey::of(instance.fd, watch),
                change.before,
                change.shown(),
            );
        }
    }

    /// Lets go of watches that are gone: who follows a process for long would keep a line of each it ever had. An instance of
    /// which no watch is listed may not have been read, and keeps what is noted.
    pub fn forget_gone(&mut self, process: &Process) {
        let unread = |fd| {
            let mut instances = process.inotify.iter();
            instances.any(|instance| instance.fd == fd && instance.watches.is_empty())
        };
        let listed: HashSet<HealKey> = process
            .inotify
            .iter()
            .flat_map(|instance| {
                let of = |watch| HealKey::of(instance.fd, watch);
                instance.watches.iter().map(of)
            })
            .collect();
        let masks = &mut self.0.masks;
        masks.retain(|key, _| listed.contains(key) || unread(key.fd()));
    }

    /// Notes rules that are asked for: one that is given again replaces the one before.
    pub fn add_rules<'a>(&mut self, rules: impl Iterator<Item = (&'static str, &'a [u8])>) {
        let rules = rules.map(|(variable, value)| (variable.to_owned(), value.to_owned()));
        self.0.rules.extend(rules);
    }

    fn note(&mut self, key: HealKey, before: u32, after: u32) {
        let masks = self.0.masks.entry(key).or_insert(HealedMasks {
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
        if self.0.masks.is_empty() {
            runtime.remove(&name);
            return Ok(());
        }
        let text = self.0.text();
        runtime.write(&name, &text).map_err(|e| e.to_string())
    }
}

fn name(process: &Process) -> Result<String, String> {
    HealRecord::name(process)
        .ok_or_else(|| format!("when process {} started is not known", process.pid))
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

    fn noted(masks: &[(u32, u32)]) -> (u32, u32) {
        let key = HealKey::default();
        let mut record = Record::default();
        for &(before, after) in masks {
            record.note(key, before, after);
        }
        (record.0.masks[&key].first, record.0.masks[&key].last)
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
}
