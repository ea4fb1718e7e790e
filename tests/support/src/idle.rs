//! How long a program did nothing but wait.

use crate::DEADLINE;
use std::io::Read;
use std::process::{Child, Output};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// A child that has ended.
pub struct Ended {
    /// What it wrote, and its status.
    pub output: Output,
    /// How long it neither ran nor waited for a processor, since `begun`: what it is to be blamed for, however busy the
    /// machine is. Nothing where the kernel does not say (CONFIG_SCHED_INFO).
    pub idle: Duration,
}

/// Waits for a child that was started at `begun` and whose outputs are pipes. `None` if it hangs.
pub fn ended(mut child: Child, begun: Instant) -> Option<Ended> {
    let (done, result) = channel();
    std::thread::spawn(move || {
        let out = child.stdout.take().map(|from| read(from));
        let err = child.stderr.take().map(|from| read(from));
        wait(child.id());
        let idle =
            busy(child.id()).map_or(Duration::ZERO, |busy| begun.elapsed().saturating_sub(busy));
        // Who still has a copy of them holds up whoever reads them.
        let [stdout, stderr] =
            [out, err].map(|text| text.map(|text| text.join().unwrap()).unwrap_or_default());
        let status = child.wait().unwrap();
        let output = Output {
            status,
            stdout,
            stderr,
        };
        // The test may have given up waiting.
        let _ = done.send(Ended { output, idle });
    });
    result.recv_timeout(DEADLINE).ok()
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

/// How long its main thread ran, and waited for a processor: the first two numbers of /proc/PID/schedstat, in nanoseconds
/// (Documentation/scheduler/sched-stats.rst).
fn busy(pid: u32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    let (ran, waited): (u64, u64) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(Duration::from_nanos(ran + waited))
}
