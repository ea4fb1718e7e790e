//! From what was asked for to PIDs.

use super::Target;
use crate::gather::{self, Processes, Users};
use crate::model::{CommandLine, Failure, FailureKind, Name};
use crate::words::{list_words, plural, sanitize};
use std::io;

/// Processes named in one sentence.
const NAMED: usize = 8;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The processes, each once, in the order they were asked for.
    pub pids: Vec<u32>,
    /// Which process a name or a port led to: sentences without their full stop.
    pub notes: Vec<String>,
    /// Of these, those a port led to.
    pub on_ports: Vec<u32>,
    /// What led to none.
    pub failures: Vec<Failure>,
}

/// Finds the processes `targets` stand for; with `user`, those of this user only, and without any target all of them.
/// Of a word that is not a process's name, `meant` may know what else it was to be.
///
/// # Errors
/// The user is not known, or /proc cannot be listed: a sentence without its full stop.
pub fn resolve(
    targets: &[Target],
    user: Option<&str>,
    meant: &dyn Fn(&str) -> Option<String>,
) -> Result<Found, String> {
    let mut found = Found::default();
    let listed = |e: io::Error| format!("/proc cannot be listed: {e}");
    for target in targets {
        match target {
            Target::Pids(pids) => found.add(pids),
            Target::Name(name) => found.name(name, meant).map_err(listed)?,
            Target::Port(port) => found.port(*port).map_err(listed)?,
        }
    }
    let Some(user) = user else {
        return Ok(found);
    };
    let uid = Users::read().uid(user).ok_or_else(|| {
        let user = sanitize(user);
        format!("there is no user '{user}' in /etc/passwd: give a name that is there, or a number")
    })?;
    let mut all = Processes::open().map_err(listed)?;
    if targets.is_empty() {
        found.pids = all.pids().map_err(listed)?;
        // This program's own end with it.
        found.pids.retain(|&pid| pid != std::process::id());
    }
    let others = found.pids.len();
    // A thread of the kernel has no descriptors.
    let has_some = |pid: u32| {
        all.summary(pid)
            .is_ok_and(|summary| summary.count != Some(0))
    };
    found.pids.retain(|&pid| {
        let is_theirs = all.user(pid).is_ok_and(|owner| owner == uid);
        is_theirs && (!targets.is_empty() || has_some(pid))
    });
    if found.pids.is_empty() && (targets.is_empty() || others > 0) {
        let user = sanitize(user);
        found.fail(
            FailureKind::NoProcess,
            match targets.is_empty() {
                true => format!("user {user} has no process"),
                false => format!("none of these processes is of user {user}"),
            },
        );
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, pids: &[u32]) {
        for pid in pids {
            if !self.pids.contains(pid) {
                self.pids.push(*pid);
            }
        }
    }

    fn fail(&mut self, kind: FailureKind, why: String) {
        self.failures.push(Failure {
            pid: None,
            why,
            kind,
        });
    }

    fn name(&mut self, name: &Name, meant: &dyn Fn(&str) -> Option<String>) -> io::Result<()> {
        let called = gather::called(name)?;
        let shown = sanitize(&name.to_string()).into_owned();
        match called.pids.as_slice() {
            [] => {
                let mut why = format!("no process is called '{shown}'");
                let alike: Vec<_> = called.alike.iter().map(Name::to_string).collect();
                let alike: Vec<_> = alike.iter().map(|name| sanitize(name)).collect();
                let alike: Vec<&str> = alike.iter().map(AsRef::as_ref).collect();
                if let Some(meant) = meant(&name.to_string()) {
                    why += &format!("; did you mean `{meant}`?");
                } else if !alike.is_empty() {
                    why += &format!("; there is {}", list_words(&alike, "and"));
                }
                if called.others_are_hidden {
                    why += "; processes of other users are hidden from this one (hidepid, proc(5))";
                }
                self.fail(FailureKind::NoProcess, why);
            }
            [pid] => self.notes.push(format!("{shown} is process {pid}")),
            all => {
                let processes = plural(all.len(), "process is", "processes are");
                self.notes
                    .push(format!("{processes} called {shown}: {}", some(all)));
            }
        }
        self.add(&called.pids);
        Ok(())
    }

    fn port(&mut self, port: u16) -> io::Result<()> {
        let found = gather::on_port(port)?;
        if found.sockets.is_empty() {
            let why = format!(
                "nobody listens on port {port}, for TCP or UDP, as far as may be seen here"
            );
            self.fail(FailureKind::NoProcess, why);
            return Ok(());
        }
        let place = found.place();
        if found.pids.is_empty() {
            let why = format!("port {port} is listened on {place}{}", found.unseen());
            self.fail(FailureKind::NotPermitted, why);
            return Ok(());
        }
        let pids = some(&found.pids);
        self.notes
            .push(format!("port {port} is listened on {place} by {pids}"));
        self.add(&found.pids);
        self.on_ports.extend(&found.pids);
        Ok(())
    }
}

/// `nginx (PID 812), nginx (PID 813)`.
fn some(pids: &[u32]) -> String {
    let mut named: Vec<_> = pids
        .iter()
        .take(NAMED)
        .map(|&pid| {
            let comm = gather::comm_of(pid).map_or_else(|| "?".into(), |comm| comm.to_string());
            format!("{} (PID {pid})", sanitize(&comm))
        })
        .collect();
    if let Some(more @ 1..) = pids.len().checked_sub(NAMED) {
        named.push(format!("{more} more"));
    }
    named.join(", ")
}

/// A process for who has to choose among several: its PID and command line.
pub fn command_line(pid: u32) -> String {
    let command = gather::command_of(pid);
    let command = command.and_then(|(words, comm)| CommandLine::of(words, comm));
    let command = command.map_or_else(|| "?".into(), |command| command.to_string());
    format!("{pid:>8}  {}", sanitize(&command))
}
