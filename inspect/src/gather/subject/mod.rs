//! The subject under examination, and what every look at it goes through: its directory in /proc held open
//! (proc(5)), its mounts (proc_pid_mountinfo(5)), the file system as it sees it, what a file is known by, and the list of
//! what could not be seen.

pub(crate) mod gaps;
pub(crate) mod identity;
pub(crate) mod lines;
pub(crate) mod mounts;
pub(crate) mod options;
pub(crate) mod own_files;
pub(crate) mod proc_dir;
pub(crate) mod view;
