//! The system calls by which a Mac answers about processes. Their answers are parsed in `libproc`.

use crate::libproc::{
    Kernel, KeventExtInfo, MAXPATHLEN, PipeFdInfo, ProcBsdInfo, ProcBsdShortInfo, ProcFdInfo,
    ProcVnodePathInfo, Question, SocketFdInfo, VnodeFdInfoWithPath,
};
use std::ffi::{c_int, c_uint, c_void};
use std::io;
use std::mem::size_of;
use std::process::{Command, Stdio};

/// This Mac's kernel.
pub struct ThisMac;

/// Flavours of proc_pidfdinfo (bsd/sys/proc_info.h; that of notes, proc_info_private.h).
const VNODE_PATH: c_int = 2;
const SOCKET: c_int = 3;
const PIPE: c_int = 6;
const NOTES: c_int = 9;
/// PROC_PIDPATHINFO_MAXSIZE (bsd/sys/proc_info.h).
const LONGEST_PATH: usize = 4 * MAXPATHLEN;
/// Room for so many at first; lists may grow while they are read.
const ROOM: usize = 1024;
/// PROC_PIDFDKQUEUE_KNOTES_MAX (bsd/sys/proc_info_private.h): the kernel copies no more.
const MOST_NOTES: usize = 128 * 1024;

impl Kernel for ThisMac {
    fn pids(&self) -> io::Result<Vec<u32>> {
        let mut room = ROOM;
        loop {
            let mut pids: Vec<c_int> = vec![0; room];
            let bytes = length(room * size_of::<c_int>())?;
            let buffer = pids.as_mut_ptr().cast();
            // SAFETY: the kernel writes at most `bytes`, which is what `pids` has.
            let count = call(|| unsafe { libc::proc_listallpids(buffer, bytes) })?;
            if count < room {
                pids.truncate(count);
                let pids = pids.into_iter().filter_map(|pid| u32::try_from(pid).ok());
                return Ok(pids.filter(|&pid| pid > 0).collect());
            }
            room *= 2;
        }
    }

    fn ask(&self, pid: u32, question: Question) -> io::Result<Vec<u8>> {
        let pid = c_int::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
        let info = |flavor, size| {
            one(size, |buffer, bytes| {
                // SAFETY: the kernel writes at most `bytes` to `buffer`.
                unsafe { libc::proc_pidinfo(pid, flavor, 0, buffer, bytes) }
            })
        };
        let of_fd = |fd, flavor, size| {
            one(size, |buffer, bytes| {
                // SAFETY: as above.
                unsafe { libc::proc_pidfdinfo(pid, fd, flavor, buffer, bytes) }
            })
        };
        match question {
            Question::Process => info(libc::PROC_PIDTBSDINFO, size_of::<ProcBsdInfo>()),
            Question::ShortProcess => {
                info(libc::PROC_PIDT_SHORTBSDINFO, size_of::<ProcBsdShortInfo>())
            }
            Question::Directories => {
                info(libc::PROC_PIDVNODEPATHINFO, size_of::<ProcVnodePathInfo>())
            }
            Question::Descriptors => descriptors(pid),
            Question::File(fd) => of_fd(fd, VNODE_PATH, size_of::<VnodeFdInfoWithPath>()),
            Question::Socket(fd) => of_fd(fd, SOCKET, size_of::<SocketFdInfo>()),
            Question::Pipe(fd) => of_fd(fd, PIPE, size_of::<PipeFdInfo>()),
            Question::Notes(fd) => notes(pid, fd),
            Question::Program => program(pid),
            Question::Arguments => arguments(pid),
        }
    }

    fn session(&self, pid: u32) -> Option<u32> {
        let pid = libc::pid_t::try_from(pid).ok()?;
        // SAFETY: getsid takes a number and touches no memory (getsid(2)).
        u32::try_from(unsafe { libc::getsid(pid) }).ok()
    }

    fn jobs(&self) -> Option<Vec<u8>> {
        let mut launchctl = Command::new("/bin/launchctl");
        let list = launchctl
            .arg("list")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let output = list.output().ok()?;
        output.status.success().then_some(output.stdout)
    }
}

fn length(bytes: usize) -> io::Result<c_int> {
    c_int::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// A call of libproc, which returns 0 for an error as well as for an empty list: only errno tells one from the other
/// (libsyscall/wrappers/libproc/libproc.c of xnu).
fn call(ask: impl FnOnce() -> c_int) -> io::Result<usize> {
    // SAFETY: __error returns a pointer to this thread's errno (errno(2)).
    unsafe { *libc::__error() = 0 };
    let answer = ask();
    let error = io::Error::last_os_error();
    match usize::try_from(answer) {
        Ok(0) if error.raw_os_error() == Some(0) => Ok(0),
        Ok(0) | Err(_) => Err(error),
        Ok(answer) => Ok(answer),
    }
}

/// An answer of a known size.
fn one(size: usize, ask: impl Fn(*mut c_void, c_int) -> c_int) -> io::Result<Vec<u8>> {
    let mut answer = vec![0u8; size];
    let bytes = length(size)?;
    match call(|| ask(answer.as_mut_ptr().cast(), bytes))? {
        written if written >= size => Ok(answer),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A list of descriptors, in bytes; again with more room until some of it is left.
fn descriptors(pid: c_int) -> io::Result<Vec<u8>> {
    let mut room = ROOM;
    loop {
        let mut answer = vec![0u8; room * size_of::<ProcFdInfo>()];
        let bytes = length(answer.len())?;
        let buffer = answer.as_mut_ptr().cast();
        // SAFETY: the kernel writes at most `bytes` to `buffer`.
        let ask = || unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDLISTFDS, 0, buffer, bytes) };
        let written = call(ask)?;
        if written < answer.len() {
            answer.truncate(written);
            return Ok(answer);
        }
        room *= 2;
    }
}

/// Every note. Unlike all others this one returns how many there are and not how many bytes it wrote, also if they are
/// more than there was room for (bsd/kern/kern_event.c, `pid_kqueue_extinfo`).
fn notes(pid: c_int, fd: c_int) -> io::Result<Vec<u8>> {
    let mut room = ROOM;
    loop {
        let mut answer = vec![0u8; room * size_of::<KeventExtInfo>()];
        let bytes = length(answer.len())?;
        let buffer = answer.as_mut_ptr().cast();
        // SAFETY: the kernel writes at most `bytes` to `buffer`.
        let count = call(|| unsafe { libc::proc_pidfdinfo(pid, fd, NOTES, buffer, bytes) })?;
        if count <= room || room >= MOST_NOTES {
            answer.truncate(count.min(room) * size_of::<KeventExtInfo>());
            return Ok(answer);
        }
        room = (count + ROOM).min(MOST_NOTES);
    }
}

fn program(pid: c_int) -> io::Result<Vec<u8>> {
    let mut path = vec![0u8; LONGEST_PATH];
    let buffer = path.as_mut_ptr().cast();
    // SAFETY: libproc writes at most as many bytes as it is told.
    let written = call(|| unsafe { libc::proc_pidpath(pid, buffer, LONGEST_PATH as u32) })?;
    path.truncate(written);
    Ok(path)
}

fn arguments(pid: c_int) -> io::Result<Vec<u8>> {
    let most: c_int =
        sysctl(&[libc::CTL_KERN, libc::KERN_ARGMAX], size_of::<c_int>()).and_then(|answer| {
            let bytes = answer.first_chunk().copied();
            bytes
                .map(c_int::from_ne_bytes)
                .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        })?;
    let most = usize::try_from(most).map_err(|_| io::ErrorKind::InvalidData)?;
    sysctl(&[libc::CTL_KERN, libc::KERN_PROCARGS2, pid], most)
}

fn sysctl(name: &[c_int], room: usize) -> io::Result<Vec<u8>> {
    let mut name = name.to_vec();
    let mut answer = vec![0u8; room];
    let mut written = room;
    // SAFETY: `name` has as many numbers as are said, and the kernel writes at most `written` bytes to `answer`; nothing
    // is set.
    let done = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            name.len() as c_uint,
            answer.as_mut_ptr().cast(),
            &mut written,
            std::ptr::null_mut(),
            0,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    answer.truncate(written);
    Ok(answer)
}
