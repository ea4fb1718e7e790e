//! Who a process is, from stat, comm, cmdline, exe, environ, auxv, maps and cgroup of /proc/PID: its identity, program,
//! command line without secrets, and unit or container.

pub(crate) mod access;
pub(crate) mod auxv;
pub(crate) mod given_rules;
pub(crate) mod healed;
pub(crate) mod image;
pub(crate) mod maps;
pub(crate) mod paused;
pub(crate) mod pid_namespace;
pub(crate) mod processes;
pub(crate) mod program;
pub(crate) mod records;
pub(crate) mod search;
pub(crate) mod status;
pub(crate) mod supervisor;
pub(crate) mod thread;
pub(crate) mod threads;
pub(crate) mod unit;
