//! Who started a process, and who else runs its program: /proc/PID/stat of all processes, then a closer
//! look at the few that matter.

use super::claims::kind_of;
use super::mounts::Mounts;
use super::proc_dir::ProcDir;
use super::processes::Processes;
use super::sockets::Tables;
use super::{Gaps, fds, process};
use crate::model::{
    ClaimKind, Descriptor, Fds, Identity, Kin, Kind, Name, Origin, Process, Relative, SharedFile,
    Unit,
};
use procfs::prelude::*;
use procfs::process::Stat;
use std::collections::{HashMap, HashSet};

/// Processes of the same program whose descriptors are read.
const READ: usize = 16;

/// Fills in `around.origin` and `around.kin` of a process that listens or claims something.
pub fn read(dir: &ProcDir, process: &mut Process) {
    let claims = process.descriptors.iter().any(claim_written);
    if process.around.listeners.is_empty() && !claims {
        return;
    }
    let all = Table::read();
    let Some(own) = all.by_pid.get(&process.pid) else {
        return;
    };
    process.around.origin = all.origin(dir, own);
    let Some(program) = program(dir) else { return };
    let mut list: Vec<_> = all
        .by_pid
        .values()
        .filter(|other| other.comm == own.comm && !all.related(own, other))
        .collect();
    list.sort_by_key(|other| std::cmp::Reverse(other.starttime));
    let mut kin = Vec::new();
    for other in list {
        let Some(pid) = u32::try_from(other.pid).ok() else {
            continue;
        };
        let Ok(theirs) = ProcDir::open(pid) else {
            continue;
        };
        if kin.len() == READ || self::program(&theirs).as_ref() != Some(&program) {
            continue;
        }
        kin.extend(all.kin(process, own, other, &theirs));
    }
    process.around.kin = kin;
}

/// A PID, port or lock file held open for writing.
fn claim_written(file: &Descriptor) -> bool {
    let kind = kind_of(file.target.base());
    file.kind == Kind::File
        && file.writable == Some(true)
        && matches!(
            kind,
            Some(ClaimKind::Pid | ClaimKind::Port | ClaimKind::Lock)
        )
}

struct Table {
    by_pid: HashMap<u32, Stat>,
}

impl Table {
    fn read() -> Table {
        let read = |pid| {
            let text = ProcDir::open(pid).ok()?.read("stat").ok()?;
            let stat = Stat::from_read(&text[..]).ok()?;
            (!matches!(stat.state, 'Z' | 'X')).then_some((pid, stat))
        };
        let pids = Processes::open().and_then(|mut all| all.pids());
        Table {
            by_pid: pids.into_iter().flatten().filter_map(read).collect(),
        }
    }

    fn get(&self, pid: i32) -> Option<&Stat> {
        self.by_pid.get(&u32::try_from(pid).ok()?)
    }

    fn relative(&self, pid: i32) -> Option<Relative> {
        let stat = self.get(pid)?;
        Some(Relative {
            pid: u32::try_from(pid).ok()?,
            comm: stat.comm.as_str().into(),
        })
    }

    fn origin(&self, dir: &ProcDir, own: &Stat) -> Option<Origin> {
        let parent = self.get(own.ppid)?;
        let leader = self.get(own.session);
        let after = own.starttime.saturating_sub(parent.starttime);
        let group = dir.read("cgroup").ok().as_deref().and_then(service);
        Some(Origin {
            parent: self.relative(own.ppid)?,
            parent_is_init: own.ppid == 1 || is_init(own.ppid),
            is_init: is_init(own.pid),
            leads_session: own.session == own.pid,
            // A leader that began later is another process with the same PID.
            leader_alive: leader.is_some_and(|leader| leader.starttime <= own.starttime),
            parent_in_session: parent.session == own.session,
            after_parent: after / procfs::ticks_per_second(),
            own_service: group.as_ref().is_some_and(|group| self.began(group, own)),
            unit: group.as_deref().map(unit),
            ignores_hangup: ignores_hangup(dir),
        })
    }

    /// A service of systemd has a control group of its own. Who is the oldest in it was started for it;
    /// who is not may be the orphan of a supervisor that is.
    fn began(&self, group: &Vec<u8>, own: &Stat) -> bool {
        !self.by_pid.values().any(|other| {
            other.starttime < own.starttime
                && std::fs::read(format!("/proc/{}/cgroup", other.pid))
                    .is_ok_and(|text| service(&text).as_ref() == Some(group))
        })
    }

    fn is_ancestor(&self, of: &Stat, who: &Stat) -> bool {
        let mut at = of;
        // A chain read while processes come and go may have a loop.
        for _ in 0..64 {
            match self.get(at.ppid) {
                Some(parent) if parent.pid == who.pid => return true,
                Some(parent) => at = parent,
                None => return false,
            }
        }
        false
    }

    /// One server's processes: one started the other, or both have the same session, or the same parent
    /// that is not merely who takes in orphans.
    fn related(&self, a: &Stat, b: &Stat) -> bool {
        a.pid == b.pid
            || a.session == b.session
            || (a.ppid == b.ppid && a.ppid != 1 && !is_init(a.ppid))
            || self.is_ancestor(a, b)
            || self.is_ancestor(b, a)
    }

    fn kin(&self, process: &Process, own: &Stat, other: &Stat, theirs: &ProcDir) -> Option<Kin> {
        let mut gaps = Gaps::default();
        let mounts = Mounts::of(theirs, &mut gaps);
        let descriptors = fds::read(theirs, &mounts, &mut Fds::default(), &mut gaps).ok()?;
        let listeners = Tables::of(theirs).of_descriptors(&descriptors);
        let ours: HashSet<u64> = process.around.listeners.iter().map(|l| l.inode).collect();
        // A socket that was handed over: workers of one server.
        if listeners
            .iter()
            .any(|listener| ours.contains(&listener.inode))
        {
            return None;
        }
        let cwd = theirs.read_link("cwd").ok().map(Name::from);
        Some(Kin {
            pid: theirs.pid,
            parent: self.relative(other.ppid),
            same_command: process.cmdline == process::command_line(theirs),
            same_cwd: cwd.is_some() && cwd == process.around.cwd,
            // Two starts within one clock tick are told apart by their PIDs.
            younger: (other.starttime, other.pid) > (own.starttime, own.pid),
            terminal: other.tty_nr != 0,
            listeners,
            shared: shared(process, &descriptors),
        })
    }
}

/// Databases and claims both have open for writing.
fn shared(process: &Process, theirs: &[Descriptor]) -> Vec<SharedFile> {
    let written: HashSet<Identity> = theirs
        .iter()
        .filter(|file| file.kind == Kind::File && file.writable == Some(true))
        .filter_map(|file| file.identity)
        .collect();
    let both = |id: Option<Identity>| id.is_some_and(|id| written.contains(&id));
    let databases = process.sqlite.iter().filter_map(|database| {
        let part = database.parts.iter().find(|part| part.suffix.is_empty())?;
        (part.writable && both(part.identity)).then(|| SharedFile {
            path: database.database.clone(),
            what: "database",
        })
    });
    let mut found: Vec<_> = databases.collect();
    let claims = process
        .descriptors
        .iter()
        .filter(|file| claim_written(file));
    for file in claims.filter(|file| both(file.identity)) {
        if !found.iter().any(|known| known.path == file.target) {
            found.push(SharedFile {
                path: file.target.clone(),
                what: "claim",
            });
        }
    }
    found
}

/// Whether a process is the first of its PID namespace: the last number of `NSpid:` in its status.
fn is_init(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/status")).is_ok_and(|text| {
        let line = text
            .split(|&b| b == b'\n')
            .find_map(|line| line.strip_prefix(b"NSpid:"));
        line.is_some_and(|ids| ids.split(|b| b.is_ascii_whitespace()).next_back() == Some(b"1"))
    })
}

/// The path of the control group, if it is a service's (systemd.service(5); cgroups(7) for the format).
/// `user@1000.service` is a whole login, not a service.
fn service(text: &[u8]) -> Option<Vec<u8>> {
    text.split(|&b| b == b'\n').find_map(|line| {
        let path = line.splitn(3, |&b| b == b':').nth(2)?;
        let unit = path.rsplit(|&b| b == b'/').next()?;
        (unit.ends_with(b".service") && !unit.starts_with(b"user@")).then(|| path.to_vec())
    })
}

/// The unit of such a control group.
fn unit(group: &[u8]) -> Unit {
    Unit {
        name: Name::from(group).base().into(),
        of_user: group.windows(6).any(|part| part == b"/user@"),
    }
}

/// Whether SIGHUP is ignored: the lowest bit of `SigIgn:` (proc_pid_status(5)).
fn ignores_hangup(dir: &ProcDir) -> bool {
    let text = dir.read("status").unwrap_or_default();
    let mut lines = text.split(|&b| b == b'\n');
    let mask = lines.find_map(|line| line.strip_prefix(b"SigIgn:"));
    let last = mask.and_then(|mask| mask.trim_ascii().last().copied());
    last.and_then(|digit| char::from(digit).to_digit(16))
        .is_some_and(|digit| digit & 1 == 1)
}

/// What a process runs: its file, and the script where that is an interpreter.
fn program(dir: &ProcDir) -> Option<(Vec<u8>, Option<Name>)> {
    let exe = dir.read_link("exe").ok()?;
    // After an update the old file is a deleted one: still the same program.
    let exe = exe.strip_suffix(b" (deleted)").unwrap_or(&exe).to_vec();
    let script = script(&exe, &process::command_line(dir)?);
    Some((exe, script))
}

/// The script of an interpreter: the first argument that is no flag, or what `-m` or `-jar` names.
fn script(exe: &[u8], arguments: &[Name]) -> Option<Name> {
    const INTERPRETERS: &[&str] = &[
        "python", "pypy", "node", "bun", "deno", "ruby", "perl", "php", "java", "bash", "sh",
        "dash", "electron", "dotnet", "beam.smp", "lua", "busybox",
    ];
    let base = exe.rsplit(|&b| b == b'/').next().unwrap_or(exe);
    if !INTERPRETERS
        .iter()
        .any(|name| base.starts_with(name.as_bytes()))
    {
        return None;
    }
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        match argument.as_bytes() {
            b"-m" | b"-jar" => return rest.next().cloned(),
            b"run" => {}
            text if text.starts_with(b"-") => {}
            _ => return Some(argument.clone()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_what_an_interpreter_runs() {
        let of = |exe: &str, words: &[&str]| {
            let words: Vec<Name> = words.iter().map(|word| (*word).into()).collect();
            script(exe.as_bytes(), &words).map(|name| name.to_string())
        };
        assert_eq!(
            of("/usr/bin/python3.12", &["python3", "-u", "a.py", "x"]),
            Some("a.py".into())
        );
        assert_eq!(
            of("/usr/bin/python3", &["python3", "-m", "uvicorn"]),
            Some("uvicorn".into())
        );
        assert_eq!(
            of("/usr/bin/java", &["java", "-Xmx1g", "-jar", "x.jar"]),
            Some("x.jar".into())
        );
        assert_eq!(of("/usr/bin/genie", &["genie", "serve"]), None);
    }

    #[test]
    fn a_unit_has_the_name_of_its_group_and_may_be_a_users() {
        let system = unit(b"/system.slice/webui@1.service");
        assert_eq!(
            (system.name, system.of_user),
            ("webui@1.service".into(), false)
        );
        let user = b"/user.slice/user-0.slice/user@0.service/app.slice/webui.service";
        assert!(unit(user).of_user);
    }

    #[test]
    fn a_unit_is_a_service_and_a_login_is_none() {
        assert!(service(b"0::/system.slice/ssh.service\n").is_some());
        assert!(service(b"1:name=systemd:/system.slice/a.service\n0::/x\n").is_some());
        assert!(service(b"0::/user.slice/user-0.slice/session-3.scope\n").is_none());
        assert!(service(b"0::/user.slice/user@0.service\n").is_none());
    }
}
