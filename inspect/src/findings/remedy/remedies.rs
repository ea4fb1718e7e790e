//! Who writes the commands that help.

use super::quote::{quote, quote_bytes, quote_text};
use super::reach::{self, Reach};
use super::words::{added, command_line, flags, pattern, patterns, settled, variables};
use crate::model::{Finding, Linkage, LocalSystem, Name, Process};
use crate::words::open_files_of;
use rules::rule::Rule;
use std::cell::LazyCell;

const LIBRARY: &str = "libwatchfix.so";
const IGNORE: &str = "WATCHFIX_IGNORE";
const SETTLE: &str = "WATCHFIX_SETTLE";

/// Writes commands. Knows what is installed here, and what is allowed, once the first is written: most looks end
/// without one.
#[derive(Debug)]
pub struct Remedies {
    system: LazyCell<LocalSystem, Box<dyn FnOnce() -> LocalSystem>>,
}

impl Remedies {
    /// For the place that `look` finds, if a command has to know it.
    pub fn new(look: fn() -> LocalSystem) -> Remedies {
        Remedies {
            system: LazyCell::new(Box::new(look)),
        }
    }

    /// For a place that is known.
    pub fn of(system: LocalSystem) -> Remedies {
        Remedies {
            system: LazyCell::new(Box::new(|| system)),
        }
    }

    pub(super) fn system(&self) -> &LocalSystem {
        &self.system
    }

    /// How the watches of a process can be changed.
    pub(super) fn reach(&self, process: &Process) -> Reach {
        reach::reach(self.system(), process)
    }

    /// Why `watchfix run` cannot supervise here, which it does for static programs.
    pub(super) fn cannot_supervise(&self) -> Option<&'static str> {
        reach::cannot_supervise(self.system())
    }

    /// Starts the program again with the default rules: by preload if it is dynamic, else (and when that
    /// is not known) by `watchfix run`, which works for every program.
    pub fn start(&self, process: &Process) -> Option<String> {
        self.start_with(process, "")
    }

    /// The same with these events stripped, which the library does by default.
    pub fn start_stripping(&self, process: &Process, events: &str) -> Option<String> {
        self.start_with(process, &format!("--strip {events} "))
    }

    /// The same with events of these names removed. Engines that see masks only cannot do that: there
    /// the directory is settled, so that a file is reported when it is closed and not at every write.
    pub fn start_ignoring(&self, process: &Process, names: &[&[u8]], dir: &Name) -> Option<String> {
        if self.sees_names(process) {
            return self.start_without(process, names);
        }
        let settle = added(process, SETTLE, &pattern(dir));
        let settle = quote_bytes(&settle);
        let variables = variables(process, &[(SETTLE, Vec::new())]);
        self.supervised(process, &variables, &format!("--settle {settle} "))
    }

    /// The same where only the removal of these names helps; `None` where nothing can remove them.
    pub fn start_without(&self, process: &Process, names: &[&[u8]]) -> Option<String> {
        if !self.sees_names(process) {
            return None;
        }
        if names.is_empty() {
            return self.start(process);
        }
        let names: Vec<Name> = names.iter().map(|&name| name.into()).collect();
        let ignore = added(process, IGNORE, &patterns(&names));
        match self.preload(process) {
            Some(preload) => {
                let variables = variables(process, &[(IGNORE, ignore)]);
                self.started(process, &format!("{variables}{preload} "), "")
            }
            None => {
                let variables = variables(process, &[(IGNORE, Vec::new())]);
                let ignore = quote_bytes(&ignore);
                self.supervised(process, &variables, &format!("--ignore {ignore} "))
            }
        }
    }

    /// Whether the library, which sees names, would be in the process from its next start on.
    fn sees_names(&self, process: &Process) -> bool {
        let by_run = process.supervised && self.system().watchfix.is_some();
        process.is_dynamic() && (by_run || self.system().library.is_some())
    }

    /// The same with `new` added to a rule, where the program loads the library.
    pub fn start_with_rule(&self, process: &Process, rule: Rule, new: &[u8]) -> Option<String> {
        let preload = self.preload(process)?;
        let name = rule.variable();
        let variables = variables(process, &[(name, added(process, name, new))]);
        self.started(process, &format!("{variables}{preload} "), "")
    }

    fn start_with(&self, process: &Process, flags: &str) -> Option<String> {
        let variables = variables(process, &[]);
        match self.preload(process) {
            Some(preload) => self.started(process, &format!("{variables}{preload} "), ""),
            None => self.supervised(process, &variables, flags),
        }
    }

    /// Starts the program again under `watchfix run`.
    pub fn run(&self, process: &Process) -> Option<String> {
        self.supervised(process, &variables(process, &[]), "")
    }

    fn supervised(&self, process: &Process, variables: &str, flags: &str) -> Option<String> {
        let watchfix = self.system().watchfix.as_ref()?;
        if process.linkage != Some(Linkage::Dynamic) && self.cannot_supervise().is_some() {
            return None;
        }
        let watchfix = match self.is_anothers(process) {
            true => quote(&watchfix.path),
            false => watchfix.word("watchfix"),
        };
        self.started(process, variables, &format!("{watchfix} run {flags}-- "))
    }

    /// A start in the directory the process works in, as its user. `variables` and what is put `before` the command
    /// end in a blank.
    fn started(&self, process: &Process, variables: &str, before: &str) -> Option<String> {
        let anothers = self.is_anothers(process);
        let command = command_line(process, anothers)?;
        let dir = process.surroundings.cwd.as_ref().filter(|dir| {
            let path = dir.as_bytes();
            // proc_pid_cwd(5): one that was removed.
            path.starts_with(b"/") && path != b"/" && !path.ends_with(b" (deleted)")
        });
        let dir = dir.map(quote);
        Some(match (anothers, process.uid, dir) {
            (true, Some(uid), dir) => {
                let dir = dir.map_or_else(String::new, |dir| format!("-C {dir} "));
                format!("sudo -u '#{uid}' env {dir}{variables}{before}{command}")
            }
            (_, _, Some(dir)) => format!("cd {dir} && {variables}{before}{command}"),
            (_, _, None) => format!("{variables}{before}{command}"),
        })
    }

    /// Whether a start must be made another user's first: pasted as it is, the program would be its starter's.
    fn is_anothers(&self, process: &Process) -> bool {
        self.system().sudo && process.uid.is_some_and(|uid| uid != self.system().person)
    }

    /// How a command begins that runs as another user: by sudo(8), or where root has none by runuser(1).
    fn as_user(&self, uid: u32) -> Option<String> {
        match (self.system().sudo, self.system().person, uid) {
            (true, _, 0) => Some("sudo".into()),
            (true, ..) => Some(format!("sudo -u '#{uid}'")),
            (false, 0, _) => Some(format!("runuser -u \"$(id -nu {uid})\" --")),
            (false, ..) => None,
        }
    }

    /// `LD_PRELOAD=` with the library, and behind it what the process preloads already; `None` where that does not
    /// reach it, and where `watchfix run` does it.
    fn preload(&self, process: &Process) -> Option<String> {
        // It loads the library itself, and reaches what the library does not.
        let by_run = process.supervised && self.system().watchfix.is_some();
        let library = self
            .system()
            .library
            .as_ref()
            .filter(|_| process.is_dynamic() && !by_run)?;
        // This program may lie in somebody's home: a name like any other.
        let mut list = library.shown().into_owned();
        let others = process.preload.requested.iter().flatten();
        for other in others.filter(|entry| entry.base() != LIBRARY.as_bytes()) {
            list.push(b':');
            list.extend_from_slice(&other.shown());
        }
        Some(format!("LD_PRELOAD={}", quote_bytes(&list)))
    }

    /// Changes the watches of the running process.
    pub fn heal(&self, process: &Process) -> Option<String> {
        self.heal_with(process, None)
    }

    /// The same, with these events stripped.
    pub fn heal_stripping(&self, process: &Process, events: &str) -> Option<String> {
        self.heal_with(process, Some((Rule::Strip, events.into())))
    }

    /// The same, with a directory settled.
    pub fn heal_settling(&self, process: &Process, dir: &Name) -> Option<String> {
        self.heal_with(process, Some((Rule::Settle, settled(process, dir))))
    }

    /// The same, with the watches on a directory, and below it, muted.
    pub fn heal_dropping(&self, process: &Process, dir: &Name) -> Option<String> {
        let drop = added(process, Rule::Drop.variable(), &pattern(dir));
        let drop = drop.strip_prefix(b"+").unwrap_or(&drop);
        self.heal_with(process, Some((Rule::Drop, drop.to_vec())))
    }

    fn heal_with(&self, process: &Process, rule: Option<(Rule, Vec<u8>)>) -> Option<String> {
        let watchfix = self.system().watchfix.as_ref()?;
        let watchfix = match self.reach(process) {
            Reach::Plain => watchfix.word("watchfix"),
            Reach::Sudo => format!("sudo {}", quote(&watchfix.path)),
            Reach::Root(_) | Reach::Host(_) | Reach::Never(_) => return None,
        };
        let flags = flags(process, rule);
        Some(format!("{watchfix} heal {flags}{}", process.pid))
    }

    /// Gives the watches the masks back they had before user `by` healed them: that user has the record.
    pub fn undo(&self, process: &Process, by: u32) -> Option<String> {
        let watchfix = self.system().watchfix.as_ref()?;
        let path = quote(&watchfix.path);
        let watchfix = match self.reach(process) {
            Reach::Plain if by == self.system().person => watchfix.word("watchfix"),
            Reach::Plain | Reach::Sudo => format!("{} {path}", self.as_user(by)?),
            _ => return None,
        };
        Some(format!("{watchfix} heal --undo {}", process.pid))
    }

    /// Looks at another process.
    pub fn scan(&self, pid: u32) -> String {
        self.fdscan(&pid.to_string())
    }

    /// This program with other arguments.
    pub fn fdscan(&self, arguments: &str) -> String {
        let fdscan = self.system().fdscan.as_ref();
        let fdscan = fdscan.map_or_else(|| "fdscan".into(), |fdscan| fdscan.word("fdscan"));
        format!("{fdscan} {arguments}")
    }

    /// The same within a sentence.
    pub fn mention(&self, arguments: &str) -> String {
        format!("`{}`", self.fdscan(arguments))
    }

    /// Writes the WAL into the database and cuts it to nothing. Readers that come one after the other are
    /// waited for: once everything is in the database, the next ones do not need the log.
    pub fn checkpoint(&self, database: &Name) -> String {
        let path = quote(database);
        format!("sqlite3 {path} 'PRAGMA busy_timeout=10000; PRAGMA wal_checkpoint(TRUNCATE)'")
    }

    /// Copies the files of a database, unlinked ones through the descriptors that keep them: those of one
    /// moment, because a -wal means nothing without the database it was written for. The process stands
    /// still meanwhile, and goes on whether the copies were made or not; the exit status tells which.
    /// They are made in the directory `at`, or beside their old names.
    pub fn rescue(&self, pid: u32, files: &[(Option<i32>, &Name)], at: Option<&Name>) -> String {
        let copies = files.iter().map(|(fd, path)| {
            let from = match fd {
                Some(fd) => format!("{}/{fd}", open_files_of(pid)),
                None => quote(path),
            };
            let to = match at {
                Some(at) => [
                    &at.shown()[..],
                    b"/",
                    Name::from(path.base()).shown().as_ref(),
                ]
                .concat(),
                None => path.shown().into_owned(),
            };
            let to = [&to[..], b".saved"].concat();
            format!(" && cp -p {from} {}", quote_bytes(&to))
        });
        let copies: String = copies.collect();
        format!("kill -STOP {pid}{copies} && kill -CONT {pid} || {{ kill -CONT {pid}; false; }}")
    }

    /// Raises the soft limit of open descriptors (prlimit(1): `N:` leaves the hard one alone).
    pub fn raise_fd_limit(&self, pid: u32, soft: u64) -> String {
        format!("prlimit --pid {pid} --nofile={soft}:")
    }

    /// Makes the command of a finding one that runs as it is pasted, about what belongs to the users `owners`; what cannot
    /// run here is said instead.
    pub fn paste(&self, finding: &mut Finding, owners: &[u32]) {
        if finding.needs_start() {
            return;
        }
        let of_system = matches!(finding.code, "watch-limit-near" | "instance-limit-near");
        let Some(command) = finding.remedy.take() else {
            return;
        };
        match self.permitted(owners, of_system, &command) {
            Ok(command) => finding.remedy = Some(command),
            Err(why) => finding.message += &format!(" {why}: `{command}`."),
        }
    }

    /// A command that is none of `watchfix` and no start, about what belongs to the users `owners`, as root where it takes
    /// that: one of them is another one, or it is the system that is changed.
    ///
    /// # Errors
    /// Why it cannot run here, as the beginning of a sentence.
    pub fn permitted(
        &self,
        owners: &[u32],
        of_system: bool,
        command: &str,
    ) -> Result<String, &'static str> {
        if command.contains("sqlite3 ") && !self.system().sqlite3 {
            return Err("sqlite3, which would help, is not installed here");
        }
        let person = self.system().person;
        let needs_root = of_system || owners.iter().any(|&uid| uid != person);
        // The one asks by itself (polkit(8)), or is for this user's own units; the other is for who made a namespace.
        let asks = ["systemctl ", "nsenter "];
        let asks = asks.iter().any(|program| command.starts_with(program));
        if person == 0 || !needs_root || asks {
            return Ok(command.into());
        }
        if !self.system().sudo {
            return Err("Only root can change that, and there is no sudo here");
        }
        if !command.contains([';', '&', '|', '<', '>']) {
            return Ok(format!("sudo {command}"));
        }
        // `$'...'` is not known to every sh(1).
        let shell = if command.contains("$'") { "bash" } else { "sh" };
        Ok(format!("sudo {shell} -c {}", quote_text(command)))
    }
}

impl crate::model::Program {
    /// How a command begins: by `name` alone where that means this very file.
    fn word(&self, name: &str) -> String {
        match self.in_path {
            true => name.into(),
            false => quote(&self.path),
        }
    }
}

#[cfg(test)]
pub(in crate::findings) mod tests;
