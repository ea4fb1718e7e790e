//! Incident 4: a server that leaks SQLite connections, orphaned by the bootstrap that starts it, under a
//! supervisor that starts it again and again.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use support::Victim;
use tempfile::TempDir;

/// What is wrong with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Some paths leave their connection open, and its bootstrap forks twice.
    Leaky,
    /// Neither.
    Fixed,
}

/// Who takes in orphans.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// Whoever does it here: init, or a subreaper of whoever runs the test.
    GoWhereTheyGo,
    /// The supervisor, as systemd does for a user's services.
    GoToTheSupervisor,
}

/// The scene: supervisor.sh, what it started, and the server's home. All of it ends with this, and with
/// the test: everybody ends when the pipe at standard input does.
pub struct Hermes {
    home: TempDir,
    supervisor: Victim,
    server: u32,
    port: u16,
}

impl Hermes {
    /// Starts it, and waits until the server listens and, if it is one, is an orphan.
    pub fn start(server: Server, orphans: Orphans) -> Hermes {
        let home = tempfile::Builder::new().prefix("hermes").tempdir().unwrap();
        let config = format!("{{\"port\": {}}}", support::free_port());
        support::overwrite(&home.path().join("webui.json"), &config);
        let mut command = Command::new(victims().join("supervisor.sh"));
        if server == Server::Fixed {
            command.arg("--fixed");
        }
        command.arg(home.path());
        if orphans == Orphans::GoToTheSupervisor {
            // SAFETY: prctl is a system call without memory effects here, and allocates nothing.
            unsafe { command.pre_exec(become_subreaper) };
        }
        let supervisor = Victim::spawn(&mut command);
        let mut hermes = Hermes {
            home,
            supervisor,
            server: 0,
            port: 0,
        };
        hermes.wait_for_server();
        if server == Server::Leaky {
            hermes.supervisor.line_with(" saw status 0");
        }
        hermes
    }

    /// Waits for the next server that gets the port.
    pub fn wait_for_server(&mut self) {
        let line = self.supervisor.line_with(" listens on ");
        let words: Vec<&str> = line.split(' ').collect();
        self.server = words[1].parse().unwrap();
        self.port = words[4].parse().unwrap();
    }

    /// Waits for a server that does not get it, and returns its PID.
    pub fn wait_for_start_in_vain(&mut self) -> u32 {
        let line = self.supervisor.line_with(" cannot listen on ");
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The PIDs of the servers it was waited for that did not get the port.
    pub fn starts_in_vain(&self) -> Vec<u32> {
        let lines = self.supervisor.seen().iter();
        lines
            .filter(|line| line.contains(" cannot listen on "))
            .filter_map(|line| line.split(' ').nth(1)?.parse().ok())
            .collect()
    }

    /// The server's PID.
    pub fn server(&self) -> u32 {
        self.server
    }

    /// The supervisor's PID.
    pub fn supervisor(&self) -> u32 {
        self.supervisor.pid()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The session database.
    pub fn database(&self) -> PathBuf {
        self.home.path().join("state.db")
    }

    /// Somebody with a browser.
    pub fn client(&self) -> Client {
        Client { port: self.port }
    }

    /// What `lsof -p PID | sort | uniq -c` is asked for: the server's descriptors by file name, once it has
    /// closed the sockets of all requests. The one it listens on stays.
    pub fn descriptors(&self) -> HashMap<String, usize> {
        let begun = Instant::now();
        loop {
            let list = fs::read_dir(format!("/proc/{}/fd", self.server)).unwrap();
            let links = list.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
            let mut counts = HashMap::new();
            let mut sockets = 0;
            for link in links {
                let name = link.file_name().unwrap_or_default().to_string_lossy();
                sockets += usize::from(name.starts_with("socket:"));
                *counts.entry(name.into_owned()).or_default() += 1;
            }
            if sockets == 1 {
                return counts;
            }
            let waited = begun.elapsed();
            assert!(waited < support::DEADLINE, "it stays busy: {counts:?}");
            std::thread::yield_now();
        }
    }
}

/// Who asks the server.
#[derive(Clone, Copy)]
pub struct Client {
    port: u16,
}

impl Client {
    /// Stores a session and reads it: both paths close their connection.
    pub fn visit(&self, session: &str) {
        let path = format!("/api/session/{session}");
        assert_eq!(status(self.ask("POST", &path)), 200);
        assert_eq!(status(self.ask("GET", &path)), 200);
    }

    /// Asks for a session that is not there, which the leaky server never closes its connection for.
    pub fn miss(&self) {
        assert_eq!(status(self.ask("GET", "/api/session/none")), 404);
    }

    /// A request in the middle: its connection to the database reads until this one is dropped.
    pub fn follow(&self, session: &str) -> TcpStream {
        let mut request = self.ask("GET", &format!("/api/stream/{session}"));
        let mut seen = Vec::new();
        // The headers, the session, and a line of what it reads.
        while seen.iter().filter(|&&b| b == b'\n').count() < 6 {
            let mut byte = [0];
            assert_eq!(request.read(&mut byte).unwrap(), 1, "{seen:?}");
            seen.extend(byte);
        }
        request
    }

    fn ask(&self, method: &str, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(support::DEADLINE)).unwrap();
        write!(stream, "{method} {path} HTTP/1.0\r\n\r\n").unwrap();
        stream
    }
}

fn victims() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("victims/hermes")
}

fn become_subreaper() -> io::Result<()> {
    // SAFETY: as above.
    match unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The status of the answer, read to its end: then the server has done what it does.
fn status(mut request: TcpStream) -> u16 {
    let mut answer = String::new();
    request.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
