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
        let counts = [
            (written, "written to"),
            (self.new, "new"),
            (self.gone, "gone"),
            (self.attributes, "with other attributes"),
            (self.moved, "watched themselves and moved"),
            (self.ended, "watched themselves and gone"),
        ];
        let counts: Vec<_> = counts
            .into_iter()
            .filter(|&(count, _)| count > 0)
            .map(|(count, what)| format!("{} {what}", number(count as u64)))
            .collect();
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
        let mut also = |count: usize, what: &str| {
            if count > 0 {
                text.push_str(&format!("{PROBLEM}{}: {what}\n", number(count as u64)));
            }
        };
        also(
            self.not_restored,
            "watches whose file or directory is not found any more stay mute: start their programs again",
        );
        also(
            self.untold,
            "watches are not told what changed: what they are on could not be held (too few descriptors, or it was moved)",
        );
        also(
            self.unlisted,
            "directories could not be listed: what changed in them is not told",
        );
        also(
            self.not_announced,
            "new names could not be told: no directory could be made on their file system",
        );
        also(
            self.only_create,
            "new names could not be told to watches that ask for CREATE alone",
        );
        also(
            self.failures,
            "operations were refused, and what they tell was not told",
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
