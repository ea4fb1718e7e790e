//! Descriptors without a path that are opened and not closed.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use clap::ValueEnum;

use crate::files::{allow_open, epoll, eventfd, memfd, open_count, pidfd, set_soft_limit, timerfd};
use crate::report::{self, Outcome, Report};

/// What is leaked.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Accepted TCP connections that their peers have closed.
    CloseWait,
    /// Accepted TCP connections whose peers, other processes, keep them open.
    Accepted,
    /// Pairs of unix sockets, both ends.
    Pairs,
    /// One end of each pair of unix sockets.
    HalfPairs,
    /// TCP sockets that are not connected.
    Unconnected,
    /// Pipes, both ends.
    Pipes,
    /// One end of each pipe.
    HalfPipes,
    /// Instances of epoll.
    Epoll,
    /// Eventfds.
    Eventfd,
    /// Timerfds.
    Timerfd,
    /// Pidfds.
    Pidfd,
    /// Memfds.
    Memfd,
}

/// Holds `count` of `what`; then one more after the other up to `most`.
pub fn hold(
    mut report: Report,
    what: What,
    count: usize,
    limit: Option<u64>,
    most: Option<usize>,
) -> Outcome {
    let most = most.unwrap_or(count);
    allow_open(most as u64 * 2)?;
    let mut leak = Leak::new(what)?;
    for _ in 0..count {
        leak.one_more()?;
    }
    leak.give_away_peers()?;
    // Not before: until then the peers are open here as well.
    if let Some(limit) = limit {
        set_soft_limit(limit)?;
    }
    report.fact("open", open_count()?)?;
    let ended = std::thread::spawn(report::wait_for_end);
    report.ready()?;
    for _ in count..most {
        if ended.is_finished() {
            break;
        }
        leak.one_more()?;
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    ended
        .join()
        .map_err(|_| "The waiting thread panicked.".to_owned())?
}

struct Leak {
    what: What,
    listener: TcpListener,
    held: Vec<OwnedFd>,
    /// The other ends of what is held, for a child.
    peers: Vec<OwnedFd>,
}

impl Leak {
    fn new(what: What) -> Result<Leak, String> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .map_err(|e| format!("A listening socket cannot be made: {e}."))?;
        Ok(Leak {
            what,
            listener,
            held: Vec::new(),
            peers: Vec::new(),
        })
    }

    fn one_more(&mut self) -> Outcome {
        let say = |e: io::Error| format!("One more cannot be made: {e}.");
        match self.what {
            What::CloseWait | What::Accepted => {
                let address = self.listener.local_addr().map_err(say)?;
                let client = TcpStream::connect(address).map_err(say)?;
                self.held
                    .push(self.listener.accept().map_err(say)?.0.into());
                if self.what == What::Accepted {
                    self.peers.push(client.into());
                }
            }
            What::Pairs | What::HalfPairs => {
                let (one, other) = UnixStream::pair().map_err(say)?;
                self.held.push(one.into());
                if self.what == What::Pairs {
                    self.held.push(other.into());
                }
            }
            What::Pipes | What::HalfPipes => {
                let (reader, writer) = io::pipe().map_err(say)?;
                self.held.push(reader.into());
                if self.what == What::Pipes {
                    self.held.push(writer.into());
                }
            }
            What::Unconnected => self.held.push(unconnected()?),
            What::Epoll => self.held.push(epoll()?),
            What::Eventfd => self.held.push(eventfd()?),
            What::Timerfd => self.held.push(timerfd()?),
            What::Pidfd => self.held.push(pidfd()?),
            What::Memfd => self.held.push(memfd()?),
        }
        Ok(())
    }

    /// A child holds the clients until this process ends, as other programs would.
    fn give_away_peers(&mut self) -> Outcome {
        if self.peers.is_empty() {
            return Ok(());
        }
        // SAFETY: this process has one thread, and the child calls nothing but prctl, close and pause.
        match unsafe { libc::fork() } {
            -1 => Err(format!(
                "A child cannot be made: {}.",
                io::Error::last_os_error()
            )),
            0 => {
                // SAFETY: no pointer is passed; the child ends with its parent.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                self.held.clear();
                loop {
                    // SAFETY: pause takes nothing.
                    unsafe { libc::pause() };
                }
            }
            _ => {
                self.peers.clear();
                Ok(())
            }
        }
    }
}

fn unconnected() -> Result<OwnedFd, String> {
    use std::os::fd::FromRawFd;
    // SAFETY: socket takes no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(format!(
            "A socket cannot be made: {}.",
            io::Error::last_os_error()
        ));
    }
    // SAFETY: the kernel just returned this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
