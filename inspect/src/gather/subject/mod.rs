//! The subject under examination, and what every room needs to examine it: its directory in /proc, which is held open
//! (proc(5)), its mounts (proc_pid_mountinfo(5)), the file system as it sees it, the identity of files, and the list of
//! what could not be seen.

pub(crate) mod aliases;
pub(crate) mod gaps;
pub(crate) mod identity;
pub(crate) mod lines;
pub(crate) mod mountinfo;
pub(crate) mod mounts;
pub(crate) mod options;
pub(crate) mod own_files;
pub(crate) mod proc_dir;
pub(crate) mod view;

use crate::model::Process;
use gaps::Gaps;
use mounts::Mounts;
use proc_dir::ProcDir;
use view::View;

/// A process under examination: how to look at it, what is known so far, and what could not be seen.
pub struct Subject<'a> {
    /// Its directory in /proc.
    pub dir: &'a ProcDir,
    /// The file systems it sees.
    pub mounts: &'a Mounts,
    /// What is known about it.
    pub process: &'a mut Process,
    /// What is missing.
    pub gaps: &'a mut Gaps,
}

impl<'a> Subject<'a> {
    /// The file system as it sees it.
    pub fn view(&self) -> View<'a> {
        View::of(self.dir, self.mounts)
    }
}
