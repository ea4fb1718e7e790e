//! Claims without a start: whether the process that has the PID now can be the one the claim means.

use crate::formats::claims::places;
use crate::gather::process::processes::Processes;
use crate::gather::process::program;
use crate::gather::subject::mounts::is_below;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Claim, Name};
use crate::sys;
use std::ops::ControlFlow;

/// By how many seconds a process may seem to have begun after its own claim was written: setting the clock moves only
/// one of the two times.
const SLACK: u64 = 60;

/// By how many seconds a process, begun `ticks` after boot, is too young for a claim in the file `real`.
///
/// If the clock is set by more than the slack, for example after a virtual machine was suspended, the true owner looks
/// too young. So the answer is also `None` if anything links the process to the claim, or if that cannot be seen.
pub fn too_young(claim: &Claim, real: &[u8], pid: u32, ticks: u64) -> Option<u64> {
    let age = sys::since_boot()
        .as_secs()
        .checked_sub(ticks / procfs::ticks_per_second())?;
    let by = claim.age_seconds?.checked_sub(age)?;
    (by > SLACK && is_stranger(real, pid)?).then_some(by)
}

/// Whether a process has neither its working directory nor anything open where the claim is, and its name is not that
/// of the claim or of the claim's directory.
fn is_stranger(real: &[u8], pid: u32) -> Option<bool> {
    let path = Name::from(real);
    let directory = path.parent()?;
    let dir = ProcDir::open(pid).ok()?;
    let name = program::name_of(&dir)?;
    let directory_name = Name::from(directory).base().to_vec();
    if has_word(path.base(), name.as_bytes()) || has_word(&directory_name, name.as_bytes()) {
        return Some(false);
    }
    let near = |link: &[u8]| match places::is_shared(directory) {
        true => link == real,
        false => is_below(link, directory),
    };
    if near(&dir.read_link("cwd").ok()?) {
        return Some(false);
    }
    let mut tied = false;
    let all = Processes::open().ok()?.each_link(pid, None, |_, link| {
        tied = near(link);
        match tied {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    all.ok().map(|_| !tied)
}

/// Whether a file name contains this as a whole word.
fn has_word(base: &[u8], word: &[u8]) -> bool {
    let ends = |at: Option<&u8>| at.is_none_or(|b| !b.is_ascii_alphanumeric());
    let mut places = base.windows(word.len().max(1)).enumerate();
    places.any(|(at, part)| {
        let before = at.checked_sub(1).and_then(|at| base.get(at));
        part == word && ends(before) && ends(base.get(at + word.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_a_program_by_a_whole_word() {
        assert!(has_word(b"nginx.pid", b"nginx"));
        assert!(has_word(b".genie", b"genie"));
        assert!(has_word(b"my-app-2.pid", b"my-app"));
        assert!(!has_word(b"server.pid", b"serve"));
    }
}
