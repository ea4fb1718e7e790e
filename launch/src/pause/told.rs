//! What a pause came to, in the words of its last lines.

use super::held::HandedOver;
use super::message::PROBLEM;
use inspect::model::Name;
use inspect::words::{number, plural};
use std::io;

/// Refusals that are told one by one.
const SHOWN: usize = 3;

/// What was done at the end of a pause.
#[derive(Debug, Default)]
pub struct Told {
    /// Watches that have the masks they had.
    pub restored: usize,
    /// Muted watches whose inode could not be found again.
    pub not_restored: usize,
    /// Watches that have their masks again, but were not told what changed: what they are on was not held.
    pub untold: usize,
    /// Watches on what has ended, which hear that.
    pub ended: usize,
    /// What was in it: no operation raises an event in a directory that has ended.
    pub ended_entries: usize,
    /// Names that were told to be gone.
    pub gone: usize,
    /// New names that were told.
    pub new: usize,
    /// Files that were told to be written to, by MODIFY.
    pub written: usize,
    /// The same by CLOSE_WRITE.
    pub closed: usize,
    /// Watched files and directories that were told to be moved.
    pub moved: usize,
    /// Files and directories whose attributes were told to be others.
    pub attributes: usize,
    /// New names where somebody hears CREATE alone, which no operation raises for what is there.
    pub only_create: usize,
    /// New names with no place for what announces them.
    pub not_announced: usize,
    /// Directories that could not be listed.
    pub unlisted: usize,
    /// Directories of ours that something is left in.
    pub left_aside: Vec<Name>,
    /// Operations that were refused.
    pub failures: usize,
    /// The first of them, as lines.
    pub first: Vec<String>,
}

impl Told {
    /// Counts an operation, in `count` if it was done.
    pub fn done(
        &mut self,
        dir: &[u8],
        name: &[u8],
        done: io::Result<()>,
        count: fn(&mut Told) -> &mut usize,
    ) {
        match done {
            Ok(()) => *count(self) += 1,
            Err(e) => self.failed(dir, name, &e),
        }
    }

    /// Counts one that was refused. What has gone meanwhile is not one.
    pub fn failed(&mut self, dir: &[u8], name: &[u8], error: &io::Error) {
        if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EEXIST)) {
            return;
        }
        self.failures += 1;
        if self.first.len() < SHOWN {
            let dir = Name::from(dir);
            let slash = if name.is_empty() || dir.as_bytes().is_empty() {
                ""
            } else {
                "/"
            };
            let why = crate::sys::words(error);
            self.first
                .push(format!("{dir}{slash}{}: {why}", Name::from(name)));
        }
    }

    /// Adds what was handed over to so many watches whose records were withheld.
    pub fn add(&mut self, handed_over: &HandedOver, watches: usize) {
        self.restored += watches;
        self.gone += handed_over.gone;
        self.new += handed_over.new;
        self.written += handed_over.written;
        self.attributes += handed_over.attributes;
    }

    /// Lines, each with its newline.
    pub fn text(&self) -> String {
        let mut text = format!("resumed {}", plural(self.restored, "watch", "watches"));
        let written = self.written.max(self.closed);
        let paths = |count| plural(count, "watched path", "watched paths");
        let counts = [
            (written, format!("{} written to", number(written as u64))),
            (self.new, format!("{} new", number(self.new as u64))),
            (self.gone, format!("{} gone", number(self.gone as u64))),
            (
                self.attributes,
                format!("{} with other attributes", number(self.attributes as u64)),
            ),
            (self.moved, format!("{} moved", paths(self.moved))),
            (
                self.ended,
                match self.ended_entries {
                    0 => format!("{} gone", paths(self.ended)),
                    entries => format!(
                        "{} gone ({} inside not told one by one)",
                        paths(self.ended),
                        plural(entries, "entry", "entries")
                    ),
                },
            ),
        ];
        let counts = counts.into_iter().filter(|&(count, _)| count > 0);
        let counts: Vec<_> = counts.map(|(_, text)| text).collect();
        let untold = self.untold
            + self.not_restored
            + self.unlisted
            + self.not_announced
            + self.only_create
            + self.failures;
        match counts.is_empty() {
            true if untold > 0 => text.push('\n'),
            true => text.push_str("; nothing had changed that they ask for\n"),
            false => {
                text.push_str(&format!(
                    "; told once what changed: {}\n",
                    counts.join(", ")
                ));
            }
        }
        let watches = |count| plural(count, "watch", "watches");
        let names = |count| plural(count, "new name", "new names");
        let mut also = |count: usize, what: String| {
            if count > 0 {
                text.push_str(&format!("{PROBLEM}{what}\n"));
            }
        };
        also(
            self.not_restored,
            format!(
                "{} still mute, because the file or directory is not found any more: start the program again",
                watches(self.not_restored)
            ),
        );
        also(
            self.untold,
            format!(
                "{} not told what changed, because the file or directory could not be held (too few descriptors, or it was moved)",
                watches(self.untold)
            ),
        );
        also(
            self.unlisted,
            format!(
                "{} could not be listed: what changed there is not told",
                plural(self.unlisted, "directory", "directories")
            ),
        );
        also(
            self.not_announced,
            format!(
                "{} not told, because no directory could be made on the file system",
                names(self.not_announced)
            ),
        );
        also(
            self.only_create,
            format!(
                "{} not told to watches that ask for CREATE and not for MOVED_TO",
                names(self.only_create)
            ),
        );
        also(
            self.failures,
            format!(
                "{} refused: those changes were not told",
                plural(self.failures, "operation was", "operations were")
            ),
        );
        for line in &self.first {
            text.push_str(&format!("{PROBLEM}  {line}\n"));
        }
        for aside in &self.left_aside {
            text.push_str(&format!("{PROBLEM}files of yours are left in {aside}\n"));
        }
        text
    }
}
