//! Writes the commands that help.

use super::quote::{quote, quote_bytes, quote_text};
use super::reach::{self, Reach};
use super::words::flags;
use crate::model::{Finding, Heal, LocalSystem, Name, Paused, Process};
use crate::words::open_files_of;
use std::cell::LazyCell;

/// Writes commands. It finds out what is installed and allowed here when it writes the first command: most looks end
/// without one.
#[derive(Debug)]
pub struct Remedies {
    system: LazyCell<LocalSystem, Box<dyn FnOnce() -> LocalSystem>>,
    on_a_mac: bool,
}

impl Remedies {
    /// For the system that `look` finds, if a command has to know it.
    pub fn new(look: fn() -> LocalSystem) -> Remedies {
        Remedies {
            system: LazyCell::new(Box::new(look)),
            on_a_mac: false,
        }
    }

    /// For a Mac, where a process's open files have no names and other programs are installed.
    #[cfg(any(test, target_os = "macos"))]
    pub fn on_a_mac(look: fn() -> LocalSystem) -> Remedies {
        Remedies {
            on_a_mac: true,
            ..Remedies::new(look)
        }
    }

    /// For a known system.
    pub fn of(system: LocalSystem) -> Remedies {
        Remedies {
            system: LazyCell::new(Box::new(|| system)),
            on_a_mac: false,
        }
    }

    pub(super) fn system(&self) -> &LocalSystem {
        &self.system
    }

    /// How the watches of a process can be changed.
    pub(super) fn reach(&self, process: &Process) -> Reach {
        reach::reach(self.system(), process)
    }

    /// Why `watchfix run` cannot supervise static programs here.
    pub(super) fn cannot_supervise(&self) -> Option<&'static str> {
        reach::cannot_supervise(self.system())
    }

    /// Changes the watches of the running process.
    pub fn heal(&self, process: &Process, heal: &Heal) -> Option<String> {
        let watchfix = self.system().watchfix.as_ref()?;
        let watchfix = match self.reach(process) {
            Reach::Plain => watchfix.word("watchfix"),
            Reach::Sudo => format!("sudo {}", quote(&watchfix.path)),
            Reach::Root(_) | Reach::Host(_) | Reach::Never(_) => return None,
        };
        let flags = flags(process, heal);
        Some(format!("{watchfix} heal {flags}{}", process.pid))
    }

    /// Restores the masks that the watches had before user `by` healed them: that user has the record.
    pub fn undo(&self, process: &Process, by: u32) -> Option<String> {
        let watchfix = self.system().watchfix.as_ref()?;
        let path = quote(&watchfix.path);
        let watchfix = match self.reach(process) {
            Reach::Plain if by == self.system().person => watchfix.word("watchfix"),
            Reach::Plain | Reach::Sudo => {
                let command = format!("{path} heal --undo {}", process.pid);
                return Some(self.as_owner(by, None)?.before("", &command));
            }
            _ => return None,
        };
        Some(format!("{watchfix} heal --undo {}", process.pid))
    }

    /// Ends a pause whose guardian was killed: its user has the record.
    pub fn release(&self, process: &Process, paused: &Paused) -> Option<String> {
        let watchfix = self.system().watchfix.as_ref()?;
        let dirs: Vec<_> = paused.dirs.iter().map(quote).collect();
        let arguments = format!("pause --release {}", dirs.join(" "));
        match self.reach(process) {
            Reach::Plain if paused.uid == self.system().person => {
                Some(format!("{} {arguments}", watchfix.word("watchfix")))
            }
            Reach::Plain | Reach::Sudo => {
                let command = format!("{} {arguments}", quote(&watchfix.path));
                Some(self.as_owner(paused.uid, None)?.before("", &command))
            }
            _ => None,
        }
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

    /// The same, for a sentence.
    pub fn mention(&self, arguments: &str) -> String {
        format!("`{}`", self.fdscan(arguments))
    }

    /// Writes the WAL into the database and truncates it. A checkpoint waits for the readers that have marked an older
    /// frame, and locks out writers meanwhile. It would wait in vain where a mark moves on while readers that overlap
    /// hold its lock, and it is refused at once while the program checkpoints. So this one waits for less time than
    /// programs let a write wait, and tries again. Its status is 1 where that did not help.
    pub fn checkpoint(&self, database: &Name) -> String {
        let path = quote(database);
        format!(
            "for i in 1 2 3 4 5; do sleep 1; sqlite3 -list -cmd '.timeout 2000' {path} 'PRAGMA wal_checkpoint(TRUNCATE)' | grep '^0' && break; done"
        )
    }

    /// Copies the files of a database, unlinked ones through the descriptors that keep them. All copies are of one
    /// moment, because a -wal is useless without the database that it was written for. The process is stopped
    /// meanwhile, and then continues whether or not the copies succeeded; the exit status tells. The copies are made in
    /// the directory `at`, or beside the old names. `None` where descriptors have no names.
    pub fn rescue(
        &self,
        pid: u32,
        files: &[(Option<i32>, &Name)],
        at: Option<&Name>,
    ) -> Option<String> {
        let open = self.open_files(pid)?;
        let copies = files.iter().map(|(fd, path)| {
            let from = match fd {
                Some(fd) => format!("{open}/{fd}"),
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
        Some(format!(
            "kill -STOP {pid}{copies} && kill -CONT {pid} || {{ kill -CONT {pid}; false; }}"
        ))
    }

    /// The directory that has a process's open files by their descriptors, as a shell can name it; `None` where there is
    /// none.
    pub fn open_files(&self, pid: u32) -> Option<String> {
        (!self.on_a_mac).then(|| open_files_of(pid))
    }

    /// Shows who is connected to a TCP port.
    pub fn connections(&self, port: u16) -> String {
        match self.on_a_mac {
            true => format!("lsof -nP -iTCP:{port} -sTCP:ESTABLISHED"),
            false => format!("ss -tn state established 'sport = :{port}'"),
        }
    }

    /// Raises the soft limit of open descriptors (prlimit(1): `N:` does not change the hard one).
    pub fn raise_fd_limit(&self, pid: u32, soft: u64) -> String {
        format!("prlimit --pid {pid} --nofile={soft}:")
    }

    /// Turns the command of a finding, about something that belongs to the users `owners`, into one that can be pasted
    /// as it is. If it cannot run here, the message says so instead.
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

    /// A command other than `watchfix` and a start, about something that belongs to the users `owners`. It runs as root
    /// if that is needed: if one of them is another user, or if it changes the system.
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
        // systemctl asks for permission itself (polkit(8)) or is about this user's own units. nsenter is for the owner
        // of the namespace.
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
        // Not every sh(1) knows `$'...'`.
        let shell = if command.contains("$'") { "bash" } else { "sh" };
        Ok(format!("sudo {shell} -c {}", quote_text(command)))
    }
}

impl crate::model::Program {
    /// How a command begins: with `name` alone if that leads to this very file.
    pub(super) fn word(&self, name: &str) -> String {
        match self.in_path {
            true => name.into(),
            false => quote(&self.path),
        }
    }
}

#[cfg(test)]
pub(in crate::findings) mod tests;
