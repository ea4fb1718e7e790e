//! seccomp(2) filters with a listener, seccomp_unotify(2).

use super::{check, memory};
use libc::{seccomp_notif, seccomp_notif_addfd, seccomp_notif_resp, sock_filter};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` (Linux 6.6, include/uapi/linux/seccomp.h).
const SYNC_WAKE_UP: libc::c_ulong = 1;

/// Whether the kernel has listeners (Linux 5.0), and lets this process use seccomp at all.
///
/// # Errors
/// The kernel's errno.
pub fn has_listeners() -> io::Result<()> {
    let action = libc::SECCOMP_RET_USER_NOTIF;
    let ask = libc::SECCOMP_GET_ACTION_AVAIL;
    // SAFETY: the kernel reads one u32.
    check(unsafe { libc::syscall(libc::SYS_seccomp, ask, 0, &raw const action) })?;
    Ok(())
}

/// Whether a call that has been received is interrupted by a deadly signal alone (Linux 5.19): then its thread waits where
/// it was, and what is written into its buffer is written into its buffer.
///
/// # Errors
/// The kernel's errno.
pub fn waits_killable() -> io::Result<()> {
    let flags =
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    let (mode, none) = (
        libc::SECCOMP_SET_MODE_FILTER,
        std::ptr::null::<libc::sock_fprog>(),
    );
    // SAFETY: flags are looked at before the program, of which there is none: the kernel says EFAULT.
    match check(unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, none) }) {
        Err(e) if e.raw_os_error() == Some(libc::EFAULT) => Ok(()),
        Err(e) => Err(e),
        Ok(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Puts `program` in front of every further system call of this process and all it starts, for ever. The listener, which
/// is close-on-exec, receives the calls it traps. `killable` says that [`waits_killable`] is needed.
///
/// Where this process has CAP_SYS_ADMIN, set-user-ID programs keep their meaning; else they lose it
/// (PR_SET_NO_NEW_PRIVS), which the kernel asks for.
///
/// # Errors
/// EBUSY where a listener is in force already, EINVAL where the kernel has none.
pub fn listen(program: &mut [sock_filter], killable: bool) -> io::Result<OwnedFd> {
    match listen_as_it_is(program, killable) {
        Err(e) if e.raw_os_error() == Some(libc::EACCES) => {
            // SAFETY: integers only.
            check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into())?;
            listen_as_it_is(program, killable)
        }
        done => done,
    }
}

fn listen_as_it_is(program: &mut [sock_filter], needed: bool) -> io::Result<OwnedFd> {
    // Without SPEC_ALLOW a kernel before 5.16 slows every process with a filter down (prctl(2),
    // PR_SPEC_STORE_BYPASS).
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    // From Linux 5.19 on only a deadly signal interrupts a call once it has been received: it is not run twice.
    let killable = libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    match listen_with(program, flags | killable) {
        Err(e) if !needed && e.raw_os_error() == Some(libc::EINVAL) => listen_with(program, flags),
        done => done,
    }
}

fn listen_with(program: &mut [sock_filter], flags: libc::c_ulong) -> io::Result<OwnedFd> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: program.as_mut_ptr(),
    };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the program lives through the call, in which the kernel copies it.
    let fd = check(unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) })?;
    // SAFETY: the kernel has just made this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

/// Hands the processor over to the other side together with a call and its answer (Linux 6.6). A kernel that cannot
/// is slower, and that is all.
pub fn wake_in_step(listener: BorrowedFd<'_>) {
    // SAFETY: integers only.
    unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS as _,
            SYNC_WAKE_UP,
        )
    };
}

/// How a trapped call goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The kernel carries it out (Linux 5.5).
    Continue,
    /// It has been carried out, with this result.
    Value(i32),
    /// It has failed, with this errno.
    Error(i32),
}

/// How many calls can be in flight at once.
pub const SLOTS: usize = 16;

/// The calls that were received and have not been answered, in memory shared with who takes over.
pub type InFlight = [Slot; SLOTS];

const _: () = assert!(size_of::<seccomp_notif>() * SLOTS <= memory::PAGE);

/// The most that is read for a call, in bytes.
pub const MOST: usize = 1 << 16;

/// Bytes of shared memory the places for them take.
pub const SHARED: usize = memory::PAGE + SLOTS * MOST;

/// Places for them in [`SHARED`] bytes of zeros that live as long as this process, and that nothing else is kept in.
pub fn in_memory(zeros: NonNull<u8>) -> InFlight {
    std::array::from_fn(|at| Slot {
        // SAFETY: they all lie in the first page, and it is aligned for anything.
        notice: unsafe { zeros.cast::<seccomp_notif>().add(at) },
        // SAFETY: they lie behind that page, one after the other.
        bytes: unsafe { zeros.add(memory::PAGE + at * MOST) },
    })
}

/// The call that one thread has received and not answered, and what has been read for it.
///
/// The kernel writes both there itself: there is no moment at which a call was received, or a record was read, and only
/// this process knows.
#[derive(Clone, Copy)]
pub struct Slot {
    notice: NonNull<seccomp_notif>,
    bytes: NonNull<u8>,
}

// SAFETY: the memory belongs to no thread.
unsafe impl Send for Slot {}

impl Slot {
    /// Receives the next call.
    ///
    /// # Errors
    /// ENOENT if its process has ended meanwhile.
    pub fn receive(self, listener: BorrowedFd<'_>) -> io::Result<seccomp_notif> {
        let request = libc::SECCOMP_IOCTL_NOTIF_RECV as _;
        // SAFETY: the place is zeroed as the kernel asks, and has the size that is part of the request. Nobody but the
        // thread it belongs to writes into it while this process lives.
        unsafe {
            check(libc::ioctl(listener.as_raw_fd(), request, self.notice.as_ptr()).into())?;
            Ok(self.notice.as_ptr().read_volatile())
        }
    }

    /// Answers the call, if there is one.
    ///
    /// # Errors
    /// ENOENT if its process has ended meanwhile, or a signal has interrupted the call.
    pub fn answer(self, listener: BorrowedFd<'_>, answer: Answer) -> io::Result<()> {
        let Some(seccomp_notif { id, .. }) = self.notice() else {
            return Ok(());
        };
        let (val, error, flags) = match answer {
            Answer::Continue => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
            Answer::Value(value) => (value.into(), 0, 0),
            Answer::Error(errno) => (0, -errno, 0),
        };
        let mut response = seccomp_notif_resp {
            id,
            val,
            error,
            flags,
        };
        let request = libc::SECCOMP_IOCTL_NOTIF_SEND as _;
        // SAFETY: the kernel reads one response.
        let sent = unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw mut response) };
        let done = check(sent.into());
        self.clear();
        done.map(drop)
    }

    /// Answers the call, if there is one, with a new descriptor, which is returned: a copy of `file`, numbered `at` or as the
    /// kernel numbers it, close-on-exec or not. Until that succeeds the call waits.
    ///
    /// # Errors
    /// ENOENT as in `answer`; EBADF where its process may not have the number. Linux 5.9.
    pub fn answer_with(
        self,
        listener: BorrowedFd<'_>,
        file: BorrowedFd<'_>,
        at: Option<u32>,
        close_on_exec: bool,
    ) -> io::Result<i32> {
        let Some(seccomp_notif { id, .. }) = self.notice() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let numbered = match at {
            Some(_) => libc::SECCOMP_ADDFD_FLAG_SETFD,
            None => 0,
        };
        let with = |flags| seccomp_notif_addfd {
            id,
            flags: (numbered | flags) as u32,
            srcfd: file.as_raw_fd() as u32,
            newfd: at.unwrap_or(0),
            newfd_flags: if close_on_exec {
                libc::O_CLOEXEC as u32
            } else {
                0
            },
        };
        let add = |flags| {
            let (request, new) = (libc::SECCOMP_IOCTL_NOTIF_ADDFD as _, with(flags));
            // SAFETY: the kernel reads one structure.
            check(unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw const new) }.into())
        };
        match add(libc::SECCOMP_ADDFD_FLAG_SEND) {
            // Before Linux 5.14: two steps.
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => {
                let number = add(0)? as i32;
                self.answer(listener, Answer::Value(number))?;
                Ok(number)
            }
            Err(e) => Err(e),
            Ok(number) => {
                self.clear();
                Ok(number as i32)
            }
        }
    }

    /// The call that has been received and not answered.
    pub fn notice(self) -> Option<seccomp_notif> {
        // SAFETY: as in `receive`.
        let notice = unsafe { self.notice.as_ptr().read_volatile() };
        (notice.id != 0).then_some(notice)
    }

    /// Whatever came of it, there is nothing left to answer.
    fn clear(self) {
        // SAFETY: as in `receive`.
        unsafe { self.notice.as_ptr().write_bytes(0, 1) };
    }

    /// Reads from `file` for the call, at most `size` bytes, behind the `before` bytes that were read for it already;
    /// [`Slot::forget`] has to follow once it is answered.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn read(self, file: BorrowedFd<'_>, before: usize, size: usize) -> io::Result<Vec<u8>> {
        let before = before.min(MOST);
        let size = size.min(MOST - before);
        // SAFETY: `before` bytes are there.
        let place = unsafe { self.bytes.as_ptr().add(before) };
        // SAFETY: the place has room for as much, and is this thread's as in `receive`.
        let count = unsafe { libc::read(file.as_raw_fd(), place.cast(), size) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        let mut copy = vec![0; count];
        // SAFETY: the kernel has written as much, and `copy` has room for it.
        unsafe { place.copy_to_nonoverlapping(copy.as_mut_ptr(), count) };
        Ok(copy)
    }

    /// The first `count` bytes that were read are not needed any more.
    pub fn forget(self, count: usize) {
        // SAFETY: as in `read`.
        unsafe { self.bytes.as_ptr().write_bytes(0, count.min(MOST)) };
    }

    /// What has been read for the call, with zeros behind it.
    pub fn all(self) -> Vec<u8> {
        let mut copy = vec![0; MOST];
        // SAFETY: both have as much room. Who has written it has ended, or is this thread.
        unsafe {
            self.bytes
                .as_ptr()
                .copy_to_nonoverlapping(copy.as_mut_ptr(), MOST)
        };
        copy
    }
}

/// Whether the call `id` still waits: what was read of its thread until now was its own.
pub fn waits(listener: BorrowedFd<'_>, id: u64) -> bool {
    let request = libc::SECCOMP_IOCTL_NOTIF_ID_VALID as _;
    // SAFETY: the kernel reads one u64.
    unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw const id) == 0 }
}
