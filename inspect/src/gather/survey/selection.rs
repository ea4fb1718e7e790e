//! Which processes a pass shows.

use crate::gather::servers::by_name;
use crate::gather::subject::proc_dir::ProcDir;

/// Which processes are shown.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Of this user only; others are not read at all.
    pub uid: Option<u32>,
    /// Of these; `None` stands for all.
    pub named: Option<Named>,
}

/// Processes by name or number.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// Parts of the names they can be asked for by.
    pub names: Vec<String>,
    /// PIDs.
    pub pids: Vec<u32>,
}

impl Named {
    /// Whether it is one of them.
    pub(super) fn has(&self, dir: &ProcDir) -> bool {
        self.pids.contains(&dir.pid) || by_name::has_part(dir, &self.names)
    }
}
