//! Which process started which: what follows from parents, sessions and starts, on any system.

use crate::model::{Name, ProcessRef, StartedBy};
use std::collections::HashMap;

/// A process as the kernel lists it.
pub trait Relative {
    /// Its PID.
    fn pid(&self) -> u32;
    /// Its parent's; `None` for the first process.
    fn ppid(&self) -> Option<u32>;
    /// Its session (setsid(2)).
    fn session(&self) -> Option<u32>;
    /// When it began: later is more, in whatever unit.
    fn began(&self) -> u64;
    /// What it is called.
    fn name(&self) -> Name;
    /// Whether its children may be orphans that it adopted: the init of a PID namespace does.
    fn is_init(&self) -> bool;
    /// The same of who adopts orphans but is no init, such as a user's service manager.
    fn adopts(&self) -> bool;
}

/// Processes by PID.
pub struct ProcessTree<R> {
    by_pid: HashMap<u32, R>,
}

impl<R: Relative> FromIterator<R> for ProcessTree<R> {
    fn from_iter<I: IntoIterator<Item = R>>(all: I) -> ProcessTree<R> {
        ProcessTree {
            by_pid: all.into_iter().map(|one| (one.pid(), one)).collect(),
        }
    }
}

impl<R: Relative> ProcessTree<R> {
    /// One of them.
    pub fn get(&self, pid: u32) -> Option<&R> {
        self.by_pid.get(&pid)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &R> {
        self.by_pid.values()
    }

    /// Adds one that began later.
    pub fn add(&mut self, one: R) {
        self.by_pid.insert(one.pid(), one);
    }

    /// Its parent.
    pub fn parent(&self, of: &R) -> Option<&R> {
        self.get(of.ppid()?)
    }

    /// Its parent first. A list read while processes come and go may have a loop.
    fn ancestors<'a>(&'a self, of: &'a R) -> impl Iterator<Item = &'a R> {
        std::iter::successors(self.parent(of), |at| self.parent(at)).take(64)
    }

    /// Whether its parent is an init, which adopts orphans.
    pub fn is_init_parent_of(&self, of: &R) -> bool {
        of.ppid() == Some(1) || self.parent(of).is_some_and(R::is_init)
    }

    /// The process that started one that began after `own`. A process that began before `since` was not created for
    /// that start: it is a supervisor, however young.
    pub fn started_by(&self, of: &R, own: &R, since: u64) -> StartedBy {
        // A process that adopts orphans need not have started anything.
        let handed_on = of.ppid() == own.ppid() || self.is_init_parent_of(of);
        let is_older = |other: &&R| !is_younger(*other, own) || other.began() < since;
        let older = self.ancestors(of).find(is_older);
        StartedBy {
            parent: self.parent(of).map(relative),
            supervisor: older.filter(|_| !handed_on).map(relative),
            below_its_parent: self
                .ancestors(of)
                .skip(1)
                .any(|at| Some(at.pid()) == own.ppid()),
        }
    }

    fn is_ancestor(&self, of: &R, who: &R) -> bool {
        self.ancestors(of).any(|at| at.pid() == who.pid())
    }

    /// Whether `new`, which began later than `own`, may be a part of the same server and not a start that should take
    /// its place. A parent that has ended starts nothing more: then only what came from `own` itself is a part of it.
    pub fn may_be_of_one_server(&self, own: &R, new: &R) -> bool {
        let session = own.session() == new.session();
        let parent = own.ppid() == new.ppid();
        self.are_of_one_line(own, new)
            || match self.leads_session(own) {
                // Its session holds what came from it and nothing else.
                true => session || (parent && !self.takes_in(own)),
                false if self.was_adopted(own) => false,
                // An init in the same session may have started it or adopted it, but not what another one starts.
                false if self.takes_in(own) => session && parent,
                false => session || parent,
            }
    }

    fn leads_session(&self, own: &R) -> bool {
        own.session() == Some(own.pid())
    }

    /// Whether its parent certainly did not start it: a process that does not lead its session has that of the process
    /// that started it (setsid(2)).
    fn was_adopted(&self, own: &R) -> bool {
        let parent = self.parent(own);
        !self.leads_session(own) && parent.is_some_and(|parent| parent.session() != own.session())
    }

    /// Both are one process, or one started the other.
    pub fn are_of_one_line(&self, a: &R, b: &R) -> bool {
        a.pid() == b.pid() || self.is_ancestor(a, b) || self.is_ancestor(b, a)
    }

    /// Whether both have the same session, or the same parent, unless that only adopts orphans.
    pub fn are_of_one_start(&self, a: &R, b: &R) -> bool {
        a.session() == b.session() || (a.ppid() == b.ppid() && !self.takes_in(a))
    }

    /// Whether its parent may have adopted it.
    fn takes_in(&self, of: &R) -> bool {
        self.is_init_parent_of(of) || self.parent(of).is_some_and(R::adopts)
    }
}

/// Two starts at one time are distinguished by their PIDs.
pub fn is_younger<R: Relative>(a: &R, b: &R) -> bool {
    (a.began(), a.pid()) > (b.began(), b.pid())
}

/// Its PID and name.
pub fn relative<R: Relative>(of: &R) -> ProcessRef {
    ProcessRef {
        pid: of.pid(),
        comm: of.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PID, parent, start, name and session.
    struct Member(u32, u32, u64, &'static str, u32);

    impl Relative for Member {
        fn pid(&self) -> u32 {
            self.0
        }
        fn ppid(&self) -> Option<u32> {
            Some(self.1)
        }
        fn session(&self) -> Option<u32> {
            Some(self.4)
        }
        fn began(&self) -> u64 {
            self.2
        }
        fn name(&self) -> Name {
            self.3.into()
        }
        fn is_init(&self) -> bool {
            self.0 == INIT
        }
        fn adopts(&self) -> bool {
            self.3 == "systemd"
        }
    }

    const INIT: u32 = 1;
    const REAPER: u32 = 20;
    const SUPERVISOR: u32 = REAPER + 1;
    const ORPHAN: u32 = REAPER + 2;
    const BOOTSTRAP: u32 = REAPER + 3;
    const NEXT: u32 = REAPER + 4;

    /// PID, parent and start. Each leads its session.
    fn tree(list: &[(u32, u32, u64)]) -> ProcessTree<Member> {
        let member = |&(pid, parent, start): &_| Member(pid, parent, start, "p", pid);
        list.iter().map(member).collect()
    }

    /// PID, parent and session, in the order of their starts.
    fn in_sessions(list: &[(u32, u32, u32)]) -> ProcessTree<Member> {
        let member = |(at, &(pid, parent, session)): (usize, &_)| {
            Member(pid, parent, at as u64, "p", session)
        };
        list.iter().enumerate().map(member).collect()
    }

    fn started_by(
        tree: &ProcessTree<Member>,
        of: u32,
        own: u32,
    ) -> (Option<u32>, Option<u32>, bool) {
        let found = tree.started_by(tree.get(of).unwrap(), tree.get(own).unwrap(), 0);
        (
            found.parent.map(|parent| parent.pid),
            found.supervisor.map(|supervisor| supervisor.pid),
            found.below_its_parent,
        )
    }

    #[test]
    fn the_supervisor_is_the_nearest_ancestor_older_than_the_orphan() {
        let tree = tree(&[
            (INIT, 0, 0),
            (SUPERVISOR, INIT, 5),
            (ORPHAN, INIT, 9),
            (BOOTSTRAP, SUPERVISOR, 70),
            (NEXT, BOOTSTRAP, 71),
        ]);
        assert_eq!(
            started_by(&tree, NEXT, ORPHAN),
            (Some(BOOTSTRAP), Some(SUPERVISOR), true)
        );
        // A supervisor with no bootstrap.
        assert_eq!(
            started_by(&tree, BOOTSTRAP, ORPHAN),
            (Some(SUPERVISOR), Some(SUPERVISOR), true)
        );
    }

    #[test]
    fn a_supervisor_that_is_younger_than_the_orphan_is_named_and_not_the_shell_it_came_from() {
        let tree = tree(&[
            (INIT, 0, 0),
            (REAPER, INIT, 2),
            (ORPHAN, INIT, 9),
            (SUPERVISOR, REAPER, 50),
            (BOOTSTRAP, SUPERVISOR, 70),
            (NEXT, BOOTSTRAP, 71),
        ]);
        let (next, own) = (tree.get(NEXT).unwrap(), tree.get(ORPHAN).unwrap());
        let supervisor = |since| tree.started_by(next, own, since).supervisor.unwrap().pid;
        assert_eq!(supervisor(60), SUPERVISOR);
        assert_eq!(supervisor(0), REAPER);
    }

    #[test]
    fn who_takes_in_orphans_started_nothing() {
        // The bootstrap of the next one is gone as well.
        let tree = tree(&[
            (INIT, 0, 0),
            (REAPER, INIT, 2),
            (ORPHAN, REAPER, 9),
            (NEXT, REAPER, 71),
        ]);
        assert_eq!(started_by(&tree, NEXT, ORPHAN), (Some(REAPER), None, false));
    }

    #[test]
    fn the_orphan_of_a_subreaper_is_below_it_by_way_of_another() {
        let tree = tree(&[
            (INIT, 0, 0),
            (REAPER, INIT, 2),
            (ORPHAN, REAPER, 9),
            (BOOTSTRAP, REAPER, 70),
            (NEXT, BOOTSTRAP, 71),
        ]);
        assert_eq!(
            started_by(&tree, NEXT, ORPHAN),
            (Some(BOOTSTRAP), Some(REAPER), true)
        );
    }

    #[test]
    fn orphans_that_a_users_service_manager_takes_in_were_started_apart() {
        for (comm, together) in [("systemd", false), ("node", true)] {
            let mut tree = tree(&[(REAPER, INIT, 2), (ORPHAN, REAPER, 9), (NEXT, REAPER, 71)]);
            tree.by_pid.get_mut(&REAPER).unwrap().3 = comm;
            let [reaper, a, b] = [REAPER, ORPHAN, NEXT].map(|pid| tree.get(pid).unwrap());
            assert_eq!(tree.are_of_one_start(a, b), together, "{comm}");
            assert!(!tree.are_of_one_line(a, b) && tree.are_of_one_line(reaper, b));
        }
    }

    #[test]
    fn a_start_in_the_session_of_an_orphan_is_not_a_part_of_it() {
        const SHELL: u32 = 7;
        let part = |list: &[(u32, u32, u32)]| {
            let tree = in_sessions(list);
            let [own, new] = [ORPHAN, NEXT].map(|pid| tree.get(pid).unwrap());
            tree.may_be_of_one_server(own, new)
        };
        let init = (INIT, 0, INIT);
        let from_shell = [init, (SHELL, INIT, SHELL), (ORPHAN, INIT, SHELL)];
        let then = |more: &[(u32, u32, u32)]| part(&[&from_shell[..], more].concat());
        // The supervisor is a job of that shell, or nohup's of a shell that has ended, or its bootstrap has ended.
        assert!(!then(&[
            (SUPERVISOR, SHELL, SHELL),
            (NEXT, SUPERVISOR, SHELL)
        ]));
        assert!(!then(&[
            (SUPERVISOR, INIT, SHELL),
            (NEXT, SUPERVISOR, SHELL)
        ]));
        assert!(!then(&[(NEXT, INIT, SHELL)]));
        // What comes from the orphan is a part of it in any session.
        assert!(then(&[(BOOTSTRAP, ORPHAN, SHELL), (NEXT, BOOTSTRAP, NEXT)]));
        // In a container all have the session of its init.
        let (orphan, supervisor) = ((ORPHAN, INIT, INIT), (SUPERVISOR, INIT, INIT));
        assert!(!part(&[init, orphan, supervisor, (NEXT, SUPERVISOR, INIT)]));
        // The init may be a master that starts a worker again, and a live parent the same.
        assert!(part(&[init, orphan, (NEXT, INIT, INIT)]));
        let master = (SUPERVISOR, INIT, SUPERVISOR);
        let worker = (ORPHAN, SUPERVISOR, SUPERVISOR);
        assert!(part(&[
            init,
            master,
            worker,
            (NEXT, SUPERVISOR, SUPERVISOR)
        ]));
        assert!(part(&[init, master, worker, (NEXT, SUPERVISOR, NEXT)]));
        // A server that made its session: all in it came from it, even if what lay between has ended.
        let leader = (ORPHAN, INIT, ORPHAN);
        assert!(part(&[init, leader, (NEXT, INIT, ORPHAN)]));
        assert!(!part(&[init, leader, (NEXT, INIT, NEXT)]));
    }

    #[test]
    fn a_list_that_changed_while_it_was_read_may_have_a_loop() {
        let tree = tree(&[
            (ORPHAN, BOOTSTRAP, 9),
            (BOOTSTRAP, NEXT, 70),
            (NEXT, BOOTSTRAP, 71),
        ]);
        assert_eq!(
            started_by(&tree, NEXT, ORPHAN),
            (Some(BOOTSTRAP), None, true)
        );
    }
}
