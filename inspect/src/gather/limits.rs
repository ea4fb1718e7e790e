//! Limits: of the system (inotify(7)) and of the process (proc_pid_limits(5)).

use super::proc_dir::ProcDir;
use super::{Gaps, errno_text};
use crate::model::{Fds, InotifyLimits};
use procfs::prelude::*;
use procfs::process::{LimitValue, Limits};

/// `/proc/sys/fs/inotify`.
pub fn inotify() -> InotifyLimits {
    let read = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?;
        text.trim().parse().ok()
    };
    InotifyLimits {
        max_user_watches: read("max_user_watches"),
        max_user_instances: read("max_user_instances"),
        max_queued_events: read("max_queued_events"),
    }
}

/// The process's limit of open descriptors. "unlimited" becomes `None`; the kernel does not allow it
/// for RLIMIT_NOFILE (fs.nr_open is above it).
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
