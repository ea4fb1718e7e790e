//! Where `watchfix pause` asks this supervisor to withhold what paused watches report, as their reads are judged here.
//!
//! ```text
//! guardian ---- hold PID FD WD... ---->  the watches of an instance are held    [reads::withheld]
//!          <--- N ---------------------  so many more than before, or "no": then masks are muted
//!          ---- here ----------------->  this process is there
//!          <--- here -----------------
//!          ---- end all|one|none ----->  all is read and withheld; what is true now is handed over
//!          <--- N N N N ---------------  so much of it
//! ```
//!
//! A pause is a connection to an abstract socket (unix(7)) named after this process. However its guardian ends, the connection
//! does, and the pause with it. Where this process ends first, the guardian sees that and mutes the masks.

use super::owners::Owners;
use super::reads::{Most, Pause, Reads, Released};
use super::rights::Finder;
use crate::sys::poll::wait_for_any;
use crate::sys::socket;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

/// While any watch is held, full queues are looked for as often: the kernel's has room for 16,384 records (inotify(7),
/// max_queued_events), and nobody writes a quarter of that in this time.
const LOOK: Duration = Duration::from_millis(20);

/// A line is no longer: the watches of an instance are named in several.
const LONGEST: usize = 1 << 16;

/// A guardian, and what it has sent of the next line.
struct Guardian {
    pause: Pause,
    stream: UnixStream,
    line: Vec<u8>,
}

/// Answers guardians. Does not return, if there can be a socket.
pub fn serve(reads: &Reads<'_>, finder: &Finder<'_>) {
    let listener = socket::own_name(std::process::id()).and_then(|name| {
        let listener = UnixListener::bind_addr(&name)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    // Without one the masks are muted.
    let Ok(listener) = listener else {
        return;
    };
    let mut guardians: Vec<Guardian> = Vec::new();
    let mut last = 0;
    loop {
        let streams = guardians.iter().map(|guardian| guardian.stream.as_fd());
        let all: Vec<_> = streams.chain([listener.as_fd()]).collect();
        wait_for_any(&all, (!guardians.is_empty()).then_some(LOOK));
        if let Ok((stream, _)) = listener.accept()
            && may_ask(&stream)
            && stream.set_nonblocking(true).is_ok()
        {
            last += 1;
            guardians.push(Guardian {
                pause: last,
                stream,
                line: Vec::new(),
            });
        }
        guardians.retain_mut(|guardian| {
            let is_there = guardian.hear(reads, finder).is_ok();
            if !is_there {
                reads.release(guardian.pause, Most::All, finder);
            }
            is_there
        });
        reads.empty_full_queues(finder);
    }
}

/// The same user, and root, may mute the masks as well.
fn may_ask(stream: &UnixStream) -> bool {
    let own = inspect::effective_user();
    socket::peer(stream.as_fd()).is_ok_and(|(_, user)| user == 0 || user == own)
}

impl Guardian {
    /// Answers what it has asked for.
    ///
    /// # Errors
    /// It has gone, or says what cannot be understood.
    fn hear(&mut self, reads: &Reads<'_>, finder: &Finder<'_>) -> io::Result<()> {
        let mut bytes = [0; 4096];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.line.extend(bytes.get(..count).unwrap_or_default()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
            while let Some(end) = self.line.iter().position(|&c| c == b'\n') {
                let line: Vec<u8> = self.line.drain(..=end).collect();
                let answer = self.answer(&line, reads, finder);
                let answer = answer.ok_or(io::ErrorKind::InvalidData)?;
                self.stream.write_all(answer.as_bytes())?;
            }
            if self.line.len() > LONGEST {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }

    fn answer(&self, line: &[u8], reads: &Reads<'_>, finder: &Finder<'_>) -> Option<String> {
        let mut words = str::from_utf8(line).ok()?.split_ascii_whitespace();
        match words.next()? {
            "here" => Some("here\n".to_owned()),
            "hold" => {
                let (process, fd) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
                let wds = words
                    .map(|wd| wd.parse().ok())
                    .collect::<Option<Vec<i32>>>()?;
                let held = Owners::default()
                    .of(process)
                    .and_then(|owner| reads.hold(owner, fd, (self.pause, &wds)));
                Some(held.map_or_else(|_| "no\n".to_owned(), |more| format!("{more}\n")))
            }
            "end" => {
                let most = match words.next()? {
                    "all" => Most::All,
                    "one" => Most::One,
                    "none" => Most::Ends,
                    _ => return None,
                };
                let Released {
                    gone,
                    new,
                    written,
                    attributes,
                } = reads.release(self.pause, most, finder);
                Some(format!("{gone} {new} {written} {attributes}\n"))
            }
            _ => None,
        }
    }
}
