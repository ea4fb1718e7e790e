//! Servers and who started them: listeners on a port, the process tree, processes by name, and whatever restarts a
//! process.

pub(crate) mod by_name;
pub(crate) mod descendants;
pub(crate) mod listeners;
pub(crate) mod place;
pub(crate) mod process_tree;
pub(crate) mod respawns;
pub(crate) mod supervisors;
