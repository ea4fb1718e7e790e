//! What the watched inodes were, as a file: for who has to end a pause in its guardian's place.
//!
//! `at DEVICE INODE PATH` begins an inode, `is STATE` a snapshot of it; then `of PID FD WD` for the watches it is about,
//! `has STATE` for each entry of a directory, and `all` where the directory could be listed. Texts are in hexadecimal.

use super::known::{Known, Snapshot, WatchId, open_at};
use super::muted::Pause;
use super::state::{Inode, read_state, write_state};
use inspect::model::{PauseRecord, from_hex, hex};
use std::fmt::Write;

impl Pause {
    /// What the directories held, for who has to end this pause in the guardian's place.
    pub fn names_text(&self) -> String {
        let mut text = String::new();
        for ((device, inode), known) in &self.known {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "at {device:x} {inode:x} {}", hex(&known.path));
            for snapshot in &known.snapshots {
                write_state(&mut text, "is", &snapshot.state, b"");
                for (pid, fd, wd) in &snapshot.of {
                    let _ = writeln!(text, "of {pid} {fd} {wd}");
                }
                for (name, state) in snapshot.names.iter().flatten() {
                    write_state(&mut text, "has", state, name);
                }
                if snapshot.names.is_some() {
                    text.push_str("all\n");
                }
            }
        }
        text
    }

    /// A pause somebody else has begun, from what is on record: what is where it was is opened.
    pub fn of_record(record: PauseRecord, names: &str) -> Pause {
        let mut pause = Pause::new(record);
        let mut known: Option<(Inode, Vec<u8>)> = None;
        let mut snapshots: Vec<Snapshot> = Vec::new();
        for line in names.lines().chain(["at"]) {
            let mut words = line.split(' ');
            let kind = words.next().unwrap_or_default();
            if kind == "at" {
                let snapshots = std::mem::take(&mut snapshots);
                let inode = snapshots.first().map(|first| first.state.inode);
                if let (Some((at, path)), Some(inode)) = (known.take(), inode)
                    && let Some(fd) = open_at(&path, inode)
                {
                    pause.known.insert(
                        at,
                        Known {
                            fd,
                            path,
                            snapshots,
                        },
                    );
                }
                known = place_of(&mut words);
                continue;
            }
            if kind == "is" {
                let state = read_state(&mut words).map(|(state, _)| state);
                snapshots.push(Snapshot {
                    state: state.unwrap_or_default(),
                    ..Snapshot::default()
                });
            }
            let Some(last) = snapshots.last_mut() else {
                continue;
            };
            let Snapshot { of, names, .. } = last;
            match kind {
                "of" => of.extend(id_of(&mut words)),
                "has" => {
                    if let Some((state, name)) = read_state(&mut words) {
                        names.get_or_insert_default().insert(name, state);
                    }
                }
                "all" => drop(names.get_or_insert_default()),
                _ => {}
            }
        }
        pause
    }
}

fn id_of<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<WatchId> {
    let pid = words.next()?.parse().ok()?;
    Some((
        pid,
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
    ))
}

fn place_of<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<(Inode, Vec<u8>)> {
    let device = u32::from_str_radix(words.next()?, 16).ok()?;
    let inode = u64::from_str_radix(words.next()?, 16).ok()?;
    Some(((device, inode), from_hex(words.next()?)?))
}
