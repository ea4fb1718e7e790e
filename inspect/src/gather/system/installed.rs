//! The system on which commands will be pasted: what is installed there, and what the kernel allows.

use crate::gather::accounts::users::Users;
use crate::gather::process::access;
use crate::gather::process::search::{can_run, path_of_person, person};
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Copies, LocalSystem, Name, Program};
use crate::sys;
use std::env;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const LIBRARY: &str = "libwatchfix.so";

/// Finds out what is installed and allowed.
pub fn local_system() -> LocalSystem {
    let own = env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent);
    let person = person(sys::effective_user(), env::var("SUDO_UID").ok());
    let path: Vec<_> = path_of_person().collect();
    let usual = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    let dir = ProcDir::open(std::process::id()).ok();
    let mounts = dir
        .as_ref()
        .map(|dir| Mounts::of(dir, &mut Gaps::default()));
    let view = dir
        .as_ref()
        .zip(mounts.as_ref())
        .map(|(dir, mounts)| View::of(dir, mounts));
    let files = Files {
        view: view.as_ref(),
    };
    let program = |name: &str| {
        let named = path
            .iter()
            .map(|dir| dir.join(name))
            .find(|file| files.can_run(file));
        let known = [beside.map(|dir| dir.join(name)), named.clone()];
        let known = known.into_iter().flatten();
        let found = known
            .chain(program_places(name))
            .find(|file| files.can_run(file))?;
        let in_path = named.is_some_and(|named| files.real(&named) == files.real(&found));
        Some(Program {
            path: name_of(&found),
            in_path,
        })
    };
    let library = beside.into_iter().flat_map(library_places);
    // cargo only builds it for release.
    let built = beside.map(|dir| dir.join("../release").join(LIBRARY));
    let library = library.chain(package_places()).chain(built).find(|file| {
        // ld.so(8): LD_PRELOAD has no way to quote its separators.
        let can_be_named = |file: &Path| {
            !file
                .as_os_str()
                .as_bytes()
                .iter()
                .any(|c| b" :".contains(c))
        };
        can_be_named(file) && files.is_file(file)
    });
    let found = |name: &str| {
        let mut all = usual.iter().map(|dir| dir.join(name));
        all.find(|file| files.can_run(file))
    };
    let installed = |name: &str| found(name).is_some();
    let is_busybox = |file: &PathBuf| {
        let real = files.real(file);
        real.is_some_and(|real| real.ends_with(b"/busybox"))
    };
    LocalSystem {
        person,
        sudo: installed("sudo"),
        runuser: installed("runuser"),
        su: installed("su"),
        setpriv: found("setpriv").is_some_and(|file| !is_busybox(&file)),
        logins: Users::read().logins(),
        sqlite3: installed("sqlite3"),
        watchfix: program("watchfix"),
        fdscan: program("fdscan"),
        library: library.map(|file| name_of(&without_dots(&file))),
        copies: match sys::copies_descriptors().map_err(|e| e.raw_os_error()) {
            Ok(()) => Copies::Allowed,
            Err(Some(libc::ENOSYS)) => Copies::Missing,
            Err(_) => Copies::Refused,
        },
        supervisors: sys::has_supervisors(),
        judges_reads: sys::lets_supervisors_read(),
        root_may_trace: access::root_may_trace(),
        ptrace_scope: access::yama(),
    }
}

/// Where packages, and people who install by hand, put a program.
fn program_places(name: &str) -> impl Iterator<Item = PathBuf> {
    let dirs = ["/usr/local/bin", "/usr/bin", "/opt/watchfix/bin"];
    dirs.map(|dir| Path::new(dir).join(name)).into_iter()
}

/// Where the library of a program in the directory `dir` may be: beside it, or in the `lib` next to its `bin`.
pub fn library_places(dir: &Path) -> Vec<PathBuf> {
    let places = ["", "../lib/watchfix", "../lib"];
    places.map(|place| dir.join(place).join(LIBRARY)).into()
}

/// Where packages install the library: in its own directory, in that of the architecture (Debian, named as by
/// `dpkg-architecture -q DEB_HOST_MULTIARCH`), or in that of all libraries.
pub fn package_places() -> Vec<PathBuf> {
    let multiarch = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
    let dirs = [
        "/usr/local/lib/watchfix",
        "/usr/local/lib",
        "/usr/lib/watchfix",
        &multiarch,
        "/usr/lib64",
        "/usr/lib",
        "/opt/watchfix/lib",
    ];
    dirs.map(|dir| Path::new(dir).join(LIBRARY)).into()
}

/// The path with each `..` resolved to the directory above. The path of this program comes from the kernel, so it has
/// no links.
pub fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

fn name_of(path: &Path) -> Name {
    Name::from(path.as_os_str().as_encoded_bytes())
}

/// Files as this program sees them, if a look cannot hang.
struct Files<'a> {
    view: Option<&'a View<'a>>,
}

impl Files<'_> {
    fn is_file(&self, path: &Path) -> bool {
        let stat = |view: &View<'_>| {
            view.stat(path.as_os_str().as_bytes(), FinalLink::Follow)
                .ok()
        };
        let stat = self.view.and_then(stat);
        stat.is_some_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG)
    }

    fn can_run(&self, path: &Path) -> bool {
        self.view
            .is_some_and(|view| can_run(view, path.as_os_str().as_bytes()))
    }

    fn real(&self, path: &Path) -> Option<Vec<u8>> {
        let found = self
            .view?
            .find(path.as_os_str().as_bytes(), FinalLink::Follow)
            .ok()?;
        view::real_path(found.as_fd()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_beside_a_program_is_named_without_dots() {
        let places = library_places(Path::new("/opt/w/bin"));
        let plain: Vec<_> = places.iter().map(|place| without_dots(place)).collect();
        assert!(
            plain.contains(&"/opt/w/bin/libwatchfix.so".into()),
            "{plain:?}"
        );
        assert!(
            plain.contains(&"/opt/w/lib/watchfix/libwatchfix.so".into()),
            "{plain:?}"
        );
    }
}
