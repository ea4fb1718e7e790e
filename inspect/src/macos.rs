//! What is a Mac's own. There is no backend for its processes yet: `fdscan reach` looks at files alone.

use crate::model;
use std::os::unix::ffi::OsStringExt;

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
