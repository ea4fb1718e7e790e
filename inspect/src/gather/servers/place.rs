//! What a process wants that should take another one's place: the same command, or the same program for the same port.

use crate::gather::descriptors::sockets::{Tables, socket_inode};
use crate::gather::process::processes::Processes;
use crate::gather::process::{program, status};
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Name, Process, is_title};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// The place of a server.
pub struct Place {
    command: Vec<Name>,
    program: Named,
    cwd: Option<Name>,
    ports: Vec<u16>,
    /// Its network namespace. In another one every port is another one.
    network: Option<Vec<u8>>,
    /// Its PORT names one of its ports.
    by_variable: bool,
}

/// A program by the names of its file and, if that runs scripts, of the script: [`program::Program`] knows the script
/// itself, which takes more than there is time for while a process fails to start.
struct Named {
    exe: Option<Name>,
    script: Option<Name>,
}

impl Named {
    fn of(dir: &ProcDir, command: &[Name]) -> Named {
        let mut paths = program::paths(dir, command).into_iter();
        Named {
            exe: paths.next(),
            script: paths.next(),
        }
    }

    /// Whether it runs code that has no name: of a worker that was started from code, or that has set its title.
    fn is_unnamed(&self) -> bool {
        let exe = self.exe.as_ref();
        self.script.is_none() && exe.is_some_and(|exe| program::is_interpreter(exe.as_bytes()))
    }

    /// Whether both are the same. An interpreter may have been updated meanwhile.
    fn is(&self, other: &Named) -> bool {
        match (&self.script, &other.script) {
            (Some(own), Some(other)) => own == other,
            (None, None) => self.exe == other.exe,
            _ => false,
        }
    }
}

impl Place {
    /// `None` if its command is not known.
    pub fn of(process: &Process) -> Option<Place> {
        let command = process.cmdline.clone()?;
        let dir = ProcDir::open(process.pid).ok()?;
        let listeners = process.surroundings.listeners.iter();
        let mut place = Place {
            program: Named::of(&dir, &command),
            command,
            cwd: process.surroundings.cwd.clone(),
            ports: listeners.filter_map(|listener| listener.port).collect(),
            network: dir.read_link("ns/net").ok(),
            by_variable: false,
        };
        place.by_variable = place.is_its_variable(&dir) == Some(true);
        Some(place)
    }

    /// Whether a process wants it, as far as its command, directory and variables show.
    pub fn is_wanted_by(&self, dir: &ProcDir) -> bool {
        let line = status::command_line(dir).unwrap_or_default();
        let program = Named::of(dir, &line);
        let same_program = self.program.is(&program);
        // The worker of a reloading server has another command than what starts the server.
        let same_worker = self.program.is_unnamed()
            && self.program.exe == program.exe
            && program.script.is_some();
        if line.is_empty() || !(same_program || same_worker) || !self.may_be_wanted_by(dir) {
            return false;
        }
        let same_cwd =
            || self.cwd.is_some() && dir.read_link("cwd").ok().map(Name::from) == self.cwd;
        let given = || line.iter().skip(1).any(|word| self.is_given(word));
        let by_variable = || self.is_its_variable(dir) == Some(true);
        if same_program && line == self.command {
            // A release may lie in another directory than the one before.
            return self.is_one_everywhere() || same_cwd() || given() || by_variable();
        }
        same_cwd() && (given() || same_worker && by_variable())
    }

    /// Whether a process could want it: it may be in another network namespace, or its PORT may be another one.
    pub fn may_be_wanted_by(&self, dir: &ProcDir) -> bool {
        let network = dir.read_link("ns/net").ok();
        let elsewhere = network.is_some() && self.network.is_some() && network != self.network;
        !elsewhere && (!self.by_variable || self.is_its_variable(dir) != Some(false))
    }

    /// Whether a process listens on one of its ports too (SO_REUSEPORT).
    pub fn is_shared_with(&self, dir: &ProcDir) -> bool {
        let mut sockets = HashSet::new();
        // What cannot be read is not known to listen.
        let _ = Processes::open().and_then(|mut all| {
            all.each_link(dir.pid, None, |_, link| {
                sockets.extend(socket_inode(link));
                ControlFlow::Continue(())
            })
        });
        if sockets.is_empty() {
            return false;
        }
        let tables = Tables::with_ports(dir);
        let mut listening = self.ports.iter().flat_map(|&port| tables.port(port));
        listening.any(|socket| sockets.contains(&socket.inode))
    }

    /// Whether the command means the same in any directory. `node server.js` does not, nor does a title.
    fn is_one_everywhere(&self) -> bool {
        match &self.program.script {
            Some(script) => script.as_bytes().starts_with(b"/"),
            None => !self.command.first().is_some_and(is_title),
        }
    }

    /// Whether a word of a command gives one of the ports. A URL is what a client asks, and code may be a client.
    fn is_given(&self, word: &Name) -> bool {
        let word = word.as_bytes();
        let is_url = word.starts_with(b"http://") || word.starts_with(b"https://");
        !is_url && !word.iter().any(u8::is_ascii_whitespace) && self.names(word)
    }

    /// Whether PORT of a process is one of the ports; `None` if it has none, or its variables cannot be read.
    fn is_its_variable(&self, dir: &ProcDir) -> Option<bool> {
        let text = dir.read("environ").ok()?;
        let mut all = text.split(|&b| b == 0);
        let port = all.find_map(|variable| variable.strip_prefix(b"PORT="))?;
        Some(self.names(port))
    }

    /// `8000`, `--port=8000`, `127.0.0.1:8000`; not `18000`.
    fn names(&self, text: &[u8]) -> bool {
        let mut numbers = text.split(|b| !b.is_ascii_digit());
        numbers.any(|number| {
            let number = std::str::from_utf8(number)
                .ok()
                .and_then(|n| n.parse().ok());
            number.is_some_and(|number: u16| self.ports.contains(&number))
        })
    }
}
