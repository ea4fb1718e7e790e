//! Where a process came from, and who else runs its program: all processes, then a closer look at the few
//! that matter.

use super::claims::kind_of;
use super::family::{Family, is_younger};
use super::mounts::Mounts;
use super::proc_dir::ProcDir;
use super::sockets::Tables;
use super::{Gaps, fds, process};
use crate::model::{ClaimKind, Descriptor, Fds, Identity, Kin, Kind, Name, Process, SharedFile};
use procfs::process::Stat;
use std::collections::HashSet;

/// Processes of the same program whose descriptors are read.
const READ: usize = 16;

/// Fills in `around.origin` and `around.kin` of a process that listens or claims something.
pub fn read(dir: &ProcDir, process: &mut Process) {
    let claims = process.descriptors.iter().any(claim_written);
    if process.around.listeners.is_empty() && !claims {
        return;
    }
    let all = Family::read();
    let Some(own) = all.get(process.pid) else {
        return;
    };
    process.around.origin = all.origin(dir, own);
    let Some(program) = program(dir) else { return };
    let mut list: Vec<_> = all
        .all()
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
        kin.extend(self::kin(&all, process, own, other, &theirs));
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

fn kin(all: &Family, process: &Process, own: &Stat, other: &Stat, theirs: &ProcDir) -> Option<Kin> {
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
        starters: all.starters(other, own),
        same_command: process.cmdline == process::command_line(theirs),
        same_cwd: cwd.is_some() && cwd == process.around.cwd,
        younger: is_younger(other, own),
        terminal: other.tty_nr != 0,
        listeners,
        shared: shared(process, &descriptors),
    })
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
}
