//! A file system that answers, and then never again (tests/support/c/halting.c).

use crate::{Victim, compile_c, root, skip, target_dir};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A process on a file system of its own, which can be made to answer no more.
///
/// Whoever waits for it cannot be ended; so it is ended first, however the test ends.
pub struct Halting {
    server: Server,
    /// The process.
    pub victim: Victim,
}

/// The server. It ends with this.
struct Server(u32);

impl Halting {
    /// Starts `command ARGS` on a file system mounted on `dir`, which only it and processes that enter its mount namespace see.
    ///
    /// # Errors
    /// There can be no such file system here.
    fn start(dir: &Path, command: &Command) -> Result<Halting, String> {
        let tried = Command::new(program()).arg(dir).arg("true").output();
        let tried = tried.map_err(|e| e.to_string())?;
        if !tried.status.success() {
            return Err(String::from_utf8_lossy(&tried.stderr).trim().to_owned());
        }
        let mut halting = Command::new(program());
        halting.arg(dir).arg(command.get_program());
        halting.args(command.get_args());
        for (name, value) in command.get_envs() {
            halting.env(name, value.unwrap_or_default());
        }
        let mut victim = Victim::spawn(&mut halting);
        let line = victim.line_with("server ");
        let server = line.trim_start_matches("server ").parse();
        Ok(Halting {
            server: Server(server.expect("the server's PID")),
            victim,
        })
    }

    /// The same, once the command has said READY. `None` where there can be no such file system: the test is skipped.
    pub fn ready(dir: &Path, command: &Command) -> Option<Halting> {
        match Halting::start(dir, command) {
            Ok(mut halting) => {
                halting.victim.line_with("READY");
                Some(halting)
            }
            Err(why) => {
                skip(&format!("no file system can be made here: {why}"));
                None
            }
        }
    }

    /// From now on nothing is answered.
    pub fn halt(&mut self) {
        self.server.signal(libc::SIGUSR1);
        self.victim.line_with("halted");
    }

    /// The program `command`, in the victim's mount namespace.
    pub fn beside(&self, command: &Path) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.arg(format!("--mount=/proc/{}/ns/mnt", self.victim.pid()));
        nsenter.arg("--").arg(command);
        nsenter
    }
}

impl Server {
    fn signal(&self, signal: i32) {
        // SAFETY: kill has no memory effects; the process is this test's, and nobody waits for it before.
        unsafe { libc::kill(self.0 as i32, signal) };
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(libc::SIGKILL);
    }
}

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let into = target_dir().join("halting");
        // Two test programs may compile it at once.
        let own = into.join(std::process::id().to_string());
        std::fs::create_dir_all(&own).expect("the target directory can be written");
        let source = root().join("tests/support/c/halting.c");
        let new = compile_c("cc", &source, &own, &["-Wextra"]).expect("halting.c compiles");
        let program = into.join("halting");
        std::fs::rename(new, &program).expect("the target directory can be written");
        let _ = std::fs::remove_dir(own);
        program
    })
}
