//! Limits of the system (inotify(7)) and of the process (proc_pid_limits(5)).

use crate::gather::subject::gaps::{Gaps, errno_text};
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Fds, InotifyLimits};
use procfs::prelude::*;
use procfs::process::{LimitValue, Limits};

/// `/proc/sys/fs/inotify`, or the limits of this program's user namespace if those are lower (`/proc/sys/user`,
/// namespaces(7)).
pub fn inotify() -> InotifyLimits {
    let read = |path: String| number(&std::fs::read(path).ok()?);
    let machine = |name: &str| read(format!("/proc/sys/fs/inotify/{name}"));
    let lower = |machine: Option<u64>, name: &str| {
        let own = read(format!("/proc/sys/user/{name}"));
        let is_lower = own.is_some_and(|own| machine.is_none_or(|machine| own < machine));
        (if is_lower { own } else { machine }, is_lower)
    };
    let (watches, watches_of_namespace) = lower(machine("max_user_watches"), "max_inotify_watches");
    let (instances, instances_of_namespace) =
        lower(machine("max_user_instances"), "max_inotify_instances");
    InotifyLimits {
        max_user_watches: watches,
        max_user_instances: instances,
        max_queued_events: machine("max_queued_events"),
        watches_of_namespace,
        instances_of_namespace,
    }
}

/// A line with a number.
pub fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// The process's limit of open descriptors. "unlimited" becomes `None`, although the kernel does not allow it for
/// RLIMIT_NOFILE (fs.nr_open bounds it).
pub fn of_process(dir: &ProcDir, fds: &mut Fds, gaps: &mut Gaps) {
    let limits = match dir.read("limits") {
        Ok(text) => Limits::from_read(&text[..]).map_err(|e| e.to_string()),
        Err(e) => Err(errno_text(&e)),
    };
    match limits {
        Ok(limits) => {
            fds.soft_limit = value(limits.max_open_files.soft_limit);
            fds.hard_limit = value(limits.max_open_files.hard_limit);
        }
        Err(why) => gaps.note("its limits", why),
    }
}

fn value(limit: LimitValue) -> Option<u64> {
    match limit {
        LimitValue::Value(n) => Some(n),
        LimitValue::Unlimited => None,
    }
}
