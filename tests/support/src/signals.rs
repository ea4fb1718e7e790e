//! The victims handle signals as usual, whatever the caller of the tests ignores.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Starts `command` with the signals at their defaults that a background job of a script (SIGINT, SIGQUIT) and
/// nohup(1) (SIGHUP) ignore for all they start.
pub fn with_usual_signals(command: &mut Command) -> &mut Command {
    // SAFETY: signal is allowed between fork and exec.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
                libc::signal(signal, libc::SIG_DFL);
            }
            Ok(())
        })
    }
}
