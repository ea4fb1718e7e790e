//! `watchfix run --explain`: what would be used for a command, and why.

use super::command::{NOT_FOUND, NOT_RUNNABLE};
use super::engine::Plan;
use super::filter::{Trapped, Watches};
use crate::complaint::{USAGE, complain};
use inspect::output::print;
use inspect::render::inert;
use inspect::words::sanitize;
use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How many interpreters of interpreters the kernel follows (fs/exec.c, exec_binprm).
const DEEPEST: usize = 5;

/// Says it on standard output. The exit status is that of a command that cannot be started, else 0.
pub fn main(name: &OsStr, plan: &Plan) -> ExitCode {
    let Some(found) = find(name) else {
        complain(&format!(
            "{} cannot be run: it is not found",
            name.display()
        ));
        return ExitCode::from(NOT_FOUND as u8);
    };
    if !may_run(&found) {
        complain(&format!(
            "{} cannot be run: it is not a program this user may run",
            found.display()
        ));
        return ExitCode::from(NOT_RUNNABLE as u8);
    }
    let mut lines = vec![format!("command     {}", found.display())];
    let program = follow(found, &mut lines);
    let kind = look(&program);
    lines.push(format!(
        "program     {}",
        kind.as_ref().map_or("of no known kind", Kind::text)
    ));
    if let Some(Kind::Dynamic { loader, .. }) = &kind {
        lines.push(format!("loader      {loader}"));
    }
    if let Some(why) = privileges(&program) {
        lines.push(format!("privileges  {why}: without root it runs without them under the supervisor, and no library is \
                            loaded into it"));
    }
    lines.push(match (&plan.library, &kind) {
        (Ok(path), Some(Kind::Dynamic { bits: 64, .. })) => {
            format!("library     {}", path.display())
        }
        (Ok(path), Some(Kind::Dynamic { .. })) => {
            format!(
                "library     {}, for 64-bit programs it starts; it cannot be loaded into this one",
                path.display()
            )
        }
        (Ok(path), _) => format!(
            "library     {}, for dynamic programs it starts",
            path.display()
        ),
        (Err(why), _) => format!("library     none: {why}"),
    });
    lines.push(match &plan.supervisor {
        Ok(Trapped {
            watches: Watches::Masks(0),
            ..
        }) => "supervisor  for directories with an open database: their watches settle later"
            .to_owned(),
        Ok(Trapped {
            watches: Watches::Masks(bits),
            ..
        }) => {
            let events: Vec<_> = rules::event::names(*bits).collect();
            format!("supervisor  for watches with any of {}", events.join(","))
        }
        Ok(Trapped {
            watches: Watches::All,
            ..
        }) => "supervisor  for every watch, to count them".to_owned(),
        Err(why) => format!("supervisor  none: {why}"),
    });
    if let Ok(trapped) = &plan.supervisor {
        lines.push(match &plan.reads {
            Ok(()) if trapped.reads.is_empty() => "reads       the rules change none".to_owned(),
            Ok(()) => "reads       of instances that do not wait (O_NONBLOCK) are judged as the library judges them; \
                       others have masks alone"
                .to_owned(),
            Err(why) => format!("reads       are not judged: {why}"),
        });
        if let Err(why) = &plan.copies {
            lines.push(format!(
                "copies      of instances are kept from when they are made: {why}"
            ));
        }
        if plan.chmod {
            let text =
                "is told from touch where reads are judged; elsewhere attrib stays in the masks";
            lines.push(format!("chmod       {text}"));
        }
    }
    let yama = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    lines.push(match yama.as_deref().map(str::trim) {
        Ok(scope @ ("0" | "1")) => format!("yama        ptrace_scope {scope}: no obstacle"),
        Ok(scope) => {
            format!("yama        ptrace_scope {scope}: the supervisor needs CAP_SYS_PTRACE")
        }
        Err(_) => "yama        not in this kernel".to_owned(),
    });
    let lines: Vec<_> = lines.iter().map(|line| sanitize(line)).collect();
    match print(inert(&(lines.join("\n") + "\n")).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            USAGE.into()
        }
    }
}

/// As execvp(3) finds it.
fn find(name: &OsStr) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Path::new(name).exists().then(|| name.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let all: Vec<_> = std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .collect();
    let runnable = all.iter().find(|path| may_run(path));
    runnable
        .or_else(|| all.iter().find(|path| path.exists()))
        .cloned()
}

fn may_run(path: &Path) -> bool {
    let is_file = fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: the path is NUL-terminated.
    is_file && unsafe { libc::access(path.as_ptr(), libc::X_OK) } == 0
}

/// Follows `#!` lines to a program.
fn follow(mut path: PathBuf, lines: &mut Vec<String>) -> PathBuf {
    for _ in 0..DEEPEST {
        let mut start = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(256).read_to_end(&mut start));
        let (Ok(_), Some(rest)) = (read, start.strip_prefix(b"#!")) else {
            break;
        };
        let line = rest
            .split(|&c| c == b'\n')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        let mut words = line
            .split(|&c| c == b' ' || c == b'\t')
            .filter(|word| !word.is_empty());
        let Some(interpreter) = words.next() else {
            break;
        };
        lines.push(format!("script of   {}", OsStr::from_bytes(line).display()));
        path = PathBuf::from(OsStr::from_bytes(interpreter));
        // env(1) looks its argument up.
        if path.file_name() == Some(OsStr::new("env"))
            && let Some(found) = words
                .find(|word| !word.starts_with(b"-"))
                .and_then(|w| find(OsStr::from_bytes(w)))
        {
            path = found;
        }
    }
    path
}

enum Kind {
    Static,
    Dynamic { bits: u8, loader: String },
}

impl Kind {
    fn text(&self) -> &'static str {
        match self {
            Kind::Static => "static: no library can be preloaded into it",
            Kind::Dynamic { bits: 64, .. } => "dynamic, 64-bit",
            Kind::Dynamic { .. } => "dynamic, 32-bit",
        }
    }
}

/// Reads the ELF header and looks for PT_INTERP (elf(5)).
fn look(path: &Path) -> Option<Kind> {
    let file = File::open(path).ok()?;
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0).ok()?;
    if header.first_chunk() != Some(b"\x7fELF") {
        return None;
    }
    let wide = header[4] == 2;
    let number = |bytes: &[u8], at: usize, size: usize| -> Option<u64> {
        let bytes = bytes.get(at..at + size)?;
        Some(bytes.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
    };
    // Offsets of e_phoff, e_phentsize, e_phnum, and in an entry of p_offset and p_filesz, with the size of an address.
    let (table, size, count, offset, length, word) = if wide {
        (32, 54, 56, 8, 32, 8)
    } else {
        (28, 42, 44, 4, 16, 4)
    };
    let (start, size) = (number(&header, table, word)?, number(&header, size, 2)?);
    for entry in 0..number(&header, count, 2)? {
        let mut bytes = [0; 56];
        let bytes = bytes.get_mut(..usize::try_from(size).ok()?.min(56))?;
        file.read_exact_at(bytes, start.checked_add(entry * size)?)
            .ok()?;
        // PT_INTERP
        if number(bytes, 0, 4)? == 3 {
            let room = usize::try_from(number(bytes, length, word)?)
                .ok()?
                .min(4096);
            let mut loader = vec![0; room];
            file.read_exact_at(&mut loader, number(bytes, offset, word)?)
                .ok()?;
            let loader = loader.split(|&c| c == 0).next().unwrap_or_default();
            return Some(Kind::Dynamic {
                bits: if wide { 64 } else { 32 },
                loader: OsStr::from_bytes(loader).display().to_string(),
            });
        }
    }
    Some(Kind::Static)
}

/// What lets it gain privileges, if something does.
fn privileges(path: &Path) -> Option<&'static str> {
    let mode = fs::metadata(path).ok()?.mode();
    if mode & libc::S_ISUID != 0 {
        return Some("set-user-ID");
    }
    if mode & libc::S_ISGID != 0 {
        return Some("set-group-ID");
    }
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let name = c"security.capability";
    // SAFETY: C strings; nothing is written where the size is 0.
    let size = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) };
    (size > 0).then_some("file capabilities")
}
