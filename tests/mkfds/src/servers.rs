//! Servers: orphans whose supervisor starts them again in vain, and two of one kind on one state.
//!
//! Everybody started here ends with this process, however that ends: they wait at a pipe it holds.

use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::Path;

use clap::ValueEnum;
use rusqlite::Connection;

use crate::report::{Outcome, Report};

/// What ties the started processes to this one, and what they say.
struct Ties {
    life: PipeReader,
    // Closed in every child, or no child would see its end.
    alive: Option<PipeWriter>,
    told: BufReader<PipeReader>,
    tell: PipeWriter,
}

impl Ties {
    fn new() -> Result<Ties, String> {
        let pipe = || io::pipe().map_err(|e| format!("A pipe cannot be made: {e}."));
        let ((life, alive), (told, tell)) = (pipe()?, pipe()?);
        Ok(Ties {
            life,
            alive: Some(alive),
            told: BufReader::new(told),
            tell,
        })
    }

    /// Forks a child that runs `role` and ends. Only for programs with a single thread.
    fn fork(&mut self, role: impl FnOnce(&mut Ties) -> Outcome) -> Result<libc::pid_t, String> {
        // SAFETY: this process has one thread, so the child may go on as a whole program.
        match unsafe { libc::fork() } {
            -1 => Err(format!("fork failed: {}.", io::Error::last_os_error())),
            0 => {
                self.alive = None;
                if let Err(sentence) = role(self) {
                    eprintln!("mkfds: {sentence}");
                }
                // SAFETY: _exit takes no pointer; nothing of the parent's is flushed twice.
                unsafe { libc::_exit(0) }
            }
            pid => Ok(pid),
        }
    }

    /// In a child: says a number, with this process's PID.
    fn say(&mut self, number: u16) -> Outcome {
        // In one write: a server and its worker speak into the same pipe at the same time.
        let line = format!("{} {number}\n", std::process::id());
        self.tell
            .write_all(line.as_bytes())
            .map_err(|e| format!("Nobody listens: {e}."))
    }

    /// In a child: waits until the first process has gone.
    fn wait(&mut self) -> Outcome {
        let _ = self.life.read(&mut [0]);
        Ok(())
    }

    /// The next PID and number a child said.
    fn hear(&mut self) -> Result<(u32, u16), String> {
        let mut line = String::new();
        self.told
            .read_line(&mut line)
            .map_err(|e| format!("A child says nothing: {e}."))?;
        let parts = line
            .trim()
            .split_once(' ')
            .and_then(|(pid, number)| Some((pid.parse().ok()?, number.parse().ok()?)));
        parts.ok_or_else(|| format!("A child says {line:?}."))
    }
}

fn new_session() -> Outcome {
    // SAFETY: setsid takes nothing.
    if unsafe { libc::setsid() } < 0 {
        return Err(format!("setsid failed: {}.", io::Error::last_os_error()));
    }
    Ok(())
}

fn reap(pid: libc::pid_t) {
    let mut status = 0;
    // SAFETY: the child is ours and not reaped; `status` is a valid int.
    unsafe { libc::waitpid(pid, &mut status, 0) };
}

fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// How a server is put into the background on purpose.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Background {
    /// nohup(1): it ignores SIGHUP.
    Nohup,
    /// daemon(3): it goes to the root directory.
    Daemon,
}

/// A server whose starter has gone, or not.
#[derive(Clone, Copy)]
pub struct Orphan {
    /// It leads its session.
    pub leads: bool,
    /// It stays the child of who started it.
    pub supervised: bool,
    /// How it is put into the background.
    pub background: Option<Background>,
    /// It has workers with sessions of their own.
    pub workers: bool,
}

fn serve(ties: &mut Ties, orphan: Orphan) -> Outcome {
    let say = |e: io::Error| format!("The loopback cannot be listened on: {e}.");
    match orphan.background {
        // SAFETY: SIG_IGN is not a handler.
        Some(Background::Nohup) => unsafe {
            libc::signal(libc::SIGHUP, libc::SIG_IGN);
        },
        Some(Background::Daemon) => std::env::set_current_dir("/").map_err(say)?,
        None => {}
    }
    let listener = listen(0).map_err(say)?;
    let port = listener.local_addr().map_err(say)?.port();
    if orphan.workers {
        let inherited = listener.as_raw_fd();
        ties.fork(move |ties| {
            new_session()?;
            // SAFETY: a worker has its connection and not the listener; nothing here uses it again.
            unsafe { libc::close(inherited) };
            ties.say(0)?;
            ties.wait()
        })?;
    }
    ties.say(port)?;
    ties.wait()
}

/// A server, and on request a second one that cannot bind.
pub fn hold_orphan(mut report: Report, respawn: bool, orphan: Orphan) -> Outcome {
    let mut ties = Ties::new()?;
    if orphan.supervised {
        ties.fork(|ties| new_session().and_then(|()| serve(ties, orphan)))?;
    } else {
        // hermes' bootstrap: it starts the server in a new session and ends at once.
        let bootstrap = ties.fork(|ties| {
            if orphan.leads {
                ties.fork(|ties| new_session().and_then(|()| serve(ties, orphan)))
                    .map(drop)
            } else {
                new_session()?;
                ties.fork(|ties| serve(ties, orphan)).map(drop)
            }
        })?;
        reap(bootstrap);
    }
    let mut heard = ties.hear()?;
    if orphan.workers {
        let other = ties.hear()?;
        // A worker has no port; the two speak in any order.
        let (server, worker) = if heard.1 == 0 {
            (other, heard)
        } else {
            (heard, other)
        };
        report.fact("worker", worker.0)?;
        heard = server;
    }
    let (server, port) = heard;
    report.fact("server", server)?;
    report.fact("port", port)?;
    if respawn {
        ties.fork(|ties| {
            new_session()?;
            if listen(port).is_ok() {
                return Err("The second server can bind as well.".into());
            }
            ties.say(port)?;
            ties.wait()
        })?;
        report.fact("sibling", ties.hear()?.0)?;
    }
    report.hold()
}

/// A server with state, in a session of its own.
pub fn hold_server(
    mut report: Report,
    dir: &Path,
    database: bool,
    pid_file: bool,
    worker: bool,
) -> Outcome {
    let mut ties = Ties::new()?;
    ties.fork(|ties| {
        new_session()?;
        let _connection = if database {
            Some(open(&dir.join("state.db"))?)
        } else {
            None
        };
        let _claim = if pid_file {
            let path = dir.join("serve.pid");
            let mut file = File::create(&path)
                .map_err(|e| format!("{} cannot be made: {e}.", path.display()))?;
            writeln!(file, "{}", std::process::id())
                .map_err(|e| format!("{} cannot be written: {e}.", path.display()))?;
            Some(file)
        } else {
            None
        };
        let listener =
            listen(0).map_err(|e| format!("The loopback cannot be listened on: {e}."))?;
        if worker {
            ties.fork(|ties| ties.say(0).and_then(|()| ties.wait()))?;
        }
        let port = listener
            .local_addr()
            .map_err(|e| format!("The listener has no address: {e}."))?
            .port();
        ties.say(port)?;
        ties.wait()
    })?;
    for _ in 0..=usize::from(worker) {
        match ties.hear()? {
            // Both are there, in either order; a worker has no port of its own.
            (pid, 0) => report.fact("worker", pid)?,
            (pid, port) => {
                report.fact("server", pid)?;
                report.fact("port", port)?;
            }
        }
    }
    report.hold()
}

/// Two servers that speak through pipes: the client of the first, `left`, has gone, that of the `served` one has not.
pub fn hold_stdio(mut report: Report, dir: &Path, apart: bool) -> Outcome {
    let mut ties = Ties::new()?;
    let pipe = || io::pipe().map_err(|e| format!("A pipe cannot be made: {e}."));
    // The ends of the client that lives.
    let mut client = None;
    for (name, gone) in [("left", true), ("served", false)] {
        let ((input, to_server), (from_server, output)) = (pipe()?, pipe()?);
        let database = dir.join(if apart { name } else { "state" });
        let ends = (input.as_raw_fd(), output.as_raw_fd());
        let theirs = (to_server.as_raw_fd(), from_server.as_raw_fd());
        ties.fork(|ties| {
            new_session()?;
            // SAFETY: the descriptors are open; what these numbers were before is not used again in this process.
            unsafe {
                libc::dup2(ends.0, 0);
                libc::dup2(ends.1, 1);
                for fd in [ends.0, ends.1, theirs.0, theirs.1] {
                    libc::close(fd);
                }
            }
            let _connection = open(&database)?;
            ties.say(1)?;
            ties.wait()
        })?;
        report.fact(name, ties.hear()?.0)?;
        client = (!gone).then_some((to_server, from_server));
    }
    let _client = client;
    report.hold()
}

/// A connection to a database in WAL mode that may be there already.
fn open(path: &Path) -> Result<Connection, String> {
    let say = |e: rusqlite::Error| format!("{} cannot be opened: {e}.", path.display());
    let connection = Connection::open(path).map_err(say)?;
    connection
        .query_row("PRAGMA journal_mode = wal", [], |_| Ok(()))
        .and_then(|()| {
            connection.execute_batch("CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1);")
        })
        .map_err(say)?;
    Ok(connection)
}
