//! Where a shell finds a program by name.

use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::own_files::with_own_view;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::{FinalLink, View, join};
use crate::model::{Name, Process, Program};
use crate::sys;
use std::env;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Where the PATH of a process has the program, if it was started by its name alone. An interpreter in a virtual
/// environment or below a home directory, for example, is not in other PATHs. `None` if the file found there is not the
/// one that runs.
pub fn in_path(
    dir: &ProcDir,
    mounts: &Mounts,
    process: &Process,
    environ: &[u8],
) -> Option<Program> {
    let name = process.cmdline.as_ref()?.first()?.as_bytes();
    if name.is_empty() || name.starts_with(b"-") || name.contains(&b'/') {
        return None;
    }
    let mut variables = environ.split(|&b| b == 0);
    let path = variables.find_map(|variable| variable.strip_prefix(b"PATH="))?;
    let view = View::of(dir, mounts);
    let dirs = path
        .split(|&b| b == b':')
        .filter(|dir| dir.starts_with(b"/"));
    let found = dirs
        .map(|dir| join(dir, name))
        .find(|file| can_run(&view, file))?;
    // The name it was called by may be arbitrary (execve(2)).
    let exe = view
        .stat(process.exe.as_ref()?.as_bytes(), FinalLink::Follow)
        .ok()?;
    let there = view.stat(&found, FinalLink::Follow).ok()?;
    if (exe.st_dev, exe.st_ino) != (there.st_dev, there.st_ino) {
        return None;
    }
    let own = with_own_view(|own| {
        let mut files = path_of_person().map(|dir| join(dir.as_os_str().as_bytes(), name));
        files.find(|file| can_run(own, file))
    });
    Some(Program {
        in_path: own.as_ref() == Some(&found),
        path: Name::from(found),
    })
}

/// Whether a shell would start it.
pub fn can_run(view: &View<'_>, file: &[u8]) -> bool {
    let stat = view.stat(file, FinalLink::Follow);
    stat.is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG && stat.st_mode & 0o111 != 0)
}

/// The directories in which the shell of the user who pastes a command searches for it. Under sudo(8), whose PATH
/// differs, none is known.
pub fn path_of_person() -> impl Iterator<Item = PathBuf> {
    let own = sys::effective_user();
    let path = env::var_os("PATH").filter(|_| person(own, env::var("SUDO_UID").ok()) == own);
    let dirs: Vec<_> = env::split_paths(&path.unwrap_or_default()).collect();
    dirs.into_iter().filter(|dir| dir.is_absolute())
}

/// The user who ran sudo(8), if that made this program root.
pub fn person(own: u32, sudo_uid: Option<String>) -> u32 {
    let by_sudo = sudo_uid.filter(|_| own == 0);
    by_sudo.and_then(|uid| uid.parse().ok()).unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_person_who_pastes_is_the_user_who_ran_sudo() {
        let by = |own, uid: Option<&str>| person(own, uid.map(str::to_owned));
        assert_eq!(by(0, Some("1000")), 1000);
        assert_eq!(by(0, None), 0);
        assert_eq!(by(0, Some("x")), 0);
        assert_eq!(by(1001, Some("1000")), 1001);
    }
}
