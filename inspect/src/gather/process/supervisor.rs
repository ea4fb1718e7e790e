//! The supervisor of `watchfix run` that supervises a process.

use crate::gather::process::given_rules;
use crate::gather::process::status::comm_of;
use crate::gather::process::thread::thread;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{CoveredBy, Process};
use std::iter;

/// Longer chains of ancestors are not followed.
const DEEPEST: usize = 64;

/// If a process is visibly supervised but its own environment was cleared, takes the rules from the supervisor, which
/// has the command line and the environment of `watchfix run`.
pub fn note_rules(process: &mut Process) {
    let mut instances = process.inotify.iter();
    let is_supervised =
        instances.any(|i| matches!(i.covered_by, Some(CoveredBy::Reads | CoveredBy::Masks)));
    if process.supervised || !is_supervised {
        return;
    }
    let Some(dir) = supervisor_of(process.pid).and_then(|pid| ProcDir::open(pid).ok()) else {
        return;
    };
    let (arguments, environ) = (dir.read("cmdline"), dir.read("environ"));
    process.supervised = true;
    process.watchfix_rules = given_rules::by_flags(&arguments.unwrap_or_default());
    for (name, value) in given_rules::of(&environ.unwrap_or_default()).1 {
        // A flag takes precedence over a variable.
        if !process.watchfix_rules.iter().any(|(flag, _)| *flag == name) {
            process.watchfix_rules.push((name, value));
        }
    }
}

/// The ancestor that is `watchfix`, if the process has a seccomp filter that this ancestor does not have. While the
/// supervisor lives, everything that `watchfix run` started is below it.
pub fn supervisor_of(pid: u32) -> Option<u32> {
    let filters = |pid: u32| filters(&ProcDir::open(pid).ok()?);
    let own = filters(pid).filter(|&own| own > 0)?;
    let parent = |pid: &u32| thread(*pid).ok().map(|thread| thread.parent);
    let mut ancestors = iter::successors(parent(&pid), parent).take(DEEPEST);
    let is_watchfix = |pid: u32| comm_of(pid).is_some_and(|comm| comm.as_bytes() == b"watchfix");
    let watchfix = ancestors.find(|&pid| is_watchfix(pid))?;
    filters(watchfix)
        .is_none_or(|its| its < own)
        .then_some(watchfix)
}

/// How many seccomp filters a process has (proc_pid_status(5), `Seccomp_filters`). Before Linux 5.9, which began to
/// count them, 1 if there is any.
fn filters(dir: &ProcDir) -> Option<u32> {
    const FILTERED: u32 = 2;
    let status = dir.read("status").ok()?;
    let number = |name: &[u8]| {
        let mut lines = status.split(|&c| c == b'\n');
        let text = lines.find_map(|line| line.strip_prefix(name))?;
        str::from_utf8(text).ok()?.trim().parse::<u32>().ok()
    };
    number(b"Seccomp_filters:").or_else(|| Some(u32::from(number(b"Seccomp:")? == FILTERED)))
}
