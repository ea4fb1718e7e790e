//! What is asked of a Mac's kernel. On a Mac proc_info answers; in tests a table of bytes does.

use std::io;

/// A question about one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Question {
    /// PROC_PIDTBSDINFO: its own user and root may know.
    Process,
    /// PROC_PIDT_SHORTBSDINFO: anybody may.
    ShortProcess,
    /// PROC_PIDLISTFDS: every descriptor, by number and type.
    Descriptors,
    /// PROC_PIDVNODEPATHINFO: its working directory and its root.
    Directories,
    /// PROC_PIDFDVNODEPATHINFO of a descriptor.
    File(i32),
    /// PROC_PIDFDSOCKETINFO of a descriptor.
    Socket(i32),
    /// PROC_PIDFDPIPEINFO of a descriptor.
    Pipe(i32),
    /// PROC_PIDFDKQUEUE_EXTINFO of a descriptor: every note.
    Notes(i32),
    /// proc_pidpath(3): its program.
    Program,
    /// sysctl(3), KERN_PROCARGS2: its arguments and environment.
    Arguments,
}

/// Who answers.
pub trait Kernel {
    /// All processes.
    ///
    /// # Errors
    /// Why they cannot be listed.
    fn pids(&self) -> io::Result<Vec<u32>>;

    /// An answer, as the kernel writes it.
    ///
    /// # Errors
    /// The kernel's errno: ESRCH for a process that is gone, EPERM for one of another user.
    fn ask(&self, pid: u32, question: Question) -> io::Result<Vec<u8>>;

    /// The session of a process (getsid(2)).
    fn session(&self, pid: u32) -> Option<u32>;

    /// What `launchctl list` prints: the jobs of this user's launchd.
    fn jobs(&self) -> Option<Vec<u8>>;
}
