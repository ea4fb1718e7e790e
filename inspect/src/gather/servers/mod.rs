//! Who serves, and who started it: who listens on a port, the process tree, processes by what people call them, and
//! who starts a process again.

pub(crate) mod by_name;
pub(crate) mod descendants;
pub(crate) mod listeners;
pub(crate) mod process_tree;
pub(crate) mod respawns;
pub(crate) mod supervisors;
