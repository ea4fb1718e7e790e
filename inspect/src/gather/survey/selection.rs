//! Which processes a pass shows.

use crate::gather::servers::by_name;
use crate::gather::subject::proc_dir::ProcDir;

/// Which processes a pass shows.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only this user's processes. Others are not read at all.
    pub uid: Option<u32>,
    /// Only these processes; `None` stands for all.
    pub named: Option<Named>,
}

/// Processes by name or number.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// Parts of names. A process matches if one of its names contains one of them.
    pub names: Vec<String>,
    /// PIDs.
    pub pids: Vec<u32>,
}

impl Named {
    /// Whether a process is one of them.
    pub(super) fn has(&self, dir: &ProcDir) -> bool {
        self.pids.contains(&dir.pid) || by_name::has_part(dir, &self.names)
    }
}
