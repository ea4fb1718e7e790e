//! Claims that name a process: does it run, and is it the right one?

use super::judge::Judge;
use super::owners::{self, State};
use crate::findings::quote;
use crate::gather::claims::pid_reuse;
use crate::gather::subject::view::FinalLink;
use crate::model::{Claim, Name, Verdict};
use crate::words::duration;

impl Judge<'_> {
    /// Judges a claim that names a process, and perhaps its start. `real` is its path without symbolic
    /// links.
    pub(super) fn process(&self, claim: &mut Claim, real: &[u8], pid: u32, start: Option<&str>) {
        claim.pid = Some(pid);
        claim.start = start.map(Name::from);
        if !self.same_pids {
            claim.why = "Its PIDs are those of another namespace: run fdscan there.".into();
            return;
        }
        let ticks = match owners::state_of(pid) {
            State::Gone => return self.stale(claim, format!("Process {pid} does not exist.")),
            State::Zombie => {
                claim.verdict = Verdict::Stale;
                claim.why =
                    format!("Process {pid} has ended and waits for its parent as a zombie.");
                return;
            }
            State::Thread(leader) => {
                claim.verdict = Verdict::Reused;
                claim.why = format!("{pid} is a thread of process {leader} now.");
                claim.holders.push(owners::holder(leader, None));
                return;
            }
            State::Running(ticks) => ticks,
        };
        claim.holders.push(owners::holder(pid, None));
        let same = ticks.and_then(|ticks| start_fits(start?, ticks));
        let too_young = match (same, ticks) {
            (None, Some(ticks)) => pid_reuse::too_young(claim, real, pid, ticks),
            _ => None,
        };
        (claim.verdict, claim.why) = match (same, too_young) {
            (Some(true), _) => (
                Verdict::Live,
                format!("Process {pid} runs, and its start is the one in the file."),
            ),
            (Some(false), _) => (
                Verdict::Reused,
                format!(
                    "Process {pid} runs, but started at another time: the PID was given to another process."
                ),
            ),
            (None, Some(seconds)) => (
                Verdict::Reused,
                format!(
                    "Process {pid} runs, but began {} after this was written, and has nothing open here: the PID was given to another process.",
                    duration(seconds)
                ),
            ),
            (None, None) => (
                Verdict::Live,
                format!("Process {pid} runs; the file does not tell whether it is the right one."),
            ),
        };
    }

    /// For a claim whose owner is gone: it may be removed, if that is certain.
    pub(super) fn stale(&self, claim: &mut Claim, why: String) {
        claim.verdict = Verdict::Stale;
        claim.why = why;
        // On a network file system the process may run on another machine.
        let place = match claim.path.parent() {
            Some(place) => place,
            None if claim.path.as_bytes().starts_with(b"/") => b"/",
            None => b".",
        };
        // The link itself would be removed, so its own place counts.
        let local = self.view.find(place, FinalLink::Follow).is_ok();
        claim.remedy = local.then(|| format!("rm -- {}", quote(&claim.path)));
    }
}

/// Whether a start in a claim fits a process that began `ticks` after boot. `None` if it cannot be read.
///
/// Clock ticks since boot (field 22 of proc_pid_stat(5)) must be equal. A time since 1970 (seconds,
/// milliseconds or RFC 3339) may be that of the claim itself: it fits unless the process began after it,
/// by more than two seconds for the rounding of the boot time.
fn start_fits(start: &str, ticks: u64) -> Option<bool> {
    const SLACK: u64 = 2;
    let began = procfs::boot_time_secs().ok()? + ticks / procfs::ticks_per_second();
    let epoch = |seconds: u64| began <= seconds.saturating_add(SLACK);
    if let Ok(time) = start.parse::<jiff::Timestamp>() {
        return Some(epoch(u64::try_from(time.as_second()).ok()?));
    }
    let number = match start.parse::<u64>() {
        Ok(number) => number,
        Err(_) => start.parse::<f64>().ok().filter(|n| *n >= 0.0)? as u64,
    };
    // 10^9 s was in 2001, 10^12 ms as well; 10^9 ticks are 115 days of uptime, so equality comes first.
    Some(match number {
        _ if number == ticks => true,
        1_000_000_000_000.. => epoch(number / 1000),
        1_000_000_000.. => epoch(number),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_fits_in_ticks_exactly_and_in_time_when_the_process_began_before() {
        let boot = procfs::boot_time_secs().unwrap();
        let hz = procfs::ticks_per_second();
        let (ticks, began) = (1000 * hz, boot + 1000);
        assert_eq!(start_fits(&ticks.to_string(), ticks), Some(true));
        assert_eq!(start_fits(&(ticks + 1).to_string(), ticks), Some(false));
        assert_eq!(start_fits(&began.to_string(), ticks), Some(true));
        assert_eq!(start_fits(&(began + 500).to_string(), ticks), Some(true));
        assert_eq!(start_fits(&(began - 60).to_string(), ticks), Some(false));
        assert_eq!(start_fits(&(began * 1000).to_string(), ticks), Some(true));
        assert_eq!(start_fits("2001-01-01T00:00:00Z", ticks), Some(false));
        assert_eq!(start_fits("yesterday", ticks), None);
    }
}
