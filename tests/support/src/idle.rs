//! How long a program took by itself, and did nothing but wait.

use crate::DEADLINE;
use std::io::Read;
use std::process::{Child, Output};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A child that has ended.
pub struct Ended {
    /// What it wrote, and its status.
    pub output: Output,
    /// How long it took since `begun`, less the time in which it waited for a processor: what it is to be blamed for,
    /// however busy the machine is.
    pub took: Duration,
    /// How much of that it did not run.
    pub idle: Duration,
}

/// A child that is waited for.
pub struct Ending(Receiver<Ended>);

impl Ending {
    /// Waits for a child that was started at `begun` and whose outputs are pipes, while the caller goes on.
    pub fn of(mut child: Child, begun: Instant) -> Ending {
        let (done, result) = channel();
        std::thread::spawn(move || {
            let out = child.stdout.take().map(read);
            let err = child.stderr.take().map(read);
            wait(child.id());
            let scheduled = scheduled(child.id());
            let took = begun.elapsed().saturating_sub(scheduled.waited);
            // A process that still has a copy of them keeps their reader waiting.
            let [stdout, stderr] =
                [out, err].map(|text| text.map(|text| text.join().unwrap()).unwrap_or_default());
            let status = child.wait().unwrap();
            // The test may have given up waiting.
            let _ = done.send(Ended {
                output: Output {
                    status,
                    stdout,
                    stderr,
                },
                took,
                idle: took.saturating_sub(scheduled.ran),
            });
        });
        Ending(result)
    }

    /// What came of it. `None` if it hangs.
    pub fn wait(self) -> Option<Ended> {
        self.0.recv_timeout(DEADLINE).ok()
    }

    /// What it wrote. `what` was started: it must not hang, and be idle for no longer than `most`.
    pub fn in_time(self, what: &str, most: Duration) -> Output {
        let Some(ended) = self.wait() else {
            panic!("{what} hangs");
        };
        assert!(ended.idle <= most, "{what} waits {:?}", ended.idle);
        ended.output
    }
}

fn read(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        from.read_to_end(&mut text).unwrap();
        text
    })
}

/// Waits until a child has ended, and leaves it as it is then.
fn wait(pid: u32) {
    // SAFETY: it fills the one structure it is given.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOWAIT;
        assert_eq!(libc::waitid(libc::P_PID, pid, &raw mut info, flags), 0);
    }
}

/// What the scheduler gave.
struct Scheduled {
    ran: Duration,
    waited: Duration,
}

/// How long its main thread ran, and waited for a processor: the first two numbers of /proc/PID/schedstat, in nanoseconds
/// (Documentation/scheduler/sched-stats.rst). Nothing where the kernel does not say (CONFIG_SCHED_INFO).
fn scheduled(pid: u32) -> Scheduled {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    let mut numbers = text.split_whitespace().flat_map(str::parse);
    let mut next = || numbers.next().map_or(Duration::ZERO, Duration::from_nanos);
    Scheduled {
        ran: next(),
        waited: next(),
    }
}
