//! What has become of the entries of a directory.

use super::state::{State, Time};
use rustix::fs::{Dir, Mode, OFlags, fstatfs, openat};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;

/// The entries of a directory.
pub type Names = BTreeMap<Vec<u8>, State>;

/// The entries of a directory. A change at `since` or later is told, whatever its time.
///
/// # Errors
/// The errno of opening or listing it.
pub fn names(dir: BorrowedFd<'_>, since: Time) -> io::Result<Names> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let list = openat(dir, ".", flags, Mode::empty())?;
    // A file that is copied up when it is first changed is born again (ovl_getattr of fs/overlayfs/inode.c).
    let has_births = fstatfs(&list).is_ok_and(|found| found.f_type != libc::OVERLAYFS_SUPER_MAGIC);
    let mut names = Names::new();
    for entry in Dir::new(list)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        // One that has gone meanwhile was not there.
        if let Ok(mut state) = State::at(dir, name) {
            if !has_births {
                state = state.without_birth();
            }
            names.insert(name.to_owned(), state.not_since(since));
        }
    }
    Ok(names)
}

/// An entry: its name, and what it is now.
pub type Entry = (Vec<u8>, State);

/// A name that leads to another entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// The name.
    pub name: Vec<u8>,
    /// It led to a directory.
    pub was_dir: bool,
    /// It leads to a directory.
    pub is_dir: bool,
}

/// What a directory's entries have become.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Names that are gone, and whether they were directories.
    pub gone: Vec<(Vec<u8>, bool)>,
    /// Names that were not there, and those in [`others`](Self::others).
    pub new: Vec<Entry>,
    /// Names of directories that are others, and of what has become a directory or is none any more.
    pub others: Vec<Other>,
    /// Files that are others under the same name.
    pub replaced: Vec<Entry>,
    /// Files that may have been written to.
    pub written: Vec<Entry>,
    /// Files and directories with other permissions or another owner.
    pub attributes: Vec<Entry>,
}

impl Changes {
    /// Between two looks.
    pub fn between(before: &Names, now: &Names) -> Changes {
        let mut changes = Changes::default();
        for (name, was) in before {
            if !now.contains_key(name) {
                changes.gone.push((name.clone(), was.is_dir()));
            }
        }
        for (name, is) in now {
            let one = || (name.clone(), *is);
            match before.get(name) {
                None => changes.new.push(one()),
                Some(was) if was.is_uncertain() => changes.new.push(one()),
                Some(was) if was.is_same(is) => {
                    let became = was.became(is);
                    // The entries of a directory are its own matter, and count as its names.
                    let is_dir = is.is_dir();
                    if became.written && !is_dir {
                        changes.written.push(one());
                    }
                    if became.attributes
                        && !became.names_alone
                        && !(is_dir && was.rights() == is.rights())
                    {
                        changes.attributes.push(one());
                    }
                }
                Some(was) if was.is_dir() || is.is_dir() => {
                    changes.others.push(Other {
                        name: name.clone(),
                        was_dir: was.is_dir(),
                        is_dir: is.is_dir(),
                    });
                    changes.new.push(one());
                }
                Some(_) => changes.replaced.push(one()),
            }
        }
        changes
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File, Permissions};
    use std::os::fd::AsFd;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn look(dir: &Path) -> Names {
        names(File::open(dir).unwrap().as_fd(), (i64::MAX, 0)).unwrap()
    }

    fn words(list: &[Entry]) -> Vec<&[u8]> {
        list.iter().map(|(name, _)| &name[..]).collect()
    }

    #[test]
    fn what_became_of_entries_is_told_by_kind() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in [
            "same", "linked", "written", "mode", "gone", "replaced", "old",
        ] {
            fs::write(at(name), name).unwrap();
        }
        fs::create_dir(at("dir")).unwrap();
        fs::create_dir(at("dir-gone")).unwrap();
        fs::create_dir(at("dir-other")).unwrap();
        fs::create_dir(at("dir-file")).unwrap();
        fs::write(at("file-dir"), "").unwrap();
        let before = look(dir.path());
        assert!(Changes::between(&before, &look(dir.path())).is_empty());
        fs::write(at("written"), "longer than it was").unwrap();
        fs::set_permissions(at("mode"), Permissions::from_mode(0o600)).unwrap();
        fs::remove_file(at("gone")).unwrap();
        fs::hard_link(at("linked"), at("other")).unwrap();
        fs::remove_dir(at("dir-gone")).unwrap();
        fs::write(at("next"), "next").unwrap();
        fs::rename(at("next"), at("replaced")).unwrap();
        fs::rename(at("old"), at("new")).unwrap();
        fs::remove_dir(at("dir-file")).unwrap();
        fs::write(at("dir-file"), "").unwrap();
        fs::remove_file(at("file-dir")).unwrap();
        fs::create_dir(at("file-dir")).unwrap();
        fs::create_dir(at("dir-next")).unwrap();
        fs::remove_dir(at("dir-other")).unwrap();
        fs::rename(at("dir-next"), at("dir-other")).unwrap();
        // Its entries change its times, and are its own matter.
        fs::write(at("dir/inside"), "").unwrap();
        fs::write(at("uncertain"), "").unwrap();
        let before = [&b"uncertain"[..], b"uncertain-gone"]
            .map(|name| (name.to_vec(), State::uncertain()))
            .into_iter()
            .chain(before)
            .collect();
        let now = look(dir.path());
        let changes = Changes::between(&before, &now);
        assert_eq!(
            changes.gone,
            [
                (b"dir-gone".to_vec(), true),
                (b"gone".to_vec(), false),
                (b"old".to_vec(), false),
                (b"uncertain-gone".to_vec(), false)
            ]
        );
        let other = |name: &[u8], was_dir, is_dir| Other {
            name: name.to_vec(),
            was_dir,
            is_dir,
        };
        assert_eq!(
            changes.others,
            [
                other(b"dir-file", true, false),
                other(b"dir-other", true, true),
                other(b"file-dir", false, true),
            ]
        );
        assert_eq!(
            words(&changes.new),
            [
                &b"dir-file"[..],
                b"dir-other",
                b"file-dir",
                b"new",
                b"other",
                b"uncertain"
            ]
        );
        assert_eq!(words(&changes.replaced), [b"replaced"]);
        assert_eq!(words(&changes.written), [b"written"]);
        assert_eq!(words(&changes.attributes), [b"mode"]);
    }
}
