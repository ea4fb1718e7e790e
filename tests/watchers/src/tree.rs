//! What is watched: a directory of its own for each run, with a file for each operation.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use crate::Operation;
use crate::operation::STATE_FILES;

/// A sentinel is an edit that must be noticed; each is made to a file of its own.
const SENTINELS: usize = 100;

/// A directory to be watched, and one that is not.
pub struct Tree {
    dir: TempDir,
    aside: TempDir,
    extension: &'static str,
    database: Database,
}

impl Tree {
    /// Makes both. Files have the extension a watcher looks for: `txt`, `py`, `js` or `ts`; for the last
    /// two there is a `main` that imports the others.
    pub(crate) fn new(extension: &'static str) -> io::Result<Tree> {
        let temporary = |prefix| tempfile::Builder::new().prefix(prefix).tempdir();
        let dir = temporary("watched")?;
        let database = Database::open(&dir.path().join("state.sqlite"))?;
        let tree = Tree {
            dir,
            aside: temporary("aside")?,
            extension,
            database,
        };
        let mut files = Vec::new();
        for operation in Operation::all() {
            match operation {
                Operation::List => std::fs::create_dir(tree.target(Operation::List))?,
                Operation::Create | Operation::Mkdir | Operation::Sqlite => {}
                _ => files.push(tree.target(*operation)),
            }
        }
        files.extend((0..SENTINELS).map(|n| tree.sentinel(n)));
        for file in &files {
            // Twice, so that it is shorter when it is written anew.
            std::fs::write(file, tree.line(file).repeat(2))?;
        }
        for name in STATE_FILES {
            std::fs::write(tree.dir().join(name), "before\n")?;
        }
        if matches!(extension, "js" | "ts") {
            let imports = files.iter().map(|f| {
                let name = f.file_stem().unwrap_or_default().to_string_lossy();
                format!("import './{name}.js';\n")
            });
            std::fs::write(tree.main(), imports.collect::<String>())?;
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
            _ => self.file(operation.stem()),
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

/// A SQLite database in WAL mode. It is open as long as the tree is there, so that its -wal and -shm are
/// no new names to anybody.
pub(crate) struct Database {
    shell: Child,
    answers: RefCell<BufReader<ChildStdout>>,
}

impl Database {
    fn open(path: &Path) -> io::Result<Database> {
        let mut shell = Command::new("sqlite3")
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let answers = shell.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let database = Database {
            shell,
            answers: RefCell::new(BufReader::new(answers)),
        };
        database.run("PRAGMA journal_mode=WAL; CREATE TABLE t(x);\n")?;
        Ok(database)
    }

    /// Commits 200 transactions, does `edit`, and commits 200 more.
    pub(crate) fn write_around(&self, edit: impl FnOnce()) -> io::Result<()> {
        let transactions = "INSERT INTO t VALUES(randomblob(100));\n".repeat(200);
        self.run(&transactions)?;
        edit();
        self.run(&transactions)
    }

    /// Runs statements and waits until they are done.
    fn run(&self, statements: &str) -> io::Result<()> {
        let mut to = self.shell.stdin.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        to.write_all(statements.as_bytes())?;
        to.write_all(b"SELECT 'done';\n")?;
        let mut line = String::new();
        while line != "done\n" {
            line.clear();
            if self.answers.borrow_mut().read_line(&mut line)? == 0 {
                return Err(io::Error::other("sqlite3 ended"));
            }
        }
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
