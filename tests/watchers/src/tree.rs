//! What is watched: a directory of its own for each run, with a file for each operation.

use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::Operation;
use crate::database::Database;
use crate::operation::STATE_FILES;

/// A sentinel is an edit that must be noticed; each is made to a file of its own.
const SENTINELS: usize = 100;

/// A directory to be watched, and one that is not.
pub struct Tree {
    dir: TempDir,
    aside: TempDir,
    extension: &'static str,
    database: Database,
    _running: Running,
    /// What [`Operation::Held`] replaces.
    _held: File,
}

impl Tree {
    /// Makes both. Files have the extension a watcher looks for: `txt`, `py`, `js` or `ts`; for the last
    /// two there is a `main` that imports the others.
    pub(crate) fn new(extension: &'static str) -> io::Result<Tree> {
        let temporary = |prefix| tempfile::Builder::new().prefix(prefix).tempdir();
        let dir = temporary("watched")?;
        let aside = temporary("aside")?;
        let path = |stem: String| dir.path().join(format!("{stem}.{extension}"));
        let held = path(Operation::Held.stem());
        fs::write(&held, "")?;
        let tree = Tree {
            extension,
            database: Database::open(&dir.path().join("state.sqlite"))?,
            _running: Running::start(&path(Operation::Executed.stem()))?,
            _held: File::open(held)?,
            dir,
            aside,
        };
        let mut files = Vec::new();
        for operation in Operation::all() {
            match operation {
                Operation::List => fs::create_dir(tree.target(Operation::List))?,
                Operation::Create | Operation::Empty | Operation::Mkdir => {}
                Operation::Sqlite | Operation::Executed => {}
                _ => files.push(tree.target(*operation)),
            }
        }
        files.extend((0..SENTINELS).map(|n| tree.sentinel(n)));
        for file in &files {
            // Twice, so that it is shorter when it is written anew.
            fs::write(file, tree.line(file).repeat(2))?;
        }
        let linked = tree.target(Operation::Linked);
        fs::hard_link(linked, tree.aside().join("linked"))?;
        // A change of attributes soon after a write is a touch, for all that can be told. Both alike, because
        // chokidar takes a file that was read since for unchanged.
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let times = FileTimes::new();
        let times = times.set_accessed(hour_ago).set_modified(hour_ago);
        File::open(tree.target(Operation::Chmod))?.set_times(times)?;
        for name in STATE_FILES {
            fs::write(tree.dir().join(name), "before\n")?;
        }
        if matches!(extension, "js" | "ts") {
            let imports = files.iter().map(|f| {
                let name = f.file_stem().unwrap_or_default().to_string_lossy();
                format!("import './{name}.js';\n")
            });
            fs::write(tree.main(), imports.collect::<String>())?;
        }
        Ok(tree)
    }

    /// The directory to be watched.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A directory for what else a watcher needs.
    pub fn aside(&self) -> &Path {
        self.aside.path()
    }

    /// The file that imports the others.
    pub fn main(&self) -> PathBuf {
        self.file("main")
    }

    /// What `operation` is done to.
    pub fn target(&self, operation: Operation) -> PathBuf {
        match operation {
            Operation::List | Operation::Mkdir => self.dir().join(operation.stem()),
            Operation::Wal if self.extension == "txt" => self.dir().join("config.toml"),
            _ => self.file(&operation.stem()),
        }
    }

    /// Every file an operation is done to, as far as there are any at the start.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let targets = Operation::all().iter().map(|o| self.target(*o));
        let sentinels = (0..SENTINELS).map(|n| self.sentinel(n));
        targets.chain(sentinels).filter(|f| f.is_file())
    }

    /// What [`Operation::Rename`] makes of its target.
    pub(crate) fn renamed(&self) -> PathBuf {
        self.file("renamed")
    }

    pub(crate) fn sentinel(&self, number: usize) -> PathBuf {
        self.file(&format!("sentinel-{number}"))
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// A comment in the language of the files, naming the file.
    pub(crate) fn line(&self, file: &Path) -> String {
        let mark = match self.extension {
            "js" | "ts" => "//",
            _ => "#",
        };
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        format!("{mark} {name}\n")
    }

    fn file(&self, stem: &str) -> PathBuf {
        self.dir().join(format!("{stem}.{}", self.extension))
    }
}

/// A program that runs as long as the tree is there.
struct Running(Child);

impl Running {
    /// Puts a program to `path` and starts it.
    fn start(path: &Path) -> io::Result<Running> {
        let program = support::tool("sleep").ok_or(io::ErrorKind::NotFound)?;
        // By a process of its own: what one of ours has open for writing a child may hold while this is executed.
        let status = Command::new("cp").arg(program).arg(path).status()?;
        assert!(status.success(), "cp: {status}");
        let mut command = Command::new(path);
        // Where it is one of many in one program, that goes by its name.
        command.arg0("sleep").arg("infinity");
        Ok(Running(command.stdin(Stdio::null()).spawn()?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
