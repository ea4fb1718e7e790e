//! The process that becomes the command.

use super::inherited;
use super::program::say_unreached;
use crate::complaint::complain;
use crate::sys::{seccomp, signal, socket, words};
use libc::sock_filter;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

/// The exit status of a command that is not found, as the shell's.
pub const NOT_FOUND: i32 = 127;
/// The exit status of a command that is found and cannot be run.
pub const NOT_RUNNABLE: i32 = 126;
/// The exit status where watchfix itself cannot do what it was told, as that of timeout(1) and nohup(1).
pub const OWN_FAILURE: u8 = 125;

/// A command with its arguments and environment.
pub struct Command {
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Command {
    /// Arguments that contain a NUL are left out: no process can be given them.
    pub fn new(arguments: &[OsString], environment: Vec<CString>) -> Command {
        let arguments = arguments.iter().map(|a| CString::new(a.as_bytes()));
        Command {
            arguments: arguments.flatten().collect(),
            environment,
        }
    }

    /// A command with the environment of this process.
    pub fn plain(arguments: &[OsString]) -> Command {
        let own = std::env::vars_os()
            .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()));
        Command::new(arguments, own.flatten().collect())
    }

    /// Becomes the command; ends this process, with a sentence, where that fails.
    pub fn become_it(&self) -> ! {
        inherited::restore();
        let error = self.exec();
        inherited::ignore_again();
        let name = self.arguments.first().map(|name| name.as_bytes());
        let name = OsStr::from_bytes(name.unwrap_or_default()).display();
        complain(&format!("{name} cannot be run: {}", words(&error)));
        std::process::exit(match error.raw_os_error() {
            Some(libc::ENOENT) => NOT_FOUND,
            _ => NOT_RUNNABLE,
        });
    }

    fn exec(&self) -> io::Error {
        let list = |strings: &[CString]| -> Vec<*const libc::c_char> {
            let all = strings.iter().map(|s| s.as_ptr());
            all.chain([ptr::null()]).collect()
        };
        let (arguments, environment) = (list(&self.arguments), list(&self.environment));
        let Some(&name) = arguments.first().filter(|name| !name.is_null()) else {
            return io::ErrorKind::NotFound.into();
        };
        // SAFETY: NUL-terminated strings in lists that end with a null pointer, all living through the call.
        unsafe { libc::execvpe(name, arguments.as_ptr(), environment.as_ptr()) };
        io::Error::last_os_error()
    }
}

/// What the supervisor tells this process to do.
pub const GO: u8 = b'g';
/// The same, without a filter; the reason follows.
pub const GO_WITHOUT: u8 = b'w';

/// Waits for the supervisor's word, puts the filter in front of this process (`killable` where that is needed, as in
/// [`seccomp::listen`]), hands the listener over, and becomes the command.
pub fn start(
    supervisor: OwnedFd,
    command: &Command,
    (mut program, killable): (Vec<sock_filter>, bool),
    (forced, unreached): (bool, Option<String>),
    inherited: signal::Inherited,
) -> ! {
    let mut word = [0; 512];
    let length = socket::receive(supervisor.as_fd(), &mut word).map_or(0, |(length, _)| length);
    let told = word;
    let failure = match told.get(..length) {
        Some([GO]) => match seccomp::listen(&mut program, killable) {
            Ok(listener) => {
                // Two must have the listener before anything is trapped: the supervisor says when they do.
                let sent = socket::send(supervisor.as_fd(), b"l", &[listener.as_fd()]);
                let answered = sent.and_then(|()| socket::receive(supervisor.as_fd(), &mut word));
                if !answered.is_ok_and(|(length, _)| length > 0) {
                    fail("the supervisor has gone");
                }
                None
            }
            Err(e) => {
                let why = why_not(&e);
                // It will see that this end is closed.
                let _ = socket::send(supervisor.as_fd(), why.as_bytes(), &[]);
                Some(why)
            }
        },
        Some([GO_WITHOUT, why @ ..]) => Some(String::from_utf8_lossy(why).into_owned()),
        _ => Some("the supervisor has gone".to_owned()),
    };
    drop(supervisor);
    match (failure, unreached) {
        (Some(why), _) if forced => fail(&why),
        (Some(why), Some(unreached)) => say_unreached(&unreached, &why),
        _ => {}
    }
    inherited.restore();
    command.become_it()
}

fn fail(why: &str) -> ! {
    complain(&format!("--engine seccomp cannot work here: {why}"));
    std::process::exit(OWN_FAILURE.into());
}

fn why_not(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EBUSY) => {
            "another listener is in force already, as under another watchfix run".to_owned()
        }
        _ => format!("the filter cannot be put in force: {}", words(error)),
    }
}
