//! What is done to a watched tree, each on a file of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::attributes;
use crate::tree::Tree;

/// Something done to a watched tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// Adding a line to a file.
    Write,
    /// Emptying a file and writing it anew.
    Rewrite,
    /// Writing a file under another name and renaming it over the old one.
    Replace,
    /// The same, but the new file is closed only after it has been renamed, as GLib saves.
    LateClose,
    /// Replacing a file that a process holds open.
    Held,
    /// Replacing a file that has a second name elsewhere.
    Linked,
    /// Replacing a program that is running.
    Executed,
    /// `touch` of a file.
    Touch,
    /// `touch` by path: one utimensat, as of Python's `os.utime` and node's `utimes`.
    Utime,
    /// `touch -c`.
    TouchC,
    /// busybox's `touch`.
    BusyboxTouch,
    /// Making a file.
    Create,
    /// Making a file with nothing in it.
    Empty,
    /// Opening a file for reading and writing and closing it again, as many a lock is taken.
    Lock,
    /// 1,000 writes, each with an open and a close of its own.
    Burst,
    /// A line added to a configuration file while SQLite writes its log beside it.
    Wal,
    /// Making a directory, and then a file in it.
    Mkdir,
    /// `chmod` of a file, and what else changes only its attributes: owner, links, extended attributes.
    Chmod,
    /// Reading a file.
    Read,
    /// Listing a directory.
    List,
    /// Writing to SQLite databases, their logs and journals.
    Sqlite,
    /// Renaming a file inside the directory.
    Rename,
    /// Deleting a file.
    Delete,
}

impl Operation {
    /// All of them, in the order they are done: what may end a build comes last.
    pub fn all() -> &'static [Operation] {
        Operation::value_variants()
    }

    /// Whether it is a few system calls on one file, so that it can be done along with others.
    pub(crate) fn is_brief(self) -> bool {
        let long = [
            Operation::Burst,
            Operation::Wal,
            Operation::Mkdir,
            Operation::Sqlite,
        ];
        !long.contains(&self)
    }

    /// Its name on the command line and in the table.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |v| v.get_name().to_owned())
    }

    /// The name, without its extension, of what it is done to.
    pub(crate) fn stem(self) -> String {
        match self {
            Operation::Wal => "config".to_owned(),
            Operation::Mkdir => "made".to_owned(),
            Operation::List => "listed".to_owned(),
            Operation::Sqlite => "state".to_owned(),
            _ => self.name(),
        }
    }

    /// Does it.
    pub(crate) fn act(self, tree: &Tree) -> io::Result<()> {
        let target = tree.target(self);
        let line = tree.line(&target);
        let new = target.with_extension("new");
        match self {
            Operation::Write => support::append(&target, &line),
            Operation::Rewrite | Operation::Create => support::overwrite(&target, &line),
            Operation::Empty => support::overwrite(&target, ""),
            Operation::Replace | Operation::Held | Operation::Linked | Operation::Executed => {
                support::overwrite(&new, &line);
                fs::rename(new, target)?;
            }
            Operation::LateClose => support::rename_before_close(&target, &new, &line),
            // The real program: what it does is three system calls, and their order matters.
            Operation::Touch => run(Command::new("touch").arg(target))?,
            Operation::Utime => attributes::touch(&target)?,
            Operation::TouchC => run(Command::new("touch").arg("-c").arg(target))?,
            Operation::BusyboxTouch => run(Command::new("busybox").arg("touch").arg(target))?,
            Operation::Lock => support::open_and_close(&target),
            Operation::Burst => support::append_times(&target, &line, 1000),
            Operation::Wal => tree
                .database()
                .write_around(|| support::append(&target, &line))?,
            Operation::Mkdir => fs::create_dir(target)?,
            Operation::Chmod => attributes::change(&target, &tree.aside().join("link"))?,
            Operation::Read => drop(fs::read(target)?),
            Operation::List => drop(fs::read_dir(target)?.count()),
            Operation::Sqlite => tree.database().write_around(|| {
                for name in STATE_FILES {
                    support::append(&tree.dir().join(name), "more\n");
                }
            })?,
            Operation::Rename => fs::rename(target, tree.renamed())?,
            Operation::Delete => fs::remove_file(target)?,
        }
        Ok(())
    }

    /// Whether a report naming `path` (relative to the watched directory) is about this operation.
    pub(crate) fn is_named_by(self, path: &Path, tree: &Tree) -> bool {
        let about = |file: PathBuf| path == file.strip_prefix(tree.dir()).unwrap_or(&file);
        match self {
            // The directory alone is not enough: what is made in it counts.
            Operation::Mkdir => path.starts_with(self.stem()) && path != Path::new(&self.stem()),
            Operation::List => path.starts_with(self.stem()),
            Operation::Sqlite => crate::contract::is_ignored(path),
            Operation::Rename => about(tree.target(self)) || about(tree.renamed()),
            _ => about(tree.target(self)),
        }
    }
}

fn run(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    assert!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// Existing files the default ignore list names, beside the database that is written to.
pub(crate) const STATE_FILES: [&str; 4] = [
    "other.sqlite3",
    "other.sqlite-wal",
    "other.sqlite-shm",
    "app.db-journal",
];
