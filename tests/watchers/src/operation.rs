//! What a test does to the watched tree, each on a file of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Something done to the watched tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Writing to an existing file.
    Write,
    /// `touch` of an existing file.
    Touch,
    /// Making a file.
    Create,
    /// Renaming a file inside the directory.
    Rename,
    /// Deleting a file.
    Delete,
    /// `chmod` of a file.
    Chmod,
    /// Reading a file.
    Read,
    /// Listing a directory.
    List,
}

impl Operation {
    /// What a watcher is there for.
    pub const EDITS: [Operation; 5] = [
        Operation::Write,
        Operation::Touch,
        Operation::Create,
        Operation::Rename,
        Operation::Delete,
    ];

    /// What must not wake it.
    pub const SILENT: [Operation; 3] = [Operation::Chmod, Operation::Read, Operation::List];

    /// The name, inside the watched directory, of what it is done to.
    pub fn target(self) -> &'static str {
        match self {
            Operation::Write => "write.txt",
            Operation::Touch => "touch.txt",
            Operation::Create => "create.txt",
            Operation::Rename => "rename.txt",
            Operation::Delete => "delete.txt",
            Operation::Chmod => "chmod.txt",
            Operation::Read => "read.txt",
            Operation::List => "listed",
        }
    }

    /// Makes what it will be done to.
    pub(crate) fn prepare(self, dir: &Path) {
        let target = dir.join(self.target());
        match self {
            Operation::Create => {}
            Operation::List => fs::create_dir(target).unwrap(),
            _ => support::overwrite(&target, "before\n"),
        }
    }

    /// Does it.
    pub(crate) fn act(self, dir: &Path) {
        let target = dir.join(self.target());
        match self {
            Operation::Write => support::append(&target, "more\n"),
            // The real program: what it does is three system calls, and their order matters.
            Operation::Touch => {
                let status = Command::new("touch").arg(&target).status().unwrap();
                assert!(status.success());
            }
            Operation::Create => support::overwrite(&target, "new\n"),
            Operation::Rename => fs::rename(target, dir.join("renamed.txt")).unwrap(),
            Operation::Delete => fs::remove_file(target).unwrap(),
            Operation::Chmod => fs::set_permissions(target, Permissions::from_mode(0o600)).unwrap(),
            Operation::Read => assert_eq!(fs::read(target).unwrap(), b"before\n"),
            Operation::List => assert_eq!(fs::read_dir(target).unwrap().count(), 0),
        }
    }

    /// Whether a report naming `path` (relative to the watched directory) is about this operation.
    pub(crate) fn is_named_by(self, path: &Path) -> bool {
        path.starts_with(self.target())
            || (self == Operation::Rename && path == Path::new("renamed.txt"))
    }
}
