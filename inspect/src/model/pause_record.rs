//! What `watchfix pause` notes of a pause: who made it, until when, and the masks the watches had.
//!
//! One file for each pause in the directory `pause` of the runtime directory, named by the PID and start of its guardian:
//! `PID-TICKS`. A line is a word and its values; texts are in hexadecimal, as paths are bytes.

use super::Name;
use std::fmt::Write;

/// The first line.
const FORMAT: &str = "watchfix pause 1";

/// A process: its PID and its start, in clock ticks since boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Started {
    /// Its PID.
    pub pid: u32,
    /// Its start.
    pub ticks: u64,
}

/// What a watch that was muted had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedWatch {
    /// Whose it is.
    pub process: Started,
    /// The descriptor of its instance there.
    pub fd: i32,
    /// The watch descriptor.
    pub wd: i32,
    /// The device of the watched inode, as fdinfo shows it.
    pub device: u32,
    /// The watched inode.
    pub inode: u64,
    /// The mask it had, as fdinfo shows it.
    pub mask: u32,
    /// Where the inode is.
    pub path: Name,
    /// It has its mask: the supervisor of `watchfix run` withholds what it reports.
    pub held: bool,
}

/// One pause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PauseRecord {
    /// The process that ends it.
    pub guardian: Started,
    /// The command it is for, as it was typed.
    pub command: Vec<u8>,
    /// When it began: seconds since 1970.
    pub since: i64,
    /// When it ends at the latest.
    pub until: i64,
    /// Its command has ended: it mutes nothing any more, and waits for another pause.
    pub over: bool,
    /// What is told afterwards: `all`, `one` or `none`.
    pub replay: String,
    /// The trees that are paused.
    pub dirs: Vec<Name>,
    /// What is left alone in them: patterns, as `--exclude` takes them.
    pub exclude: Vec<u8>,
    /// A directory of its own beside them, for as long as it tells what changed.
    pub aside: Vec<Name>,
    /// The watches it muted.
    pub watches: Vec<PausedWatch>,
}

impl PauseRecord {
    /// The name of the file.
    pub fn name(&self) -> String {
        format!("{}-{}", self.guardian.pid, self.guardian.ticks)
    }

    /// Writes it.
    pub fn text(&self) -> String {
        let mut text = format!("{FORMAT}\n");
        let Started { pid, ticks } = self.guardian;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "guardian {pid} {ticks}");
        let _ = writeln!(text, "command {}", hex(&self.command));
        let _ = writeln!(text, "time {} {}", self.since, self.until);
        let _ = writeln!(text, "over {}", u8::from(self.over));
        let _ = writeln!(text, "replay {}", self.replay);
        for dir in &self.dirs {
            let _ = writeln!(text, "dir {}", hex(dir.as_bytes()));
        }
        let _ = writeln!(text, "exclude {}", hex(&self.exclude));
        for aside in &self.aside {
            let _ = writeln!(text, "aside {}", hex(aside.as_bytes()));
        }
        for watch in &self.watches {
            let Started { pid, ticks } = watch.process;
            let PausedWatch { fd, wd, held, .. } = watch;
            let word = if *held { "held" } else { "watch" };
            let _ = writeln!(
                text,
                "{word} {pid} {ticks} {fd} {wd} {:x} {:x} {:x} {}",
                watch.device,
                watch.inode,
                watch.mask,
                hex(watch.path.as_bytes())
            );
        }
        text
    }

    /// Reads it; `None` if it is damaged.
    pub fn parse(text: &str) -> Option<PauseRecord> {
        let mut lines = text.lines();
        if lines.next() != Some(FORMAT) {
            return None;
        }
        let mut record = PauseRecord::default();
        for line in lines {
            let (word, rest) = line.split_once(' ')?;
            let mut numbers = rest.split(' ');
            match word {
                "guardian" => record.guardian = started(&mut numbers)?,
                "command" => record.command = from_hex(rest)?,
                "time" => {
                    record.since = numbers.next()?.parse().ok()?;
                    record.until = numbers.next()?.parse().ok()?;
                }
                "over" => record.over = rest == "1",
                "replay" => record.replay = rest.to_owned(),
                "dir" => record.dirs.push(from_hex(rest)?.into()),
                "exclude" => record.exclude = from_hex(rest)?,
                "aside" => record.aside.push(from_hex(rest)?.into()),
                "watch" | "held" => record.watches.push(watch(&mut numbers, word == "held")?),
                _ => return None,
            }
        }
        Some(record)
    }
}

fn started<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Started> {
    Some(Started {
        pid: words.next()?.parse().ok()?,
        ticks: words.next()?.parse().ok()?,
    })
}

fn watch<'a>(words: &mut impl Iterator<Item = &'a str>, held: bool) -> Option<PausedWatch> {
    Some(PausedWatch {
        process: started(words)?,
        fd: words.next()?.parse().ok()?,
        wd: words.next()?.parse().ok()?,
        device: u32::from_str_radix(words.next()?, 16).ok()?,
        inode: u64::from_str_radix(words.next()?, 16).ok()?,
        mask: u32::from_str_radix(words.next()?, 16).ok()?,
        path: from_hex(words.next()?)?.into(),
        held,
    })
}

/// Bytes as text.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of [`hex`].
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match pair {
        // It would take a sign as well.
        [high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
        }
        _ => None,
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(held: bool) -> PausedWatch {
        PausedWatch {
            process: Started { pid: 5, ticks: 6 },
            fd: 3,
            wd: 31,
            device: 0xfe0_0000,
            inode: u64::MAX,
            mask: 0x3ee,
            path: Name::from(&b"/srv/a b/c\n"[..]),
            held,
        }
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written_and_never_in_part() {
        let record = PauseRecord {
            guardian: Started { pid: 7, ticks: 99 },
            command: b"npm ci\xff".into(),
            since: 1,
            until: 901,
            over: true,
            replay: "one".into(),
            dirs: vec![Name::from(&b"/srv/a b"[..])],
            exclude: b"**/tmp".into(),
            aside: vec![Name::from(&b"/srv/.watchfix"[..])],
            watches: vec![watch(false), watch(true)],
        };
        let text = record.text();
        assert_eq!(PauseRecord::parse(&text), Some(record));
        let last = text.len() - 1;
        for (at, _) in text.match_indices(['\n', ' ']).filter(|&(at, _)| at < last) {
            let cut = &text[..at];
            assert_ne!(
                PauseRecord::parse(cut).map(|r| r.text()),
                Some(text.clone())
            );
        }
        assert_eq!(PauseRecord::parse(""), None);
        assert_eq!(PauseRecord::parse("watchfix pause 2\n"), None);
    }
}
