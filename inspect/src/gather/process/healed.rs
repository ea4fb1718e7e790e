//! The record that `watchfix heal` left about a process.

use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{HealRecord, Healed, Process};
use crate::sys;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The maximum size of a record: 100,000 watches take a tenth of it.
const MOST: u64 = 64 << 20;

/// Whether a process was healed, by whom and when, if a readable record says so and its watches still have the masks
/// they were given.
pub fn healed(process: &Process) -> Option<Healed> {
    if process.inotify.is_empty() {
        return None;
    }
    let name = HealRecord::name(process)?;
    let own = ProcDir::open(std::process::id()).ok()?;
    let mounts = Mounts::of(&own, &mut Gaps::default());
    let view = View::of(&own, &mounts);
    let mut users = vec![0, sys::effective_user()];
    users.extend(process.uid);
    users.dedup();
    let all = users.into_iter().flat_map(places);
    let found = all.filter_map(|(uid, place)| read(&view, uid, place.join(&name), process));
    found.max_by_key(|healed| healed.seconds)
}

/// Where the user `uid` keeps records: the directories that `watchfix heal` chooses from.
fn places(uid: u32) -> Vec<(u32, PathBuf)> {
    if uid == 0 {
        return vec![(0, "/run/watchfix".into())];
    }
    let mut list = Vec::new();
    if uid == sys::effective_user()
        && let Some(runtime) = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)
        && runtime.is_absolute()
    {
        list.push(runtime.join("watchfix"));
    }
    list.push(format!("/run/user/{uid}/watchfix").into());
    list.push(format!("/tmp/watchfix-{uid}").into());
    list.into_iter().map(|place| (uid, place)).collect()
}

fn read(view: &View<'_>, uid: u32, path: PathBuf, process: &Process) -> Option<Healed> {
    let path = path.as_os_str().as_encoded_bytes();
    let file = view.open(path, FinalLink::Stay, 0).ok()?;
    let metadata = file.metadata().ok()?;
    // In /tmp anybody may have created it first.
    if metadata.uid() != uid {
        return None;
    }
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text).ok()?;
    let record = HealRecord::parse(&text)?;
    let watches = record.in_force(process);
    let rules = record.rules.iter();
    let at = jiff::Timestamp::from_second(metadata.mtime()).ok()?;
    (watches > 0).then(|| Healed {
        at: at.to_string(),
        uid,
        watches,
        undo: None,
        seconds: metadata.mtime(),
        rules: rules
            .map(|(variable, value)| (variable.as_str().into(), value.as_slice().into()))
            .collect(),
    })
}
