//! Watches that are not muted: the supervisor of `watchfix run`, which judges what their process reads, withholds what they
//! report ([`crate::run`], `pauses`).

use crate::replay::Replay;
use crate::sys::poll::{For, Ready, wait};
use crate::sys::socket;
use inspect::gather::{comm_of, supervisor_of};
use std::collections::hash_map::{Entry, HashMap};
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A supervisor that does not answer sooner, though it does nothing else there, withholds nothing.
const TIMEOUT: Duration = Duration::from_secs(2);

/// It reads all that waits in the queues, and looks at the files that is about.
const LONG: Duration = Duration::from_secs(30);

/// Watches that are named in one line.
const PART: usize = 4096;

/// Connections to supervisors, each of which ends the pause there when it ends.
#[derive(Default)]
pub struct Held {
    links: HashMap<u32, BufReader<UnixStream>>,
}

/// What was handed over at the end.
#[derive(Debug, Default)]
pub struct HandedOver {
    /// Names that are gone.
    pub gone: usize,
    /// New names.
    pub new: usize,
    /// Files that were written to.
    pub written: usize,
    /// Other attributes.
    pub attributes: usize,
}

impl Held {
    /// Has the records of these watches of descriptor `fd` withheld. Returns how many of them were not yet.
    ///
    /// # Errors
    /// Nobody does: they are to be muted.
    pub fn hold(&mut self, pid: u32, fd: i32, wds: &[i32]) -> io::Result<usize> {
        let supervisor = supervisor_of(pid).ok_or(io::ErrorKind::NotFound)?;
        let held = self.ask(supervisor, pid, fd, wds);
        if held.is_err() && self.links.get(&supervisor).is_some_and(has_gone) {
            self.links.remove(&supervisor);
        }
        held
    }

    fn ask(&mut self, supervisor: u32, pid: u32, fd: i32, wds: &[i32]) -> io::Result<usize> {
        let link = match self.links.entry(supervisor) {
            Entry::Occupied(link) => link.into_mut(),
            Entry::Vacant(free) => free.insert(connect(supervisor)?),
        };
        let mut held = 0;
        for part in wds.chunks(PART) {
            let mut line = format!("hold {pid} {fd}");
            for wd in part {
                // Writing to a String cannot fail.
                let _ = write!(line, " {wd}");
            }
            let answer = asked(link, &line)?;
            let more = answer.trim_end().parse::<usize>();
            held += more.map_err(|_| io::ErrorKind::Unsupported)?;
        }
        Ok(held)
    }

    /// Whether a supervisor has ended: what it withheld is lost. It is forgotten.
    pub fn has_lost_any(&mut self) -> bool {
        let before = self.links.len();
        self.links.retain(|_, link| !has_gone(link));
        self.links.len() < before
    }

    /// The same, where one that is about to end counts too.
    pub fn loses_any(&mut self) -> bool {
        let before = self.links.len();
        self.links.retain(|_, link| asked(link, "here").is_ok());
        self.links.len() < before
    }

    /// Has all handed over. Returns what was.
    pub fn end(&mut self, replay: Replay) -> HandedOver {
        let mut all = HandedOver::default();
        for (_, mut link) in self.links.drain() {
            // It may look at many files. If it has ended, its process has what the kernel has.
            let _ = link.get_ref().set_read_timeout(Some(LONG));
            let Ok(answer) = asked(&mut link, &format!("end {}", replay.name())) else {
                continue;
            };
            let mut numbers = answer.split_whitespace().map(|n| n.parse().unwrap_or(0));
            let mut next = || numbers.next().unwrap_or(0);
            all.gone += next();
            all.new += next();
            all.written += next();
            all.attributes += next();
        }
        all
    }
}

/// Whether a process is such a supervisor.
pub fn is_supervisor(pid: u32) -> bool {
    comm_of(pid).is_some_and(|comm| comm.as_bytes() == b"watchfix") && connect(pid).is_ok()
}

fn connect(supervisor: u32) -> io::Result<BufReader<UnixStream>> {
    let stream = UnixStream::connect_addr(&socket::own_name(supervisor)?)?;
    // Anybody may have taken the name.
    match socket::peer(stream.as_fd())? {
        (pid, _) if pid == supervisor => {}
        _ => return Err(io::ErrorKind::NotFound.into()),
    }
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(BufReader::new(stream))
}

fn asked(link: &mut BufReader<UnixStream>, line: &str) -> io::Result<String> {
    link.get_mut().write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    match link.read_line(&mut answer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer),
    }
}

fn has_gone(link: &BufReader<UnixStream>) -> bool {
    let closing = For::Closing(link.get_ref().as_fd());
    wait([closing], Some(Duration::ZERO)) != [Ready::No]
}
