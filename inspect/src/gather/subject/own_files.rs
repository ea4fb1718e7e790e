//! Files as this program sees them, wherever examining them cannot hang.

use crate::gather::subject::aliases::Alias;
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::Device;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A path of this program with links resolved; `None` if nothing is there or the file system does not answer.
pub fn resolved(path: &[u8]) -> Option<Vec<u8>> {
    with_own_view(|view| {
        let found = view::named(view, path, FinalLink::Follow).ok()?;
        view::real_path(found.as_fd()).ok()
    })
}

/// Why nothing can be written at a path of this program: its file system does not answer.
pub fn unanswered(path: &Path) -> Option<&'static str> {
    with_own_view(|view| {
        let found = view::named(view, path.as_os_str().as_bytes(), FinalLink::Follow);
        view::left_out(&found.err()?)
    })
}

/// Whether there is a regular file at a path of this program. `false` if looking might hang.
pub fn is_file(path: &[u8]) -> bool {
    let stat = with_own_view(|view| view.stat(path, FinalLink::Follow).ok());
    stat.is_some_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG)
}

/// Looks at the file system as this program sees it.
pub fn with_own_view<T>(look: impl FnOnce(&View<'_>) -> Option<T>) -> Option<T> {
    let own = ProcDir::open(std::process::id()).ok()?;
    let mounts = Mounts::of(&own, &mut Gaps::default());
    look(&View::of(&own, &mounts))
}

/// The devices at and below a resolved directory, as this program sees them: that of the file system it lies on, and
/// those of the file systems mounted below it.
pub fn devices_below(path: &[u8]) -> Vec<Device> {
    let devices = with_own_view(|view| Some(view.mounts().devices_below(path)));
    devices.unwrap_or_default()
}

/// The other paths of what this program sees at and below a resolved directory.
pub fn aliases(dir: &[u8]) -> Vec<Alias> {
    let aliases = with_own_view(|view| Some(view.mounts().aliases(dir)));
    aliases.unwrap_or_default()
}

/// Whether process `pid` sees the files this program sees, by the same paths.
pub fn sees_as_we_do(pid: u32) -> bool {
    let view = |pid| {
        let dir = ProcDir::open(pid).ok()?;
        Some((dir.read_link("ns/mnt").ok()?, dir.read_link("root").ok()?))
    };
    let own = view(std::process::id());
    own.is_some() && own == view(pid)
}
