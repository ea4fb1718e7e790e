//! The program a command starts, and whether a library can be preloaded into it.

use crate::complaint::complain;
use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How many interpreters of interpreters the kernel follows (fs/exec.c, exec_binprm).
const DEEPEST: usize = 5;

/// A program.
pub struct Program {
    /// The lines of scripts that lead to it.
    pub interpreters: Vec<String>,
    /// Where it is.
    pub path: PathBuf,
    /// What kind it is, if that is known.
    pub kind: Option<Kind>,
    /// What lets it gain privileges, if something does.
    pub privileges: Option<&'static str>,
}

impl Program {
    /// The program that runs when the file at `path` is started.
    pub fn of(path: PathBuf) -> Program {
        let mut interpreters = Vec::new();
        let path = follow(path, &mut interpreters);
        Program {
            kind: look(&path),
            privileges: privileges(&path),
            interpreters,
            path,
        }
    }

    /// Why no library can be preloaded into it, as a sentence.
    pub fn refuses_library(&self) -> Option<String> {
        let path = self.path.display();
        match (&self.kind, self.privileges) {
            (Some(Kind::Static), _) => Some(format!(
                "{path} is static: no library can be preloaded into it"
            )),
            (Some(Kind::Dynamic { bits: 32, .. }), _) => Some(format!(
                "{path} is a 32-bit program: the library cannot be preloaded into it"
            )),
            // It gains none from root (ld.so(8), secure-execution mode).
            (_, Some(why)) if inspect::effective_user() != 0 => {
                Some(format!("{path} has {why}: no library is preloaded into it"))
            }
            _ => None,
        }
    }
}

/// Says that the rules do not reach the program: neither by the library nor by the supervisor.
pub fn say_unreached(no_library: &str, no_supervisor: &str) {
    complain(&format!(
        "the rules do not reach this program: {no_library}; it is not supervised: {no_supervisor}"
    ));
}

/// As execvp(3) finds it.
pub fn find(name: &OsStr) -> Option<PathBuf> {
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

/// Whether this user may run it.
pub fn may_run(path: &Path) -> bool {
    let is_file = fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: the path is NUL-terminated.
    is_file && unsafe { libc::access(path.as_ptr(), libc::X_OK) } == 0
}

/// Follows `#!` lines to a program, and notes them.
fn follow(mut path: PathBuf, interpreters: &mut Vec<String>) -> PathBuf {
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
        interpreters.push(OsStr::from_bytes(line).display().to_string());
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

/// How it is linked.
pub enum Kind {
    /// By nothing but itself.
    Static,
    /// By a loader, which can preload a library.
    Dynamic {
        /// The size of its words.
        bits: u8,
        /// The loader.
        loader: String,
    },
}

impl Kind {
    /// In words.
    pub fn text(&self) -> &'static str {
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
