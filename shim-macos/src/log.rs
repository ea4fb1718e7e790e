//! What the library says: errors in the rules, once, and with `WATCHFIX_LOG` one line per decision.
//!
//! No stdio: a line is put together on the stack and written with one call, which raises no signal and does not wait.
//! What cannot be written so is left out.

use core::ffi::{CStr, c_int};

use rules::line::Line;
use rules::rule::{Log, Problem};
use rules::{Engine, Error, Rule, Rules};

use crate::config::Config;
use crate::sys;

/// True if decisions are written somewhere.
pub fn wanted(config: &Config) -> bool {
    config.rules.log != Log::None
}

/// The buffer of a line about a decision. A pipe that is writable takes as much (PIPE_BUF of macOS), so that no line
/// waits or is torn.
pub type Buffer = [u8; 512];

/// Begins a line about a decision.
pub fn begin(buf: &mut Buffer) -> Line<'_> {
    let mut line = Line::new(buf);
    line.text(b"watchfix[").number(sys::getpid()).text(b"]: ");
    line
}

/// Ends the line and writes it.
pub fn end(config: &Config, line: &mut Line<'_>) {
    let _errno = sys::Errno::save();
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

/// Says, once and when the program first watches anything, which rules could not be read.
#[inline]
pub fn errors_once(config: &'static Config) {
    if config.first_use() {
        errors(config);
    }
}

#[cold]
#[inline(never)]
fn errors(config: &'static Config) {
    if config.rules.off {
        return;
    }
    let _errno = sys::Errno::save();
    Rules::parse(Engine::Library, &config.texts, &mut |found| {
        error(config, &found, b"; the default holds\n");
    });
    if config.rules.max_watches.is_some() {
        stderr(
            config,
            b"watchfix: WATCHFIX_MAX_WATCHES has no effect on macOS\n",
        );
    }
    if let Log::File(path) = config.rules.log {
        match open(path) {
            Some(fd) => sys::close(fd),
            None => {
                let found = Error {
                    rule: Rule::Log,
                    position: 1,
                    item: path,
                    problem: Problem::CannotOpen,
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

/// To standard error, if that is still the file it was when the program was started, and takes it without a wait.
fn stderr(config: &Config, text: &[u8]) {
    let now = sys::fstat(2).map(|file| file.look.identity);
    if now.is_none() || now != config.stderr {
        return;
    }
    for part in text.chunks(size_of::<Buffer>()) {
        if sys::is_writable(2) {
            write(2, part);
        }
    }
}

/// Opened for every line: a descriptor kept open would be the host's to trip over. `None` if it is not a regular file,
/// or cannot be one: a FIFO would wait for its reader, and to open a device may set it off.
fn open(path: &'static [u8]) -> Option<c_int> {
    // SAFETY: `config::keep` put a NUL behind every text it copied.
    let path = unsafe { CStr::from_ptr(path.as_ptr().cast()) };
    if sys::lstat(path).is_some_and(|file| !file.is(libc::S_IFREG)) {
        return None;
    }
    let flags = libc::O_WRONLY
        | libc::O_APPEND
        | libc::O_CREAT
        | libc::O_NONBLOCK
        | libc::O_NOCTTY
        | libc::O_NOFOLLOW;
    let fd = sys::open(path, flags)?;
    if sys::fstat(fd).is_some_and(|file| file.is(libc::S_IFREG)) {
        return Some(fd);
    }
    sys::close(fd);
    None
}

/// write(2), as far as one call gets, and without the signals that a broken pipe (SIGPIPE) and a file at its limit
/// (SIGXFSZ) raise: they are blocked, and what was raised is taken back.
fn write(fd: c_int, bytes: &[u8]) {
    const SIGNALS: libc::sigset_t = 1 << (libc::SIGPIPE - 1) | 1 << (libc::SIGXFSZ - 1);
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
