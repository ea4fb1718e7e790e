//! Where `watchfix` keeps records, and how one is read.

use crate::gather::process::pid_namespace;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::Process;
use crate::sys;
use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The maximum size of a record. A record of 100,000 watches is a tenth of that.
const MOST: u64 = 64 << 20;

/// The name of the directory of records. They name processes by PID, and those of another PID namespace have others:
/// where a container or a sandbox shares the place with the system, each has its own directory there.
pub fn directory() -> String {
    match pid_namespace::other_than_first() {
        Some(other) => format!("watchfix-{other}"),
        None => "watchfix".into(),
    }
}

/// The directories with records about a process, with their users: root, this program's user and the process's own.
pub fn places(process: &Process) -> Vec<(u32, PathBuf)> {
    let mut users = vec![0, sys::effective_user()];
    users.extend(process.uid);
    users.sort_unstable();
    users.dedup();
    users.into_iter().flat_map(places_of).collect()
}

/// Where the user `uid` keeps records: the directories that `watchfix` chooses from.
fn places_of(uid: u32) -> Vec<(u32, PathBuf)> {
    let name = directory();
    if uid == 0 {
        return vec![(0, Path::new("/run").join(name))];
    }
    let mut list = Vec::new();
    if uid == sys::effective_user()
        && let Some(runtime) = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)
        && runtime.is_absolute()
    {
        list.push(runtime.join(&name));
    }
    list.push(format!("/run/user/{uid}/{name}").into());
    list.push(format!("/tmp/{name}-{uid}").into());
    list.into_iter().map(|place| (uid, place)).collect()
}

/// The text of a record of the user `uid`, and the metadata of its file. `None` if the file is not that user's or
/// cannot be read.
pub fn read(view: &View<'_>, uid: u32, path: &Path) -> Option<(String, Metadata)> {
    let path = path.as_os_str().as_encoded_bytes();
    let file = view.open(path, FinalLink::Stay, 0).ok()?;
    let metadata = file.metadata().ok()?;
    // In /tmp anybody may have created it first.
    if metadata.uid() != uid {
        return None;
    }
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text).ok()?;
    Some((text, metadata))
}
