//! The program that a file starts, and what can be told of it.

use super::elf;
use super::mach_o::{self, Image};
use super::script;
use super::search::{Unanswered, any_may_be_looked_at, find_in};
use super::source::Source;
#[cfg(target_os = "linux")]
use std::ffi::CString;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How many interpreters of interpreters Linux follows (fs/exec.c, exec_binprm). xnu follows one.
const DEEPEST: usize = 5;

/// inode(7); libc has them in another type on each system.
const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;

/// A program.
#[derive(Debug)]
pub struct Program {
    /// The lines of scripts that lead to it.
    pub interpreters: Vec<String>,
    /// The programs these lines name, one after the other; the last is this one.
    pub steps: Vec<PathBuf>,
    /// Where it is.
    pub path: PathBuf,
    /// Why it was not looked at.
    pub unanswered: Option<&'static str>,
    /// What kind it is, if that is known.
    pub kind: Option<Kind>,
    /// What lets it gain privileges, if something does.
    pub privileges: Option<&'static str>,
}

/// What a file is that is not a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Linux's; how it is linked, if that can be read.
    Elf(Option<elf::Kind>),
    /// A Mac's: its slices, or what is wrong with it.
    MachO(Result<Vec<Image>, &'static str>),
}

impl Program {
    /// The program that runs when the file at `path` is started.
    pub fn of(path: PathBuf) -> Program {
        Program::with(path, any_may_be_looked_at)
    }

    /// The same, without a look at what is `unanswered`.
    pub fn with(path: PathBuf, unanswered: Unanswered) -> Program {
        let mut program = Program {
            interpreters: Vec::new(),
            steps: Vec::new(),
            path,
            unanswered: None,
            kind: None,
            privileges: None,
        };
        program.follow(unanswered);
        program.unanswered = unanswered(&program.path);
        if program.unanswered.is_none() {
            program.kind = kind_of(&program.path).ok().flatten();
            program.privileges = privileges(&program.path);
        }
        program
    }

    /// Follows `#!` lines to a program, and notes them.
    fn follow(&mut self, unanswered: Unanswered) {
        for _ in 0..DEEPEST {
            if unanswered(&self.path).is_some() {
                break;
            }
            let Some(line) = script_line(&self.path) else {
                break;
            };
            let words = script::words(&line);
            let Some((interpreter, arguments)) = words.split_first() else {
                break;
            };
            let text = OsStr::from_bytes(&line).display().to_string();
            self.interpreters.push(text);
            self.step(interpreter.into());
            // env(1) looks its argument up.
            if script::is_env(&self.path)
                && let Ok(call) = script::env_call(arguments)
                && let Some(name) = call.command.first()
                && let Some(found) = find_in(name, std::env::var_os("PATH"), unanswered)
            {
                self.step(found);
            }
        }
    }

    fn step(&mut self, path: PathBuf) {
        self.steps.push(path.clone());
        self.path = path;
    }

    /// How it is linked, if it is one for Linux.
    pub fn linkage(&self) -> Option<&elf::Kind> {
        match &self.kind {
            Some(Kind::Elf(linkage)) => linkage.as_ref(),
            _ => None,
        }
    }
}

/// What the file at `path` is; `None` for a script, and for what is not a program at all.
///
/// # Errors
/// The errno of opening it.
pub fn kind_of(path: &Path) -> io::Result<Option<Kind>> {
    let source = Source::new(open(path)?);
    let file = source.whole();
    if elf::is_elf(file) {
        return Ok(Some(Kind::Elf(elf::kind(file))));
    }
    Ok(match mach_o::images(file) {
        Ok(None) => None,
        Ok(Some(images)) => Some(Kind::MachO(Ok(images))),
        Err(why) => Some(Kind::MachO(Err(why))),
    })
}

/// The line behind `#!`, if the file at `path` is a script.
pub fn script_line(path: &Path) -> Option<Vec<u8>> {
    let source = Source::new(open(path).ok()?);
    script::line(source.whole().head(script::HEAD)).map(<[u8]>::to_vec)
}

/// Opens a regular file: a FIFO would wait for a writer, a device may be set off.
fn open(path: &Path) -> io::Result<File> {
    let is_file = |meta: &fs::Metadata| meta.is_file();
    let refused = || io::Error::from(io::ErrorKind::InvalidInput);
    if !is_file(&fs::metadata(path)?) {
        return Err(refused());
    }
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    if is_file(&file.metadata()?) {
        Ok(file)
    } else {
        Err(refused())
    }
}

/// What lets it gain privileges, if something does.
pub fn privileges(path: &Path) -> Option<&'static str> {
    let mode = fs::metadata(path).ok()?.mode();
    if mode & SET_USER != 0 {
        return Some("set-user-ID");
    }
    if mode & SET_GROUP != 0 {
        return Some("set-group-ID");
    }
    has_capabilities(path).then_some("file capabilities")
}

#[cfg(target_os = "linux")]
fn has_capabilities(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    let name = c"security.capability";
    // SAFETY: C strings; nothing is written where the size is 0.
    let size = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) };
    size > 0
}

/// Only Linux has them.
#[cfg(not(target_os = "linux"))]
fn has_capabilities(_: &Path) -> bool {
    false
}
