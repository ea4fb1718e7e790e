//! Who starts a process again when it ends: a service manager, a supervisor, or a parent that reloads it.

use crate::gather::process::status;
use crate::gather::servers::process_tree;
use crate::gather::servers::process_tree::living;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Name, ProcessRef, Unit};

/// Who will start it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restarter {
    /// The service manager, as the unit says.
    Unit(Unit),
    /// Its parent, because of what that program is.
    Parent(ProcessRef),
}

/// Names of programs that restart what they run.
const SUPERVISORS: &[&str] = &[
    "supervisord",
    "runsv",
    "s6-supervise",
    "circusd",
    "monit",
    "containerd-shim",
    "conmon",
    "pm2",
    "nodemon",
    "ts-node-dev",
    "forever",
    "cargo-watch",
    "watchexec",
    "entr",
    "air",
    "reflex",
    "modd",
    "gunicorn",
    "watchmedo",
    "watchfiles",
    "hupper",
];
/// Arguments that make a development server restart itself.
const RELOADS: &[&str] = &["--reload", "--watch", "watch"];

/// What restarts process `pid`; `None` if nothing shows that anything does.
pub fn restarter(pid: u32) -> Option<Restarter> {
    let dir = ProcDir::open(pid).ok()?;
    if let Some(unit) = process_tree::unit_of(&dir) {
        return Some(Restarter::Unit(unit));
    }
    let parent = u32::try_from(living(pid)?.ppid).ok()?;
    let comm = living(parent)?.comm.as_str().into();
    let words = status::command_line(&ProcDir::open(parent).ok()?).unwrap_or_default();
    starts_again(&comm, &words).then_some(Restarter::Parent(ProcessRef { pid: parent, comm }))
}

fn starts_again(comm: &Name, words: &[Name]) -> bool {
    // The kernel cuts names after 15 bytes; pm2 calls itself "PM2 v5.3.0: God Daemon".
    let is_named = |name: &[u8]| {
        let name = name.to_ascii_lowercase();
        let named = |known: &&str| {
            let known = known.as_bytes();
            let rest = name.strip_prefix(known.get(..15).unwrap_or(known));
            rest.is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_alphanumeric))
        };
        SUPERVISORS.iter().any(named)
    };
    // An interpreter's second word is the program.
    is_named(comm.as_bytes())
        || words.iter().take(2).any(|word| is_named(word.base()))
        || words.iter().skip(1).any(|word| {
            let word = word.as_bytes();
            RELOADS.iter().any(|known| word == known.as_bytes())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(comm: &str, line: &str) -> bool {
        let words: Vec<Name> = line.split(' ').map(Name::from).collect();
        starts_again(&comm.into(), &words)
    }

    #[test]
    fn supervisors_and_reloaders_are_recognised_by_name_or_argument() {
        for (comm, line) in [
            ("supervisord", "/usr/bin/python3 /usr/bin/supervisord -n"),
            ("PM2 v5.3.0: God", "PM2 v5.3.0: God Daemon (/root/.pm2)"),
            (
                "containerd-shim",
                "/usr/bin/containerd-shim-runc-v2 -namespace moby",
            ),
            ("node", "node /usr/lib/node_modules/.bin/nodemon app.js"),
            ("python3", "python3 -m uvicorn main:app --reload"),
            ("cargo-watch", "/root/.cargo/bin/cargo-watch watch -x run"),
            ("tsx", "node /x/tsx watch server.ts"),
        ] {
            assert!(is(comm, line), "{line}");
        }
        for (comm, line) in [
            ("bash", "-bash"),
            ("npm run dev", "npm run dev"),
            ("airflow", "airflow scheduler"),
            ("make", "make watched"),
        ] {
            assert!(!is(comm, line), "{line}");
        }
    }
}
