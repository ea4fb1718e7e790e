//! Acting with another process's rights to files, for the time of one look.

use super::check;
use std::io;

/// The capabilities that open files and directories in spite of their modes and owners: `CAP_FS_SET` of
/// include/linux/capability.h.
const ABOUT_FILES: u64 = 0b1_1111 | 1 << 9 | 1 << 27 | 1 << 32;

/// What the kernel judges access to a file by (path_resolution(7), capabilities(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The user files are accessed as.
    pub user: u32,
    /// The group files are accessed as.
    pub group: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
    /// The effective capabilities, one bit each.
    pub capabilities: u64,
}

/// `struct __user_cap_header_struct` of include/uapi/linux/capability.h.
#[repr(C)]
struct Header {
    version: u32,
    pid: u32,
}

/// `struct __user_cap_data_struct`: the lower or the upper half of each set.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3`: 64 bits.
const VERSION: u32 = 0x2008_0522;

fn get(thread: u32) -> io::Result<[Half; 2]> {
    let header = Header {
        version: VERSION,
        pid: thread,
    };
    let mut halves = [Half::default(); 2];
    // SAFETY: version 3 asks for one header and two halves.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw const header, halves.as_mut_ptr()) })?;
    Ok(halves)
}

fn set_effective(halves: &[Half; 2]) -> io::Result<()> {
    let header = Header {
        version: VERSION,
        pid: 0,
    };
    // SAFETY: version 3 asks for one header and two halves.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, halves.as_ptr()) })?;
    Ok(())
}

fn joined(halves: &[Half; 2], of: impl Fn(&Half) -> u32) -> u64 {
    let [low, high] = halves.each_ref().map(|half| u64::from(of(half)));
    low | high << 32
}

/// The capabilities a thread has, of those that are about files; with 0 for the calling one.
///
/// # Errors
/// ESRCH if it has ended.
pub fn file_capabilities(thread: u32) -> io::Result<u64> {
    Ok(joined(&get(thread)?, |half| half.effective) & ABOUT_FILES)
}

/// Whether this process has no capability it could use, nor get back.
pub fn has_none() -> bool {
    get(0).is_ok_and(|halves| joined(&halves, |half| half.permitted | half.effective) == 0)
}

/// Calls `act` with rights that are those of `rights`, or fewer, and takes the own ones back. Other threads keep theirs.
///
/// # Errors
/// EPERM where this process may not give its own rights up: without CAP_SETUID or CAP_SETGID.
pub fn act_as<T>(rights: &Rights, act: impl FnOnce() -> T) -> io::Result<T> {
    let own = Own::now()?;
    let taken = own.take(rights);
    let done = taken.map(|()| act());
    if own.restore().is_err() {
        // With another's rights it must not go on; the launcher takes over.
        std::process::abort();
    }
    done
}

/// Calls `act` as `user`, whose limits count for what it makes, and takes the own user back. Other threads keep theirs.
///
/// # Errors
/// EPERM where this process may not become that user: without CAP_SETUID.
pub fn as_user<T>(user: u32, act: impl FnOnce() -> T) -> io::Result<T> {
    let (own, capabilities) = (inspect::effective_user(), get(0)?);
    effective_user(user)?;
    let done = act();
    // The real and the saved user are still the own one.
    if effective_user(own).is_err() || set_effective(&capabilities).is_err() {
        // As another user it must not go on; the launcher takes over.
        std::process::abort();
    }
    Ok(done)
}

/// Not libc's, which changes every thread (nptl(7)).
fn effective_user(user: u32) -> io::Result<()> {
    let same = u32::MAX;
    // SAFETY: integers only.
    check(unsafe { libc::syscall(libc::SYS_setresuid, same, user, same) })?;
    Ok(())
}

/// The rights this process has itself.
struct Own {
    user: u32,
    group: u32,
    groups: Vec<u32>,
    capabilities: [Half; 2],
}

impl Own {
    fn now() -> io::Result<Own> {
        // SAFETY: a null list of no length asks for the number only.
        let count = check(unsafe { libc::getgroups(0, std::ptr::null_mut()) }.into())?;
        let mut groups = vec![0; count as usize];
        // SAFETY: `groups` has room for `count` of them.
        check(unsafe { libc::getgroups(count as libc::c_int, groups.as_mut_ptr()) }.into())?;
        Ok(Own {
            user: file_user(None),
            group: file_group(None),
            groups,
            capabilities: get(0)?,
        })
    }

    fn take(&self, rights: &Rights) -> io::Result<()> {
        set_groups(&rights.groups)?;
        file_group(Some(rights.group));
        file_user(Some(rights.user));
        if (file_user(None), file_group(None)) != (rights.user, rights.group) {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        // Changing the user has changed them already; they only ever become fewer here.
        let keep = !ABOUT_FILES | rights.capabilities;
        let mut halves = get(0)?;
        for (half, keep) in halves.iter_mut().zip([keep as u32, (keep >> 32) as u32]) {
            half.effective &= keep;
        }
        set_effective(&halves)
    }

    fn restore(&self) -> io::Result<()> {
        file_user(Some(self.user));
        set_effective(&self.capabilities)?;
        file_group(Some(self.group));
        set_groups(&self.groups)?;
        if (file_user(None), file_group(None)) == (self.user, self.group) {
            Ok(())
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

/// Not libc's, which changes every thread (nptl(7)).
fn set_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the kernel reads `groups.len()` of them.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })?;
    Ok(())
}

/// Changes the user files are accessed as, or with `None` nothing, and says who it was (setfsuid(2)).
fn file_user(new: Option<u32>) -> u32 {
    // SAFETY: integers only; -1 is not a user, so nothing changes.
    unsafe { libc::syscall(libc::SYS_setfsuid, new.unwrap_or(u32::MAX)) as u32 }
}

/// The same for the group (setfsgid(2)).
fn file_group(new: Option<u32>) -> u32 {
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_setfsgid, new.unwrap_or(u32::MAX)) as u32 }
}
