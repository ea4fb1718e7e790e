//! What a process has open, from /proc/PID/fd, fdinfo, /proc/locks and the socket tables of /proc/PID/net: the census
//! of descriptors by kind, listeners and connections by state, and locks.

pub(crate) mod census;
pub(crate) mod endpoints;
pub mod fdinfo;
pub(crate) mod kind;
pub mod locks;
pub(crate) mod sockets;
pub(crate) mod stdio;
mod unread;
