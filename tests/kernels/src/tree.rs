//! What the checks watch: directories with files.

use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How many directories a tree has, itself among them.
pub const DIRECTORIES: usize = 41;

/// Forty directories below one, and in each of them a file.
pub struct Tree(TempDir);

impl Tree {
    /// In the home directory: that is where what people watch lies, and no tmpfs.
    pub fn new() -> Tree {
        let home = std::env::var_os("HOME").expect("HOME is set");
        let tree = Tree(TempDir::new_in(home).unwrap());
        for path in tree.directories() {
            fs::create_dir_all(&path).unwrap();
            support::overwrite(&path.join("config.toml"), "x");
        }
        tree
    }

    /// Its topmost directory.
    pub fn top(&self) -> &Path {
        self.0.path()
    }

    /// Something in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.top().join(name)
    }

    /// All directories.
    pub fn directories(&self) -> Vec<PathBuf> {
        let below = (0..DIRECTORIES - 1).map(|n| self.path(&format!("d{}/e{}", n % 4, n / 4)));
        std::iter::once(self.top().to_owned())
            .chain(below)
            .collect()
    }

    /// The file that every check edits.
    pub fn config(&self) -> PathBuf {
        self.path("config.toml")
    }
}
