//! What the shim says: errors in the rules, once, and with `WATCHFIX_LOG` one line per decision.
//!
//! No stdio: a line is put together on the stack and written with one call, which neither waits nor raises a
//! signal. What cannot be written so is left out.

use core::ffi::{CStr, c_int};
use rules::line::Line;
use rules::rule::{Log, Problem};
use rules::{Engine, Error, Rule, Rules};

use crate::config::Config;
use crate::{sandbox, sys};

/// True if decisions are written somewhere. In a sandbox nothing is: it takes calls the program may not make.
#[inline]
pub fn wanted(config: &Config) -> bool {
    config.rules.log != Log::None && !sandbox::entered()
}

/// The buffer of a line about a decision.
pub type Buffer = [u8; 1024];

/// Begins a line about a decision.
pub fn begin(buf: &mut Buffer) -> Line<'_> {
    let mut line = Line::new(buf);
    line.text(b"watchfix[").number(sys::getpid()).text(b"]: ");
    line
}

/// Ends the line and writes it.
pub fn end(config: &Config, line: &mut Line<'_>) {
    let line = line.text(b"\n").bytes();
    match config.rules.log {
        Log::None => {}
        Log::Stderr => stderr(config, line),
        Log::File(path) => {
            if let Some(fd) = open(path) {
                write(fd, line);
                sys::close(fd);
            }
        }
    }
}

/// Says, once and when the program first uses inotify, which rules could not be read.
#[inline]
pub fn errors_once(config: &'static Config) {
    if config.first_use() {
        errors(config);
    }
}

#[cold]
#[inline(never)]
fn errors(config: &'static Config) {
    if config.rules.off || sandbox::entered() {
        return;
    }
    Rules::parse(Engine::Library, &config.texts, &mut |found| {
        error(config, &found, b"; the default holds\n");
    });
    if config.no_room {
        stderr(
            config,
            b"watchfix: WATCHFIX_MAX_WATCHES: no memory to count so many; not limited\n",
        );
    }
    if let Log::File(path) = config.rules.log {
        match open(path) {
            Some(fd) => sys::close(fd),
            None => {
                let problem = Problem::CannotOpen;
                let found = Error {
                    rule: Rule::Log,
                    position: 1,
                    item: path,
                    problem,
                };
                error(config, &found, b"; nothing is logged\n");
            }
        }
    }
}

fn error(config: &Config, error: &Error<'_>, consequence: &[u8]) {
    let mut buf = [0u8; 1024];
    let mut line = Line::new(&mut buf);
    line.text(b"watchfix: ");
    error.put(&mut line);
    line.text(consequence);
    stderr(config, line.bytes());
}

/// To standard error, if that is still the file it was when the program was started.
///
/// Written to as it is, it may keep the program waiting: a pipe that nobody empties, a terminal that was stopped.
/// O_NONBLOCK would be set for everybody who has it, so it is opened anew.
fn stderr(config: &Config, text: &[u8]) {
    let Some((mode, device, inode)) = sys::fstat(2) else {
        return;
    };
    if config.stderr != Some((device, inode)) {
        return;
    }
    match mode & libc::S_IFMT {
        libc::S_IFREG => write(2, text),
        libc::S_IFSOCK => sys::send(2, text),
        libc::S_IFIFO | libc::S_IFCHR => {
            let flags = libc::O_WRONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
            if let Ok(fd) = sys::open(c"/proc/self/fd/2", flags, 0) {
                write(fd, text);
                sys::close(fd);
            }
        }
        _ => {}
    }
}

/// Opened for every line: a descriptor kept open would be the host's to trip over. `None` if it is not a
/// regular file, or cannot be one: a FIFO would wait for its reader, and to open a device may set it off.
fn open(path: &'static [u8]) -> Option<c_int> {
    // SAFETY: `config::keep` put a NUL behind every text it copied.
    let path = unsafe { CStr::from_ptr(path.as_ptr().cast()) };
    let is_regular =
        |fd| matches!(sys::fstat(fd), Some((mode, ..)) if mode & libc::S_IFMT == libc::S_IFREG);
    if let Ok(fd) = sys::open(path, libc::O_PATH | libc::O_NOFOLLOW, 0) {
        let regular = is_regular(fd);
        sys::close(fd);
        if !regular {
            return None;
        }
    }
    let flags = libc::O_WRONLY
        | libc::O_APPEND
        | libc::O_CREAT
        | libc::O_NONBLOCK
        | libc::O_NOCTTY
        | libc::O_NOFOLLOW;
    let fd = sys::open(path, flags, 0o644).ok()?;
    if is_regular(fd) {
        return Some(fd);
    }
    sys::close(fd);
    None
}

/// write(2), as far as one call gets, and without the signals that a broken pipe (SIGPIPE) and a file at its
/// limit (SIGXFSZ) raise: they are blocked, and what was raised is taken back.
pub fn write(fd: c_int, bytes: &[u8]) {
    const SIGNALS: u64 = 1 << (libc::SIGPIPE - 1) | 1 << (libc::SIGXFSZ - 1);
    let Some(before) = sys::block_signals(SIGNALS) else {
        return;
    };
    let pending = sys::pending_signals();
    let raised = match sys::write(fd, bytes) {
        libc::EPIPE => 1 << (libc::SIGPIPE - 1),
        libc::EFBIG => 1 << (libc::SIGXFSZ - 1),
        _ => 0,
    };
    // One that was pending before is not ours.
    if raised & !pending != 0 {
        sys::take_signal(raised);
    }
    sys::set_blocked_signals(before);
}
