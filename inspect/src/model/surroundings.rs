//! What surrounds a process: its listeners, its origin, processes of the same program, and its claims.

use super::{Claim, Name, Unit};
use serde::Serialize;
use std::net::SocketAddr;

/// What surrounds a process.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Surroundings {
    /// Its session (setsid(2)).
    pub session: Option<u32>,
    /// Where it listens, in its own network namespace.
    pub listeners: Vec<Listener>,
    /// Those of its sockets that the tables of its network namespace list, if it has many.
    #[serde(skip)]
    pub sockets: Vec<Endpoint>,
    /// Its working directory.
    #[serde(skip)]
    pub cwd: Option<Name>,
    /// The client that spoke to it through its standard input and output has gone. Read for a process that has a
    /// database open.
    #[serde(skip)]
    pub client_gone: bool,
    /// Where it came from. Read for a process that listens.
    #[serde(skip)]
    pub origin: Option<Origin>,
    /// Other processes of the same program that are not its relatives.
    #[serde(skip)]
    pub same_program: Vec<SameProgram>,
    /// Processes that were started like it in vain; `None` without `--for`.
    #[serde(skip)]
    pub respawns: Option<Respawns>,
    /// Claims in the directories it works in.
    #[serde(skip)]
    pub claims: Vec<Claim>,
}

/// A socket that listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listener {
    /// A descriptor of it.
    pub fd: i32,
    /// `tcp`, `tcp6`, `udp`, `udp6` or `unix`.
    pub protocol: &'static str,
    /// The address, or the path of a unix socket.
    pub address: Option<Name>,
    /// The port.
    pub port: Option<u16>,
    /// The socket's inode.
    #[serde(skip)]
    pub inode: u64,
}

/// A socket and what is at its other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its inode.
    pub inode: u64,
    /// `tcp`, `udp` or `unix`.
    pub protocol: &'static str,
    /// Of a TCP connection, its state.
    pub state: Option<TcpState>,
    /// Where its peer is, if it has one.
    pub peer: Option<SocketAddr>,
    /// It was accepted: somebody listens at its own end.
    pub accepted: bool,
}

/// The states that indicate a leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TcpState {
    /// Both ends may send.
    Established,
    /// The peer has closed its end, this one is still open.
    CloseWait,
    /// It listens.
    Listen,
    /// Any other.
    Other,
}

/// Another process, by its PID and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcessRef {
    /// Its PID.
    pub pid: u32,
    /// Its name.
    pub comm: Name,
}

/// Where a process came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its parent now.
    pub parent: ProcessRef,
    /// The parent is the init of its PID namespace.
    pub parent_is_init: bool,
    /// It is the init of a PID namespace itself: a container's first process.
    pub is_init: bool,
    /// It made its session itself.
    pub leads_session: bool,
    /// The maker of its session runs.
    pub leader_alive: bool,
    /// Its parent is of the same session.
    pub parent_in_session: bool,
    /// Seconds between the start of its parent and its own.
    pub after_parent: u64,
    /// The unit a service manager keeps it in.
    pub unit: Option<Unit>,
    /// It began that unit.
    pub own_service: bool,
    /// It goes on when its terminal or session ends, as nohup(1) makes it: SIGHUP is ignored.
    pub ignores_hangup: bool,
}

/// Another process of the same program, neither ancestor nor descendant; of the same session or parent
/// only where a claim tells the two apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameProgram {
    /// Its PID.
    pub pid: u32,
    /// The process that started it.
    pub started_by: StartedBy,
    /// Its arguments are the same.
    pub same_command: bool,
    /// It may want the same port: it is in the same network namespace, and has no other PORT.
    pub wants_its_place: bool,
    /// Its working directory is the same.
    pub same_cwd: bool,
    /// It started later.
    pub younger: bool,
    /// It has a terminal: somebody works with it.
    pub terminal: bool,
    /// Where it listens.
    pub listeners: Vec<Listener>,
    /// Files both have open for writing that only one may own.
    pub shared: Vec<SharedFile>,
    /// Claims where both keep their state that name one of the two and not the other.
    pub claims: Vec<ClaimOwner>,
    /// Both run for longer than a start takes that waits for the other's.
    pub settled: bool,
}

/// A claim that names one of two processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClaimOwner {
    /// Its path.
    pub path: Name,
    /// The process it names.
    pub pid: u32,
}

/// Who started a process that began after the scanned one, as far as that can be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartedBy {
    /// Its parent.
    pub parent: Option<ProcessRef>,
    /// The nearest ancestor that is older than the scanned process; between them lies what that one
    /// started for it. `None` where its parent only takes in orphans.
    pub supervisor: Option<ProcessRef>,
    /// The scanned process's parent is an ancestor of its parent.
    pub below_its_parent: bool,
}

/// Processes that were started with the command of the scanned one while it was looked at, and ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Respawns {
    /// For how long.
    pub seconds: f64,
    /// In the order they were seen to end.
    pub ended: Vec<Respawn>,
}

/// A process that began and ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respawn {
    /// Its PID.
    pub pid: u32,
    /// The process that started it.
    pub started_by: StartedBy,
}

/// A file two processes have open for writing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SharedFile {
    /// Its path, as the scanned process has it.
    pub path: Name,
    /// `database` or `claim` (a PID, port or lock file).
    pub what: &'static str,
}
