//! `fdscan wal DB...`: a database by its path, and every process that has it open.

use crate::formats::sqlite::{Mode, database_mode, journal, log, log_state};
use crate::gather::descriptors::fdinfo;
use crate::gather::sqlite::held_locks::{fill_locks, holder, wanted};
use crate::gather::sqlite::holders::Wanted;
use crate::gather::sqlite::{foreign_locks, holders, lost, overwritten};
use crate::gather::subject::gaps::{Gaps, errno_text};
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{
    Database, DatabaseFailure, FailureKind, Identity, Name, OrphanFile, Part, SeenDatabase,
};
use crate::sys;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Examines the database at `path`. Its files are opened for reading and closed again; nothing else is done to them.
///
/// # Errors
/// Why it cannot be examined: it is missing, access is denied, or it is not a database.
pub fn database(path: &Path, gaps: &mut Gaps) -> Result<SeenDatabase, DatabaseFailure> {
    let shown = Name::from(path.as_os_str().as_bytes());
    let fail = |kind, why| DatabaseFailure {
        path: shown.clone(),
        why,
        kind,
    };
    let no_database = |why| fail(FailureKind::NoProcess, why);
    let own = Own::open(gaps)
        .map_err(|e| no_database(format!("/proc cannot be read: {}", errno_text(&e))))?;
    // SQLite puts the side files beside what a symbolic link leads to (os_unix.c, unixFullPathname).
    let found = view::named(&own.view(), path.as_os_str().as_bytes(), FinalLink::Follow);
    let opened = found.and_then(|found| {
        let real = PathBuf::from(OsString::from_vec(view::real_path(found.as_fd())?));
        Ok((view::open_unnoticed(found.as_fd())?, real))
    });
    let (file, real) = opened.map_err(|e| match e.kind() {
        _ if view::is_unsafe(&e) => {
            let why = view::left_out(&e).unwrap_or_default();
            no_database(format!("{shown} is left out: {why}"))
        }
        _ if e.raw_os_error() == Some(libc::EINVAL) => {
            no_database(format!("{shown} is not a regular file"))
        }
        io::ErrorKind::NotFound => {
            let held = lost::holders_of(&own.view(), path);
            no_database(format!("there is no file {shown}{held}"))
        }
        io::ErrorKind::PermissionDenied => fail(
            FailureKind::NotPermitted,
            format!("{shown} cannot be opened for reading: permission denied"),
        ),
        _ => no_database(format!("{shown} cannot be read: {}", errno_text(&e))),
    })?;
    let main = own.part("", &real, &file).map_err(|e| match e {
        None => no_database(format!("{shown} is not a regular file")),
        Some(e) => no_database(format!("{shown} cannot be looked at: {}", errno_text(&e))),
    })?;
    let sides = own.sides(&real, gaps);
    let mode = database_mode(log_state::filled(&file, &mut [0; 20]));
    if mode.is_none() && sides.is_empty() {
        let name = main.path.as_bytes();
        let why = if name.ends_with(b"-wal") || name.ends_with(b"-shm") {
            "it belongs to one: name the database itself"
        } else if main.bytes == Some(0) {
            "it is empty: nothing has been written to it yet"
        } else {
            "it does not begin with SQLite's magic, and no -wal or -shm lies beside it: it is another kind of file, or an encrypted database"
        };
        return Err(no_database(format!(
            "{shown} is not a SQLite database: {why}"
        )));
    }
    if mode.is_none() {
        gaps.note(
            "the database itself",
            "it does not begin with SQLite's magic: it is encrypted, or not a database; its -wal and -shm are shown as they are",
        );
    }
    let mut parts = vec![main];
    let mut files = Vec::new();
    for (part, file) in sides {
        parts.push(part);
        files.push(file);
    }
    let mut seen = seen(&own, parts, &files, mode, gaps);
    // If no process has the database open, the next one to open it creates the -shm again.
    if let [wal, shm] = &files[..]
        && seen.database.shm_handles > 0
    {
        seen.database.overwritten = overwritten::look(&file, wal, shm);
    }
    Ok(seen)
}

fn seen(
    own: &Own,
    parts: Vec<Part>,
    files: &[File],
    mode: Option<Mode>,
    gaps: &mut Gaps,
) -> SeenDatabase {
    let bytes = |suffix: &str| {
        let mut parts = parts.iter().filter(|part| part.suffix == suffix);
        parts.next().and_then(|part| part.bytes)
    };
    let mut database = Database {
        database: parts
            .first()
            .map(|main| main.path.clone())
            .unwrap_or_default(),
        database_bytes: bytes(""),
        wal_bytes: bytes("-wal"),
        shm_bytes: bytes("-shm"),
        wal_deleted: bytes("-wal").map(|_| false),
        // Without the magic, the side files decide.
        wal_mode: Some(mode.is_none_or(|mode| mode != Mode::Rollback)),
        parts,
        ..Database::default()
    };
    match mode {
        Some(Mode::Wal2) => gaps.note(
            "its logs",
            "it is in wal2 mode (a branch of SQLite), which is recognised and not decoded",
        ),
        Some(Mode::Rollback) => {
            let path = [database.database.as_bytes(), b"-journal"].concat();
            database.journal = own.open_side(&path).ok().and_then(|file| journal(&file));
        }
        // A database in rollback mode has no -wal. A -wal that lies beside it is left over.
        _ => {
            let file_of = |part: &Part| {
                let sides = database.parts.iter().skip(1);
                let mut both = sides.zip(files);
                both.find(|(side, _)| side.suffix == part.suffix)
                    .and_then(|(_, file)| file.try_clone().ok())
            };
            database.wal = log(
                &database,
                file_of,
                "there is no readable -shm beside it",
                gaps,
            );
        }
    }
    let mut orphans = Vec::new();
    if let Some(found) = everyone(own, &database, gaps) {
        fill_locks(&mut database, &found);
        let holders: Vec<_> = found
            .peers
            .iter()
            .filter_map(|peer| holder(&database, peer))
            .collect();
        let sum = |count: fn(&crate::model::Holder) -> Option<usize>| -> usize {
            holders.iter().filter_map(count).sum()
        };
        database.handles = sum(|holder| holder.handles);
        database.wal_handles = sum(|holder| holder.wal_handles);
        database.shm_handles = sum(|holder| holder.shm_handles);
        database.holders = holders;
        for peer in found.peers {
            let pid = peer.pid;
            orphans.extend(peer.orphans.into_iter().map(|orphan| OrphanFile {
                writable: crate::gather::descriptors::census::is_writable(pid, orphan.fd)
                    == Some(true),
                pid,
                fd: orphan.fd,
                path: orphan.path,
                inode: orphan.inode,
            }));
        }
    }
    let left = database.wal.as_ref().filter(|wal| {
        wal.frames.is_some_and(|frames| frames > 0)
            && wal.attached.as_ref().is_some_and(Vec::is_empty)
    });
    if left.is_some() {
        gaps.note(
            "whether its -shm still holds",
            "no process is attached to it: it shows what the last one left, and the next one rebuilds it from the -wal",
        );
    }
    database.count_connections();
    SeenDatabase { database, orphans }
}

/// Examines a database again, `since` after the first look. Locks that are still held get that age.
pub fn again(path: &Path, seen: &mut SeenDatabase, since: Duration) {
    // The first look already reported what cannot be seen.
    if let Ok(now) = database(path, &mut Gaps::default()) {
        crate::gather::sqlite::lasting::age(&mut seen.database, &now.database, since);
    }
}

fn everyone(own: &Own, database: &Database, gaps: &mut Gaps) -> Option<holders::Found> {
    let parts = &database.parts;
    let table = match holders::table() {
        Ok(table) => table,
        Err(e) => {
            gaps.note("the locks on it", errno_text(&e));
            return None;
        }
    };
    let mut beside = database.database.as_bytes().to_vec();
    beside.extend(foreign_locks::DOTFILE.as_bytes());
    let dotfile = own.view().find(&beside, FinalLink::Stay);
    let dotfile = dotfile.is_ok_and(|found| sys::is_directory(found.as_fd()));
    foreign_locks::note(database, &table, dotfile, gaps);
    let paths = ["", "-wal", "-shm"].map(|suffix| {
        let main = parts.first().map(|main| main.path.as_bytes());
        [main.unwrap_or_default(), suffix.as_bytes()].concat()
    });
    let mut wanted: Wanted = wanted(parts.iter());
    // A deleted -wal is not replaced until somebody creates a new one.
    let names = paths
        .iter()
        .map(|path| Name::from(path.as_slice()).base().to_vec());
    wanted.names.extend(names);
    wanted.paths.extend(paths);
    Some(holders::find(
        &wanted,
        &table,
        Some(std::process::id()),
        true,
        gaps,
    ))
}

/// This process's own descriptors: they identify files by the kernel's device and inode, as /proc/locks does.
pub struct Own {
    dir: ProcDir,
    mounts: Mounts,
}

impl Own {
    /// # Errors
    /// There is no /proc.
    pub fn open(gaps: &mut Gaps) -> io::Result<Own> {
        let dir = ProcDir::open(std::process::id())?;
        let mounts = Mounts::of(&dir, gaps);
        Ok(Own { dir, mounts })
    }

    /// Opens a side file of a database. SQLite does not follow a link to one (O_NOFOLLOW in os_unix.c). A FIFO or
    /// device in its place is not opened at all.
    ///
    /// # Errors
    /// ELOOP for a link, EINVAL for another kind of file, else the errno of open(2).
    pub fn open_side(&self, path: &[u8]) -> io::Result<File> {
        let path = Name::from(path);
        let directory = path.parent().unwrap_or(b"/");
        let directory = view::named(&self.view(), directory, FinalLink::Follow)?;
        let found = sys::find_on_mount(directory.as_fd(), path.base(), libc::O_PATH)?;
        view::open_unnoticed(found.as_fd())
    }

    fn view(&self) -> View<'_> {
        View::of(&self.dir, &self.mounts)
    }

    fn identity(&self, file: &File) -> Option<Identity> {
        let text = self
            .dir
            .read(&format!("fdinfo/{}", file.as_raw_fd()))
            .ok()?;
        let header = fdinfo::header(&text);
        let mount = self.mounts.by_id(header.mount?)?;
        let inode = header.inode.or(file.metadata().ok().map(|m| m.ino()))?;
        self.mounts
            .identity(mount, inode, (file.as_fd(), b"", false))
    }

    /// # Errors
    /// The errno of fstat(2), or `None` if it is not a regular file.
    fn part(
        &self,
        suffix: &'static str,
        path: &Path,
        file: &File,
    ) -> Result<Part, Option<io::Error>> {
        let metadata = file.metadata().map_err(Some)?;
        if !metadata.is_file() {
            return Err(None);
        }
        Ok(Part {
            suffix,
            path: path.as_os_str().as_bytes().into(),
            fd: file.as_raw_fd(),
            handles: 0,
            writable: false,
            deleted: false,
            bytes: Some(metadata.len()),
            identity: self.identity(file),
            parent: None,
            rested: None,
        })
    }

    fn sides(&self, database: &Path, gaps: &mut Gaps) -> Vec<(Part, File)> {
        let mut found = Vec::new();
        for suffix in ["-wal", "-shm"] {
            let mut name = database.as_os_str().to_owned();
            name.push(suffix);
            let path = PathBuf::from(name);
            let opened = self.open_side(path.as_os_str().as_bytes()).map_err(Some);
            match opened.and_then(|file| Ok((self.part(suffix, &path, &file)?, file))) {
                Ok(side) => found.push(side),
                Err(Some(e)) if e.kind() == io::ErrorKind::NotFound => {}
                Err(Some(e)) => {
                    let why = match e.raw_os_error() {
                        Some(libc::ELOOP) => {
                            "it is a symbolic link, which SQLite does not follow".into()
                        }
                        Some(libc::EINVAL) => "it is not a regular file".into(),
                        _ => errno_text(&e),
                    };
                    gaps.note(format!("its {suffix}"), why);
                }
                Err(None) => gaps.note(format!("its {suffix}"), "it is not a regular file"),
            }
        }
        found
    }
}
