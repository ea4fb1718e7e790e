//! Keys of the terminal behind standard output, without waiting for Enter.

use super::check;
use std::io;
use std::mem::MaybeUninit;

/// How a terminal was set.
#[derive(Clone, Copy)]
pub struct Settings(libc::termios);

impl Settings {
    /// As it is now.
    ///
    /// # Errors
    /// ENOTTY if standard output is not a terminal.
    pub fn current() -> io::Result<Settings> {
        let mut now = MaybeUninit::<libc::termios>::uninit();
        // SAFETY: `now` has room for one struct termios.
        check(unsafe { libc::tcgetattr(libc::STDOUT_FILENO, now.as_mut_ptr()) })?;
        // SAFETY: tcgetattr succeeded, so it filled the struct.
        Ok(Settings(unsafe { now.assume_init() }))
    }

    /// The same, but keys come at once and are not shown. Ctrl-C and Ctrl-Z stay signals (ISIG), so that
    /// a program that hangs can be ended.
    pub fn with_keys(mut self) -> Settings {
        self.0.c_lflag &= !(libc::ICANON | libc::ECHO);
        self
    }

    /// Sets the terminal so. From the background this stops the program (SIGTTOU) until it is brought to
    /// the front.
    ///
    /// # Errors
    /// EIO when the terminal has gone.
    pub fn apply(&self) -> io::Result<()> {
        // SAFETY: the pointer is to a struct termios that tcgetattr filled.
        check(unsafe { libc::tcsetattr(libc::STDOUT_FILENO, libc::TCSADRAIN, &raw const self.0) })?;
        Ok(())
    }
}
