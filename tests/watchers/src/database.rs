//! A SQLite database beside the files.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A SQLite database in WAL mode. It is open as long as the tree is there, so that its -wal and -shm are
/// no new names to anybody.
pub(crate) struct Database {
    shell: Child,
    answers: RefCell<BufReader<ChildStdout>>,
}

impl Database {
    pub(crate) fn open(path: &Path) -> io::Result<Database> {
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
