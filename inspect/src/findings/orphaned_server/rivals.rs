//! Processes that were started to take a server's place.

use crate::model::{Process, ProcessRef, Respawn, SameProgram, StartedBy};

/// Processes that were started later with its command and do not listen anywhere.
pub struct Rivals<'a> {
    pub alive: Vec<&'a SameProgram>,
    pub ended: &'a [Respawn],
}

impl<'a> Rivals<'a> {
    pub fn of(process: &'a Process) -> Rivals<'a> {
        let others = &process.surroundings.same_program;
        let respawns = process.surroundings.respawns.as_ref();
        let failing = |other: &&SameProgram| is_failing(other) && !is_worker(other, others);
        let alive = match is_claimed(process) {
            // Another process sees the claim and leaves, or has its own state.
            true => Vec::new(),
            false => others.iter().filter(failing).collect(),
        };
        Rivals {
            alive,
            ended: respawns.map_or(&[], |respawns| &respawns.ended),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.alive.is_empty() && self.ended.is_empty()
    }

    pub fn started_by(&self) -> impl Iterator<Item = &StartedBy> {
        let alive = self.alive.iter().map(|other| &other.started_by);
        alive.chain(self.ended.iter().map(|start| &start.started_by))
    }

    /// The last start is the most reliable: a part of the first one may have happened before the look.
    pub fn supervisor(&self) -> Option<&ProcessRef> {
        let all = self.started_by().filter_map(|by| by.supervisor.as_ref());
        all.last()
    }
}

/// Whether it runs the same command, was started later and elsewhere, and should listen but does not. A process at a
/// terminal is a client (tmux), not a server that fails.
pub fn is_failing(other: &SameProgram) -> bool {
    let same = other.same_command && other.wants_its_place;
    same && other.younger && !other.terminal && other.listeners.is_empty()
}

/// Whether it is the child of another server of the same program, which listens for it.
pub fn is_worker(other: &SameProgram, all: &[SameProgram]) -> bool {
    let parent = other.started_by.parent.as_ref().map(|parent| parent.pid);
    all.iter()
        .any(|other| Some(other.pid) == parent && !other.listeners.is_empty())
}

/// Whether a command can find it by its PID file and stop it.
pub fn is_claimed(process: &Process) -> bool {
    let mut claims = process.surroundings.claims.iter();
    claims.any(|claim| claim.pid == Some(process.pid) && claim.verdict.holds())
}
