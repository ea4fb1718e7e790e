//! What the tests share: watchers, and a pause whose command is the test itself.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use support::Victim;
use tempfile::TempDir;

/// MODIFY ATTRIB CLOSE_WRITE MOVED_FROM MOVED_TO CREATE DELETE DELETE_SELF MOVE_SELF, as watchers ask for.
pub const USUAL: &str = "0xfce";

/// All events.
pub const ALL: &str = "0xfff";

/// A directory `app` with files, in an empty one.
pub struct Tree {
    dir: TempDir,
    app: PathBuf,
}

impl Tree {
    pub fn new() -> Tree {
        Tree::at(TempDir::new().unwrap())
    }

    pub fn at(dir: TempDir) -> Tree {
        let app = dir.path().canonicalize().unwrap().join("app");
        fs::create_dir(&app).unwrap();
        let tree = Tree { dir, app };
        for name in ["a", "b", "c"] {
            tree.write(name, name);
        }
        tree
    }

    pub fn above(&self) -> &Path {
        self.dir.path()
    }

    pub fn app(&self) -> &Path {
        &self.app
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.app.join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        support::overwrite(&self.path(name), text);
    }

    /// As tools replace a file: another one is renamed over it.
    pub fn replace(&self, name: &str, text: &str) {
        let new = self.path(&format!("{name}.new~"));
        support::overwrite(&new, text);
        fs::rename(new, self.path(name)).unwrap();
    }

    /// All that is there, with what must not change: inode, mode, time of the last write, size, links, content.
    pub fn content(&self) -> BTreeMap<PathBuf, String> {
        let mut all = BTreeMap::new();
        let mut left = vec![self.app.clone()];
        while let Some(path) = left.pop() {
            let at = fs::symlink_metadata(&path).unwrap();
            let mut text = format!(
                "{} {:o} {}.{}",
                at.ino(),
                at.mode(),
                at.mtime(),
                at.mtime_nsec()
            );
            if at.is_dir() {
                left.extend(
                    fs::read_dir(&path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
            } else {
                text += &format!(" {} {} ", at.size(), at.nlink());
                text += &fs::read(&path)
                    .map(|b| String::from_utf8_lossy(&b).into_owned())
                    .unwrap_or_default();
            }
            all.insert(path, text);
        }
        all
    }
}

/// Waits until a change of a file has another time than one that was made just now: what was changed in the moment the
/// pause begins is told as written.
pub fn tick() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let time = || {
        support::overwrite(file.path(), "");
        let at = fs::metadata(&file).unwrap();
        (at.ctime(), at.ctime_nsec() / 10_000_000)
    };
    let first = time();
    support::wait_until("the clock goes on", || time() != first);
}

/// Watchers: instances in a process of their own.
pub struct Watchers(pub Victim);

impl Watchers {
    /// An instance for each mask and path.
    pub fn new(watches: &[(&str, &Path)]) -> Watchers {
        Watchers::by(Command::new(program()), watches)
    }

    pub fn by(mut command: Command, watches: &[(&str, &Path)]) -> Watchers {
        for (mask, path) in watches {
            command.arg(mask).arg(path);
        }
        Watchers(support::ready(&mut command))
    }

    /// What was heard since the last time: lines "INSTANCE EVENT NAME".
    pub fn heard(&mut self) -> Vec<String> {
        self.0.send("sync");
        let mut lines = self.0.lines_until("SYNC", |line| line == "SYNC");
        lines.pop();
        let without_wd = |line: &String| {
            let words: Vec<_> = line.split(' ').collect();
            format!("{} {} {}", words[0], words[1], words[3..].join(" "))
                .trim_end()
                .to_owned()
        };
        // What stands for a read of which nothing is left is nobody's.
        let is_filler = |line: &&String| line.split(' ').nth(2) == Some("-1");
        let lines = lines.iter().filter(|line| !is_filler(line));
        let lines = lines.filter(|line| !line.starts_with("wd "));
        let mut heard: Vec<_> = lines.map(without_wd).collect();
        // The kernel does the same, as long as the first was not read.
        heard.dedup();
        heard
    }

    /// What one instance heard.
    pub fn heard_by(heard: &[String], instance: usize) -> Vec<&str> {
        let prefix = format!("{instance} ");
        heard
            .iter()
            .filter_map(|line| line.strip_prefix(&prefix))
            .collect()
    }

    pub fn add(&mut self, instance: usize, mask: &str, path: &Path) {
        self.0
            .send(&format!("add {instance} {mask} {}", path.display()));
        self.0.line_with("wd ");
    }
}

/// hears (tests/c/hears.c).
pub fn program() -> &'static Path {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let dir = TempDir::new().unwrap();
        let source = support::root().join("launch/tests/c/hears.c");
        let path = support::compile_c("cc", &source, dir.path(), &[]).unwrap();
        (dir, path)
    });
    path
}

/// A user of the test's own. No other test ends its pauses. No other test's user looks up its watches either, which it
/// would hear.
pub struct User {
    runtime: TempDir,
    uid: Option<u32>,
    tree: PathBuf,
}

impl User {
    /// It owns the tree.
    pub fn of(tree: &Tree) -> User {
        static NEXT: AtomicU32 = AtomicU32::new(61_000);
        let uid = NEXT.fetch_add(1, Ordering::Relaxed);
        let user = User {
            runtime: TempDir::new().unwrap(),
            uid: support::is_root().then_some(uid),
            tree: tree.app().to_owned(),
        };
        for path in [user.runtime.path(), tree.above()] {
            user.own(path);
            fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
        }
        user.own_all(tree);
        let directory = program().parent().unwrap();
        fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
        user
    }

    /// What root has made in the tree meanwhile is its own.
    pub fn own_all(&self, tree: &Tree) {
        tree.content().keys().for_each(|path| self.own(path));
    }

    pub fn own(&self, path: &Path) {
        lchown(path, self.uid, self.uid).unwrap();
    }

    /// A program that it starts.
    pub fn starts(&self, program: &Path) -> Command {
        let mut command = match self.uid {
            Some(uid) => support::as_user(uid, program),
            None => Command::new(program),
        };
        support::without_rules(&mut command).env("XDG_RUNTIME_DIR", self.runtime.path());
        // Its watches are looked for from there on, where they are found at once.
        command.current_dir(&self.tree);
        command
    }

    /// watchfix.
    pub fn watchfix(&self) -> Command {
        self.starts(env!("CARGO_BIN_EXE_watchfix").as_ref())
    }

    /// Its records.
    pub fn records(&self) -> PathBuf {
        let name = inspect::gather::records_directory();
        self.runtime.path().join(name).join("pause")
    }
}

/// watchfix, with no rules but those of the test.
pub fn watchfix() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchfix"));
    support::without_rules(&mut command);
    command
}

/// A pause whose command ends when the test says so.
pub struct Pause(pub Victim);

impl Pause {
    /// `watchfix pause ARGS DIR -- cat`, in force.
    pub fn of(dir: &Path, args: &[&str]) -> Pause {
        Pause::by(watchfix(), dir, args)
    }

    pub fn by(mut command: Command, dir: &Path, args: &[&str]) -> Pause {
        tick();
        command.arg("pause").args(args).arg(dir);
        // What it says comes with what the command does.
        let script = "exec \"$@\" -- sh -c 'echo BEGUN $$; exec cat' 2>&1";
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        Pause::running(Victim::spawn(&mut shell))
    }

    fn running(mut victim: Victim) -> Pause {
        victim.line_with("BEGUN ");
        Pause(victim)
    }

    /// The command's PID.
    pub fn command(&self) -> u32 {
        let line = self
            .0
            .seen()
            .iter()
            .find_map(|line| line.strip_prefix("BEGUN "))
            .unwrap();
        line.parse().unwrap()
    }

    /// What it said before the command began.
    pub fn said(&self) -> String {
        self.0.seen().join("\n")
    }

    /// The command ends, and what was said afterwards.
    pub fn end(self) -> String {
        let (status, lines) = self.0.finish();
        let text = lines.join("\n");
        assert!(status.success(), "{status}: {text}");
        text
    }
}

/// `watchfix pause ARGS`: its status, standard output and standard error.
pub fn pause(args: &[&str]) -> (i32, String, String) {
    tick();
    let Output {
        status,
        stdout,
        stderr,
    } = watchfix().arg("pause").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The masks of a process's watches, by wd within instance.
pub fn masks(pid: u32) -> Vec<u32> {
    support::watches(pid)
        .iter()
        .map(|watch| watch.mask)
        .collect()
}
