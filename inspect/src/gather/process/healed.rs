//! The record that `watchfix heal` left about a process.

use crate::gather::process::records;
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::View;
use crate::model::{HealRecord, Healed, Process};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

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
    let all = records::places(process);
    let found = all
        .into_iter()
        .filter_map(|(uid, place)| read(&view, uid, place.join(&name), process));
    found.max_by_key(|healed| healed.seconds)
}

fn read(view: &View<'_>, uid: u32, path: PathBuf, process: &Process) -> Option<Healed> {
    let (text, metadata) = records::read(view, uid, &path)?;
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
