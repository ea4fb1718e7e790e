//! What a process runs: its program (exe, auxv), and the library in it (environ, maps, ELF headers).

use crate::gather::process::status::split_nul;
use crate::gather::process::thread::thread;
use crate::gather::process::{auxv, given_rules, maps, search};
use crate::gather::subject::Subject;
use crate::gather::subject::gaps::{Gaps, errno_text, is_gone};
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Library, Linkage, Name, Process};
use std::os::unix::fs::FileExt;

/// Reads what requires permission to inspect the process: its program, environment and mappings. Returns its
/// environment, which is empty if it cannot be read.
pub fn program(subject: &mut Subject<'_>) -> Vec<u8> {
    let Subject {
        dir,
        mounts,
        process,
        gaps,
    } = subject;
    match dir.read_link("exe") {
        Ok(path) => {
            process.exe = Some(path.into());
            read_start(dir, process, gaps);
        }
        // A kernel thread and a zombie have no program, so nothing is missing. Any other process without one is ending:
        // its memory goes before its descriptors.
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {
            if !process.kernel_thread && process.state != Some('Z') {
                gaps.note("its program, environment and mappings", "it is ending");
                return Vec::new();
            }
        }
        Err(e) => gaps.note("its program and how it is linked", errno_text(&e)),
    }
    let environ = preload(dir, process, gaps);
    // The library's file is opened only if the library is not mapped, because an open may be noticed (see `auxv`).
    let requested = process.preload.requested.iter().flatten();
    if process.preload.mapped == Some(false)
        && let Some(path) = requested
            .into_iter()
            .find(|p| maps::is_library(p.as_bytes()))
    {
        process.preload.library = look_at_library(dir, mounts, path);
    }
    if process.state == Some('Z') {
        gaps.note(
            "what it had open",
            "it is a zombie: it has ended, and only its exit status waits for its parent",
        );
    }
    environ
}

/// Reads what only a command for a new start needs: where its program is in its own PATH, its groups and its home.
pub fn start(subject: &mut Subject<'_>, environ: &[u8]) {
    let found = search::in_path(subject.dir, subject.mounts, subject.process, environ);
    let process = &mut *subject.process;
    process.found_in_path = found;
    process.groups = thread(process.pid).map_or_else(|_| Vec::new(), |thread| thread.groups);
    let mut variables = environ.split(|&b| b == 0);
    let home = variables.find_map(|variable| variable.strip_prefix(b"HOME="));
    process.home = home.filter(|home| home.starts_with(b"/")).map(Name::from);
}

/// Whether a restart may help: the process watches something, or the library it asked for is not loaded.
pub fn may_start_again(process: &Process) -> bool {
    let preload = &process.preload;
    let mut requested = preload.requested.iter().flatten();
    let missed =
        preload.mapped == Some(false) && requested.any(|path| maps::is_library(path.as_bytes()));
    !process.inotify.is_empty() || missed
}

/// Finds out whether libwatchfix is loaded in the process, and with which rules. Returns the process's environment,
/// which is empty if it cannot be read.
pub fn preload(dir: &ProcDir, process: &mut Process, gaps: &mut Gaps) -> Vec<u8> {
    let environ = match dir.read("environ") {
        Ok(environ) => {
            read_environ(process, &environ);
            environ
        }
        Err(e) => {
            // A kernel thread has no memory: ESRCH (fs/proc/base.c, environ_open).
            if !is_gone(&e) {
                gaps.note("its environment", errno_text(&e));
            }
            Vec::new()
        }
    };
    let mapped = match maps::mapped(dir) {
        Ok(found) => {
            if found.is_none() && !process.kernel_thread && process.state != Some('Z') {
                process.preload.requested = None;
                gaps.note("its environment and mappings", "it is ending");
            }
            found
        }
        Err(e) => {
            if !is_gone(&e) {
                gaps.note("its mappings", errno_text(&e));
            }
            None
        }
    };
    process.preload.mapped = mapped.map(|mapped| mapped.library);
    process.preload.bypassed = mapped.is_some_and(|mapped| mapped.go);
    environ
}

/// Whether the program is the loader itself, started by name to run a program (`ld.so PROGRAM`). The loader has no
/// interpreter, but the program is dynamic.
fn is_loader(exe: Option<&Name>) -> bool {
    exe.is_some_and(|path| path.base().starts_with(b"ld-") || path.base() == b"ld.so")
}

fn read_start(dir: &ProcDir, process: &mut Process, gaps: &mut Gaps) {
    match dir.read("auxv") {
        Ok(vector) => {
            let Some(start) = auxv::parse(&vector) else {
                return;
            };
            process.linkage = Some(if is_loader(process.exe.as_ref()) {
                Linkage::Dynamic
            } else {
                start.linkage
            });
            process.word_bits = Some(start.bits);
            process.gains_privileges = start.secure;
        }
        Err(e) if is_gone(&e) => {}
        Err(e) => gaps.note("how its program is linked", errno_text(&e)),
    }
}

fn read_environ(process: &mut Process, environ: &[u8]) {
    let mut requested = Vec::new();
    for variable in split_nul(environ) {
        if let Some(list) = variable.as_bytes().strip_prefix(b"LD_PRELOAD=") {
            // ld.so(8): separated by blanks or colons.
            requested = list
                .split(|b| matches!(b, b' ' | b':'))
                .filter(|entry| !entry.is_empty())
                .map(Name::from)
                .collect();
        }
    }
    process.preload.requested = Some(requested);
    (process.supervised, process.watchfix_rules) = given_rules::of(environ);
}

/// Examines the library that an LD_PRELOAD entry names. `None` if that is impossible: the loader searches for a name
/// without `/`, and a relative path depends on the directory in which the program was started.
fn look_at_library(dir: &ProcDir, mounts: &Mounts, path: &Name) -> Option<Library> {
    let path = path.as_bytes();
    if !path.starts_with(b"/") {
        return None;
    }
    let file = match View::of(dir, mounts).open(path, FinalLink::Follow, 0) {
        Ok(file) => file,
        Err(e) => {
            return match e.raw_os_error() {
                Some(libc::ENOENT) => Some(Library::Missing),
                Some(libc::EINVAL) => Some(Library::NotElf),
                _ => None,
            };
        }
    };
    // elf(5): the magic, then EI_CLASS.
    let mut start = [0u8; 5];
    Some(match file.read_exact_at(&mut start, 0).map(|()| start) {
        Ok([0x7f, b'E', b'L', b'F', 1]) => Library::Elf(32),
        Ok([0x7f, b'E', b'L', b'F', 2]) => Library::Elf(64),
        _ => Library::NotElf,
    })
}
