//! Where a program runs, and as whom.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::Victim;
use tempfile::TempDir;

use crate::processes::{Held, of_user};

/// A directory, an address and a user for one program and what puts it under load.
pub struct Stage {
    dir: TempDir,
    user: Option<User>,
}

#[derive(Clone, Copy)]
struct User {
    uid: u32,
    // Nobody else is this user: whatever it runs belongs to the stage.
    own: bool,
}

impl Stage {
    /// As whoever runs the tests.
    pub fn new() -> Stage {
        Stage::of(None)
    }

    /// As the user `uid`, whom nobody else uses, when root runs the tests; else as whoever does.
    pub fn own_user(uid: u32) -> Stage {
        Stage::of(support::is_root().then_some(User { uid, own: true }))
    }

    /// As the user of this name when root runs the tests; else as whoever does.
    pub fn named_user(name: &str) -> Result<Stage, String> {
        if !support::is_root() {
            return Ok(Stage::new());
        }
        let id = Command::new("id").args(["-u", name]).output();
        let text = String::from_utf8(id.map_err(|e| e.to_string())?.stdout).unwrap_or_default();
        let uid = text.trim().parse();
        let uid = uid.map_err(|_| format!("there is no user {name}"))?;
        Ok(Stage::of(Some(User { uid, own: false })))
    }

    fn of(user: Option<User>) -> Stage {
        let dir = tempfile::Builder::new()
            .prefix("healthy")
            .tempdir()
            .unwrap();
        let stage = Stage { dir, user };
        stage.give(stage.dir.path());
        stage
    }

    fn give(&self, path: &Path) {
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        if let Some(User { uid, .. }) = self.user {
            chown(path, Some(uid), Some(uid)).unwrap();
        }
    }

    /// The directory everything is kept in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A file of the stage's user.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir().join(name);
        fs::write(&path, text).unwrap();
        self.give(&path);
        path
    }

    /// A new directory of the stage's user.
    pub fn make(&self, name: &str) -> PathBuf {
        let path = self.dir().join(name);
        fs::create_dir(&path).unwrap();
        self.give(&path);
        path
    }

    /// `program` as the stage's user, at home in its directory.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = match self.user {
            None => Command::new(program),
            Some(User { uid, .. }) => support::as_user(uid, program),
        };
        command
            .current_dir(self.dir())
            .env("HOME", self.dir())
            .env("TMPDIR", self.dir())
            .env_remove("LD_PRELOAD")
            .env_remove("XDG_RUNTIME_DIR");
        command
    }

    /// The same with a program of this name, or why it cannot be.
    pub fn tool(&self, name: &str) -> Result<Command, String> {
        let why = || format!("no {name}: scripts/install-test-tools says why");
        let path = installed(name).ok_or_else(why)?;
        Ok(self.command(&path))
    }

    /// Runs a command to its end, which must be a success.
    #[track_caller]
    pub fn run(&self, command: &mut Command) {
        let done = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(
            done.status.success(),
            "{command:?}: {}: {said}",
            done.status
        );
    }

    /// Starts a command that goes on until the test ends it.
    pub fn start(&self, command: &mut Command) -> Program<'_> {
        Program {
            victim: Victim::spawn(command),
            stage: self,
        }
    }

    /// Whether nobody else has processes of the stage's user, so that a limit of the user's is the program's.
    pub(crate) fn has_own_user(&self) -> bool {
        self.user.is_some_and(|user| user.own)
    }
}

impl Default for Stage {
    fn default() -> Self {
        Stage::new()
    }
}

/// A running program. It and whatever it has started end with this.
pub struct Program<'a> {
    /// Its first process.
    pub victim: Victim,
    pub(crate) stage: &'a Stage,
}

impl Program<'_> {
    /// Every process of it, as of now; where the stage has a user of its own, every process of that user.
    pub fn processes(&self) -> Vec<u32> {
        let mut all = support::with_descendants(self.victim.pid());
        if let Some(User { uid, own: true }) = self.stage.user {
            all.extend(of_user(uid));
        }
        all.into_iter().collect()
    }

    /// Waits until it listens on the port.
    pub fn wait_for_port(&self, port: u16) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.wait_until(&format!("nobody listens on {address}"), || {
            TcpStream::connect(address).is_ok()
        });
    }

    /// Waits until `holds`; the program must not end meanwhile.
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        support::wait_until(what, || {
            let alive = self.is_running();
            let holds = holds();
            assert!(alive || holds, "it has ended: {what}");
            holds
        });
    }

    /// Whether its first process has not ended.
    pub fn is_running(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.victim.pid()));
        // The state follows the name, which may hold anything (proc_pid_stat(5)).
        let state = stat.ok().and_then(|stat| {
            let (_, rest) = stat.rsplit_once(") ")?;
            rest.chars().next()
        });
        state.is_some_and(|state| state != 'Z')
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        let all = Held::all(self.processes());
        self.victim.signal(libc::SIGTERM);
        // What does not end when it is asked to, ends all the same.
        Held::end(all);
    }
}

/// Where a command lies; some are not in everybody's PATH.
fn installed(name: &str) -> Option<PathBuf> {
    support::tool(name).or_else(|| {
        let path = Path::new("/usr/sbin").join(name);
        path.is_file().then_some(path)
    })
}

/// A script of this package.
pub fn script(name: &str) -> PathBuf {
    support::root().join("tests/healthy/scripts").join(name)
}
