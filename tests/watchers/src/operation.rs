//! What is done to a watched tree, each on a file of its own.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

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
    /// `touch` of a file.
    Touch,
    /// 1,000 writes, each with an open and a close of its own.
    Burst,
    /// A line added to a configuration file while SQLite writes its log beside it.
    Wal,
    /// Making a file.
    Create,
    /// Making a directory, and then a file in it.
    Mkdir,
    /// `chmod` of a file.
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

    /// What a watcher is there for: no rule may take these from it.
    pub fn is_edit(self) -> bool {
        !matches!(
            self,
            Operation::Chmod | Operation::Read | Operation::List | Operation::Sqlite
        )
    }

    /// Its name on the command line and in the table.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |v| v.get_name().to_owned())
    }

    /// The name, without its extension, of what it is done to.
    pub(crate) fn stem(self) -> &'static str {
        match self {
            Operation::Write => "write",
            Operation::Rewrite => "rewrite",
            Operation::Replace => "replace",
            Operation::Touch => "touch",
            Operation::Burst => "burst",
            Operation::Wal => "config",
            Operation::Create => "create",
            Operation::Mkdir => "made",
            Operation::Chmod => "chmod",
            Operation::Read => "read",
            Operation::List => "listed",
            Operation::Sqlite => "state",
            Operation::Rename => "rename",
            Operation::Delete => "delete",
        }
    }

    /// Does it.
    pub(crate) fn act(self, tree: &Tree) -> io::Result<()> {
        let target = tree.target(self);
        let line = tree.line(&target);
        match self {
            Operation::Write => support::append(&target, &line),
            Operation::Rewrite | Operation::Create => support::overwrite(&target, &line),
            Operation::Replace => {
                let new = tree.dir().join("replace.new");
                support::overwrite(&new, &line);
                fs::rename(new, target)?;
            }
            // The real program: what it does is three system calls, and their order matters.
            Operation::Touch => {
                let status = Command::new("touch").arg(target).status()?;
                assert!(status.success(), "touch: {status}");
            }
            Operation::Burst => support::append_times(&target, &line, 1000),
            Operation::Wal => tree
                .database()
                .write_around(|| support::append(&target, &line))?,
            Operation::Mkdir => fs::create_dir(target)?,
            Operation::Chmod => fs::set_permissions(target, Permissions::from_mode(0o600))?,
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
            Operation::Mkdir => path.starts_with(self.stem()) && path != Path::new(self.stem()),
            Operation::List => path.starts_with(self.stem()),
            Operation::Sqlite => crate::contract::is_ignored(path),
            Operation::Rename => about(tree.target(self)) || about(tree.renamed()),
            _ => about(tree.target(self)),
        }
    }
}

/// Existing files the default ignore list names, beside the database that is written to.
pub(crate) const STATE_FILES: [&str; 4] = [
    "other.sqlite3",
    "other.sqlite-wal",
    "other.sqlite-shm",
    "app.db-journal",
];
