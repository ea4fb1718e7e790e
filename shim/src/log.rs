//! What the shim says: errors in the rules, once, and with `WATCHFIX_LOG` one line per decision.
//!
//! No stdio: a line is put together on the stack and written with one call.

use core::ffi::{CStr, c_int};
use rules::rule::{Log, Problem};
use rules::{Engine, Error, Rule, Rules};

use crate::config::Config;
use crate::sys;

/// A line in a buffer of fixed size; what does not fit is left out.
pub struct Line<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl<'b> Line<'b> {
    pub fn new(buf: &'b mut [u8]) -> Line<'b> {
        Line { buf, len: 0 }
    }

    #[inline(never)]
    pub fn text(&mut self, text: &[u8]) -> &mut Self {
        for &c in text {
            if let Some(to) = self.buf.get_mut(self.len) {
                *to = c;
                self.len += 1;
            }
        }
        self
    }

    pub fn number(&mut self, number: u32) -> &mut Self {
        let mut digits = [0u8; 10];
        let mut left = number;
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
            used += 1;
            if left == 0 {
                break;
            }
        }
        self.text(digits.get(10 - used..).unwrap_or(b""))
    }

    pub fn hex(&mut self, number: u32) -> &mut Self {
        self.text(b"0x");
        let mut shift = 28u32.saturating_sub(number.leading_zeros() / 4 * 4);
        loop {
            self.nibble((number >> shift) as u8);
            if shift == 0 {
                return self;
            }
            shift -= 4;
        }
    }

    fn nibble(&mut self, value: u8) -> &mut Self {
        let value = value & 15;
        self.text(&[if value < 10 {
            b'0' + value
        } else {
            b'a' + value - 10
        }])
    }

    /// A name in quotes, with what is not printable ASCII or UTF-8 text as `\xNN`, cut when long.
    pub fn quoted(&mut self, name: &[u8]) -> &mut Self {
        const LIMIT: usize = 160;
        self.text(b"\"");
        for &c in name.iter().take(LIMIT) {
            match c {
                b'"' | b'\\' => self.text(&[b'\\', c]),
                // UTF-8 bytes are escaped as well: bidirectional controls are among them.
                0x20..=0x7e => self.text(&[c]),
                _ => self.text(b"\\x").nibble(c >> 4).nibble(c),
            };
        }
        self.text(if name.len() > LIMIT { b"\"..." } else { b"\"" })
    }

    fn bytes(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or(b"")
    }
}

/// True if decisions are written somewhere.
#[inline]
pub fn wanted(config: &Config) -> bool {
    config.rules.log != Log::None
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
            if let Ok(fd) = open(path) {
                sys::write(fd, line);
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
    if config.rules.off {
        return;
    }
    Rules::parse(Engine::Library, &config.texts, &mut |found| {
        error(config, &found, b"; the default holds\n");
    });
    if let Log::File(path) = config.rules.log {
        match open(path) {
            Ok(fd) => sys::close(fd),
            Err(_) => {
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

/// The sentence is the one `rules::Error` displays, without the size of core::fmt.
fn error(config: &Config, error: &Error<'_>, consequence: &[u8]) {
    let mut buf = [0u8; 1024];
    let mut line = Line::new(&mut buf);
    line.text(b"watchfix: ")
        .text(error.rule.variable().as_bytes())
        .text(b": ");
    line.quoted(error.item)
        .text(b" at byte ")
        .number(error.position as u32);
    line.text(b" ").text(error.problem.text().as_bytes());
    line.text(b"; allowed: ")
        .text(error.rule.allowed().as_bytes())
        .text(consequence);
    stderr(config, line.bytes());
}

/// To standard error, if that is still the file it was when the program was started.
fn stderr(config: &Config, text: &[u8]) {
    let now = sys::fstat(2).map(|(_, device, inode)| (device, inode));
    if now.is_some() && now == config.stderr {
        sys::write(2, text);
    }
}

/// Opened for every line: a descriptor kept open would be the host's to trip over.
fn open(path: &'static [u8]) -> Result<c_int, sys::Errno> {
    // SAFETY: `config::keep` put a NUL behind every text it copied.
    let path = unsafe { CStr::from_ptr(path.as_ptr().cast()) };
    sys::open(path, libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT, 0o644)
}
