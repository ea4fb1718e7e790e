//! Why there is no command although one would help, and what helps instead.

use super::Remedies;
use super::quote::quote;
use super::reach::Reach;
use crate::findings::rules_in_force;
use crate::model::{Finding, Linkage, Process, is_title};

impl Remedies {
    /// What prevents the commands that `findings` would have, and what helps instead.
    pub fn notes(&self, process: &Process, findings: &[Finding]) -> Vec<String> {
        let mut wanted = findings.iter().filter(|f| f.needs_start());
        if rules_in_force::in_force(process) {
            return Vec::new();
        }
        let heal = wanted.clone().any(|f| f.remedy_live.is_none());
        let start = wanted.any(|f| f.remedy.is_none());
        self.obstacles(process, heal, start)
    }

    /// Why the watches of the running process cannot be changed (`heal`), and why it cannot be started with the rules
    /// (`start`): each in a sentence or two, with what helps instead.
    pub fn obstacles(&self, process: &Process, heal: bool, start: bool) -> Vec<String> {
        let mut notes = Vec::new();
        if heal && !process.inotify.is_empty() {
            notes.extend(self.no_heal(process));
        }
        if start {
            notes.extend(self.no_start(process));
        }
        notes.dedup();
        notes
    }

    fn no_heal(&self, process: &Process) -> Option<String> {
        let pid = process.pid;
        let watchfix = self.system().watchfix.as_ref();
        let path = watchfix.map_or_else(|| "watchfix".into(), |program| quote(&program.path));
        match self.reach(process) {
            Reach::Host(why) => Some(format!(
                "Its watches cannot be changed from here: {why}. From the host, as root: watchfix heal, with the PID that the process has there."
            )),
            Reach::Never(why) => Some(format!("Its watches cannot be changed: {why}.")),
            _ if watchfix.is_none() => Some(self.not_installed()),
            Reach::Root(why) => Some(format!(
                "Only root can change its watches ({why}), and there is no sudo here. As root: {path} heal {pid}"
            )),
            Reach::Plain | Reach::Sudo => None,
        }
    }

    fn no_start(&self, process: &Process) -> Option<String> {
        let title = process.cmdline.as_deref().unwrap_or_default().first();
        if title.is_some_and(is_title) || process.gains_privileges == Some(true) {
            return None;
        }
        let kind = match process.linkage {
            Some(Linkage::Static) => Some("It is statically linked"),
            _ if process.preload.bypassed => Some("It is a Go program"),
            _ => None,
        };
        if let Some(kind) = kind
            && let Some(why) = self.cannot_supervise()
        {
            return Some(format!(
                "{kind}, so only `watchfix run` reaches it, which cannot be used here: {why}. From the host, as root: watchfix heal, with the PID that the process has there."
            ));
        }
        if let Some(uid) = process.uid.filter(|_| self.is_anothers(process))
            && self.as_owner(uid, Some(process)).is_none()
        {
            return Some(format!(
                "It belongs to user {uid}, and nothing here can start a program as that user: only they can start it with the rules."
            ));
        }
        let nothing = self.system().watchfix.is_none() && self.system().library.is_none();
        let not_run = !process.is_reached_by_library() && self.system().watchfix.is_none();
        (nothing || not_run).then(|| self.not_installed())
    }

    fn not_installed(&self) -> String {
        let what = match self.system().library {
            Some(_) => "watchfix, which could change that, is not installed here. It is",
            None => {
                "watchfix and libwatchfix.so, which could change that, are not installed here. They are"
            }
        };
        format!(
            "{what} built together with fdscan (scripts/demo); fdscan searches for them beside itself, in PATH and where packages install them."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::reach::{NO_CAPABILITY, Reach};
    use super::super::remedies::tests::system;
    use super::*;
    use crate::findings::fixture::Fixture;
    use crate::model::{Copies, Heal, LocalSystem, Restart};

    fn user(change: impl FnOnce(&mut LocalSystem)) -> Remedies {
        let mut system = LocalSystem {
            person: 1000,
            sudo: true,
            ..system()
        };
        change(&mut system);
        Remedies::of(system)
    }

    /// The process is user 1000's, and has watches.
    fn process() -> Process {
        Fixture::new().with_watches(1, 0x20).process
    }

    #[test]
    fn yama_requires_root_so_the_command_is_sudo_with_the_absolute_path() {
        let process = process();
        for (scope, wanted) in [
            (None, Some("watchfix heal 42")),
            (Some(0), Some("watchfix heal 42")),
            (Some(1), Some("sudo /usr/bin/watchfix heal 42")),
            (Some(2), Some("sudo /usr/bin/watchfix heal 42")),
            (Some(3), None),
        ] {
            let remedies = user(|here| here.ptrace_scope = scope);
            assert_eq!(
                remedies.heal(&process, &Heal::default()).as_deref(),
                wanted,
                "{scope:?}"
            );
        }
        let root = |scope| {
            user(|system| {
                system.person = 0;
                system.ptrace_scope = scope;
            })
        };
        let said = root(Some(2)).heal(&process, &Heal::default()).unwrap();
        assert_eq!(said, "watchfix heal 42");
        assert_eq!(root(Some(3)).heal(&process, &Heal::default()), None);
        let notes = root(Some(3)).obstacles(&process, true, false);
        assert!(notes[0].contains("ptrace_scope is 3"), "{notes:?}");
    }

    #[test]
    fn only_root_can_change_the_process_of_another_user() {
        let process = process();
        let other = user(|here| here.person = 1001);
        let said = other.heal(&process, &Heal::default()).unwrap();
        assert_eq!(said, "sudo /usr/bin/watchfix heal 42");
        let without_sudo = user(|system| {
            system.person = 1001;
            system.sudo = false;
        });
        assert_eq!(without_sudo.heal(&process, &Heal::default()), None);
        let notes = without_sudo.obstacles(&process, true, false);
        assert_eq!(
            notes,
            [
                "Only root can change its watches (it belongs to user 1000), and there is no sudo here. As root: /usr/bin/watchfix heal 42"
            ]
        );
    }

    #[test]
    fn in_a_container_that_refuses_it_the_host_is_named_instead_of_a_command() {
        let mut process = process();
        process.linkage = Some(Linkage::Static);
        let docker = user(|system| {
            system.copies = Copies::Refused;
            system.person = 0;
            system.root_may_trace = false;
        });
        assert_eq!(docker.heal(&process, &Heal::default()), None);
        // `watchfix run` needs no copies.
        let start = docker.start(&process, &Restart::default()).unwrap();
        assert!(start.contains("watchfix run"), "{start}");
        let notes = docker.obstacles(&process, true, true);
        assert_eq!(notes.len(), 1, "{notes:?}");
        for note in &notes {
            assert!(note.contains("refuses pidfd_getfd"), "{note}");
            assert!(
                note.contains("From the host, as root: watchfix heal"),
                "{note}"
            );
        }
        // The preload does not need any of this.
        process.linkage = Some(Linkage::Dynamic);
        assert!(
            docker
                .start(&process, &Restart::default())
                .unwrap()
                .contains("LD_PRELOAD=")
        );
        assert_eq!(
            docker.obstacles(&process, false, true),
            Vec::<String>::new()
        );
        // No profile, but no capability either.
        let bare = user(|system| {
            system.person = 0;
            system.root_may_trace = false;
        });
        assert_eq!(bare.reach(&process), Reach::Host(NO_CAPABILITY));
        process.uid = Some(0);
        assert_eq!(bare.reach(&process), Reach::Plain);
    }

    #[test]
    fn a_program_that_is_not_installed_is_reported() {
        let process = process();
        let nothing = user(|system| {
            system.watchfix = None;
            system.library = None;
        });
        assert_eq!(nothing.heal(&process, &Heal::default()), None);
        assert_eq!(nothing.start(&process, &Restart::default()), None);
        let notes = nothing.obstacles(&process, true, true);
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].contains("not installed here"), "{notes:?}");
    }

    #[test]
    fn yama_1_allows_a_supervisor_because_it_is_an_ancestor_and_yama_2_does_not() {
        let at = |scope| user(|system| system.ptrace_scope = Some(scope)).cannot_supervise();
        assert_eq!(at(1), None);
        assert!(at(2).is_some());
        assert!(
            user(|system| system.supervisors = false)
                .cannot_supervise()
                .is_some()
        );
    }
}
