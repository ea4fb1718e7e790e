//! Claims that name a process: whether it runs, and whether it is the right one.

use super::judge::Judge;
use super::owners::{self, State};
use crate::findings::quote;
use crate::formats::claims::verdicts;
use crate::gather::claims::pid_reuse;
use crate::gather::process::pid_namespace;
use crate::gather::subject::view::FinalLink;
use crate::model::{Claim, Name, Verdict};

impl Judge<'_> {
    /// Judges a claim that names a process, and perhaps its start time. `real` is its path without symbolic links.
    pub(super) fn process(&self, claim: &mut Claim, real: &[u8], pid: u32, start: Option<&str>) {
        claim.pid = Some(pid);
        claim.start = start.map(Name::from);
        if !self.same_pids {
            claim.why = "Its PIDs are those of another namespace: run fdscan there.".into();
            return;
        }
        let ticks = match owners::state_of(pid) {
            State::Gone if self.may_be_from_outside(real) => {
                claim.why = format!(
                    "Process {pid} does not exist in this PID namespace. If the directory is shared with another container, or with the system, it may run there."
                );
                return;
            }
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
        verdicts::of_running(claim, pid, same, too_young);
    }

    /// Whether a process that has no PID here may have written the file. The overlayfs of a container is its own.
    fn may_be_from_outside(&self, real: &[u8]) -> bool {
        let mount = self.view.mounts().of_path(real);
        pid_namespace::other_than_first().is_some() && mount.is_none_or(|mount| !mount.overlay)
    }

    /// Sets the verdict for a claim whose owner is gone. If that is certain, the claim may be removed.
    pub(super) fn stale(&self, claim: &mut Claim, why: String) {
        claim.verdict = Verdict::Stale;
        claim.why = why;
        // On a network file system the process may run on another machine.
        let place = match claim.path.parent() {
            Some(place) => place,
            None if claim.path.as_bytes().starts_with(b"/") => b"/",
            None => b".",
        };
        // The link itself would be removed, so its own directory counts.
        let local = self.view.find(place, FinalLink::Follow).is_ok();
        claim.remedy = local.then(|| format!("rm -- {}", quote(&claim.path)));
    }
}

/// Whether the start time in a claim fits a process that began `ticks` after boot. `None` if it cannot be parsed.
fn start_fits(start: &str, ticks: u64) -> Option<bool> {
    let began = procfs::boot_time_secs().ok()? + ticks / procfs::ticks_per_second();
    verdicts::start_fits(start, began, Some(ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_in_ticks_must_be_exact_and_a_start_as_a_time_may_be_later() {
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
