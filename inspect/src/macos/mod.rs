//! What is a Mac's own: the calls that answer about processes, and what commands can rely on.

mod kernel;

pub use kernel::ThisMac;

use crate::model::{self, Copies, LocalSystem, Program};
use crate::sys;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// What commands can rely on here. Other processes' watches cannot be changed on a Mac.
pub fn local_system() -> LocalSystem {
    let there = |path: &str| Path::new(path).exists();
    let by_sudo = std::env::var("SUDO_UID")
        .ok()
        .and_then(|uid| uid.parse().ok());
    LocalSystem {
        person: by_sudo.unwrap_or_else(sys::effective_user),
        sudo: there("/usr/bin/sudo"),
        runuser: false,
        su: there("/usr/bin/su"),
        setpriv: false,
        logins: BTreeMap::new(),
        sqlite3: there("/usr/bin/sqlite3"),
        watchfix: None,
        fdscan: std::env::current_exe().ok().map(|path| Program {
            path: path.into_os_string().into_vec().into(),
            in_path: false,
        }),
        library: None,
        copies: Copies::Missing,
        supervisors: false,
        judges_reads: false,
        root_may_trace: false,
        ptrace_scope: None,
    }
}

/// From now on names of users, hosts, files and directories are replaced by tokens.
pub fn redact_names() {
    // Each user's home directory lies there, with the user's name.
    let homes = std::fs::read_dir("/Users").into_iter().flatten().flatten();
    let users: Vec<Vec<u8>> = homes.map(|home| home.file_name().into_vec()).collect();
    model::redact_names(&host_name(), &users);
}

fn host_name() -> Vec<u8> {
    let mut name = [0u8; 256];
    // SAFETY: the kernel writes at most as many bytes as there is room for.
    let done = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let name = name.split(|&b| b == 0).next().unwrap_or_default();
    if done == 0 { name.to_vec() } else { Vec::new() }
}
