//! SQLite databases among the open files, grouped by inode and by name.

use crate::formats::sqlite::header::Mode;
use crate::model::{Database, Descriptor, Identity, Kind, Name, Part};
use std::collections::{BTreeMap, HashMap};

/// The side files, by what SQLite appends to the database's name. In wal2 mode (a branch of SQLite)
/// there is a second log, `-wal2`: counted as -wal.
pub const SUFFIXES: [(&str, &str); 4] = [
    ("-wal", "-wal"),
    ("-wal2", "-wal"),
    ("-shm", "-shm"),
    ("-journal", "-journal"),
];

/// The databases among the descriptors of a process. `header_of` reads the header of a file that its side files do not
/// identify as a database.
pub fn group(
    descriptors: &[Descriptor],
    header_of: impl FnMut(&Part) -> Option<Mode>,
) -> Vec<Database> {
    group_files(&unite(descriptors), header_of)
}

/// The path of the database a -wal or -shm belongs to by its name.
pub fn database_of(path: &[u8]) -> Option<&[u8]> {
    let mut sides = SUFFIXES.iter().filter(|(_, suffix)| *suffix != "-journal");
    sides.find_map(|(ending, _)| path.strip_suffix(ending.as_bytes()))
}

fn group_files(files: &[Part], mut header_of: impl FnMut(&Part) -> Option<Mode>) -> Vec<Database> {
    let mut sides: HashMap<&[u8], Vec<(&'static str, &Part)>> = HashMap::new();
    for file in files {
        for (ending, suffix) in SUFFIXES {
            if let Some(base) = file.path.as_bytes().strip_suffix(ending.as_bytes()) {
                sides.entry(base).or_default().push((suffix, file));
            }
        }
    }
    let mut found: BTreeMap<&[u8], Vec<(&Part, Option<Mode>)>> = BTreeMap::new();
    for file in files {
        let path = file.path.as_bytes();
        let has_wal = sides
            .get(path)
            .is_some_and(|list| list.iter().any(|(suffix, _)| *suffix != "-journal"));
        // A -wal or -shm beside it is enough: the file need not be opened.
        let header = if has_wal || !may_be_database(file) {
            None
        } else {
            header_of(file)
        };
        if has_wal || header.is_some() {
            found.entry(path).or_default().push((file, header));
        }
    }
    let mut databases = Vec::new();
    for (base, mains) in &found {
        let sides = sides.get(base).map(Vec::as_slice).unwrap_or_default();
        databases.extend(of_one_name(mains, sides));
    }
    // A -wal whose database is not open in this process is still a WAL it holds.
    for (base, sides) in &sides {
        let is_wal = sides.iter().any(|(suffix, _)| *suffix == "-wal");
        if is_wal && !found.contains_key(base) {
            databases.push(database((*base).into(), None, None, sides.iter().copied()));
        }
    }
    databases.sort_by(|a, b| a.database.cmp(&b.database).then(a.deleted.cmp(&b.deleted)));
    databases
}

/// One entry for each inode and name: a hundred connections hold one file.
fn unite(descriptors: &[Descriptor]) -> Vec<Part> {
    let mut files: Vec<Part> = Vec::new();
    let mut places: HashMap<(Identity, &Name), usize> = HashMap::new();
    for descriptor in descriptors.iter().filter(|d| d.kind == Kind::File) {
        let writable = descriptor.writable == Some(true);
        let key = descriptor.identity.map(|id| (id, &descriptor.target));
        if let Some(file) = key
            .and_then(|key| places.get(&key))
            .and_then(|&place| files.get_mut(place))
        {
            file.handles += 1;
            file.writable |= writable;
            file.parent = file.parent.or(descriptor.parent);
            continue;
        }
        if let Some(key) = key {
            places.insert(key, files.len());
        }
        files.push(part(descriptor));
    }
    files
}

/// A file as one of its descriptors shows it.
pub fn part(descriptor: &Descriptor) -> Part {
    Part {
        suffix: "",
        path: descriptor.target.clone(),
        fd: descriptor.fd,
        handles: 1,
        writable: descriptor.writable == Some(true),
        deleted: descriptor.deleted,
        bytes: descriptor.bytes,
        identity: descriptor.identity,
        parent: descriptor.parent,
        rested: None,
    }
}

/// The databases of one path: more than one if it was deleted and created again. A deleted side file belongs to the
/// deleted database if there is one, else to the only one.
fn of_one_name(mains: &[(&Part, Option<Mode>)], sides: &[(&'static str, &Part)]) -> Vec<Database> {
    let any_deleted = mains.iter().any(|(main, _)| main.deleted);
    let any_live = mains.iter().any(|(main, _)| !main.deleted);
    mains
        .iter()
        .map(|(main, header)| {
            let own = sides.iter().copied().filter(|(_, side)| {
                side.deleted == main.deleted
                    || (side.deleted && !any_deleted)
                    || (!side.deleted && !any_live)
            });
            database(main.path.clone(), Some(main), *header, own)
        })
        .collect()
}

fn database<'a>(
    path: Name,
    main: Option<&Part>,
    header: Option<Mode>,
    sides: impl Iterator<Item = (&'static str, &'a Part)>,
) -> Database {
    let mut database = Database {
        database: path,
        handles: main.map_or(0, |m| m.handles),
        database_bytes: main.and_then(|m| m.bytes),
        deleted: main.is_some_and(|m| m.deleted),
        wal_mode: header.map(|mode| mode != Mode::Rollback),
        parts: main.cloned().into_iter().collect(),
        ..Database::default()
    };
    for (suffix, side) in sides {
        match suffix {
            "-wal" => {
                database.wal_handles += side.handles;
                database.wal_mode = Some(true);
                database.wal_bytes = add(database.wal_bytes, side.bytes);
                database.wal_deleted = Some(database.wal_deleted == Some(true) || side.deleted);
            }
            "-shm" => {
                database.shm_handles += side.handles;
                database.shm_bytes = add(database.shm_bytes, side.bytes);
            }
            _ => database.journal_handles += side.handles,
        }
        database.parts.push(Part {
            suffix,
            ..side.clone()
        });
    }
    database.count_connections();
    database
}

fn add(sum: Option<u64>, more: Option<u64>) -> Option<u64> {
    match (sum, more) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

/// Whether the size is possible for a database (whole pages, and the smallest page is 512 bytes) and the name is not
/// that of a side file.
fn may_be_database(file: &Part) -> bool {
    let name = file.path.as_bytes();
    file.bytes.is_some_and(|size| size > 0 && size % 512 == 0)
        && !SUFFIXES
            .iter()
            .any(|(ending, _)| name.ends_with(ending.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Device;

    fn file(fd: i32, path: &str, inode: u64, deleted: bool) -> Descriptor {
        Descriptor {
            fd,
            kind: Kind::File,
            target: path.into(),
            deleted,
            writable: Some(true),
            bytes: Some(100),
            identity: Some(Identity::plain(Device(1), inode)),
            parent: None,
            space: None,
        }
    }

    fn grouped(descriptors: &[Descriptor]) -> Vec<Database> {
        group(descriptors, |_| None)
    }

    #[test]
    fn a_hundred_connections_are_one_database() {
        let mut list = Vec::new();
        for n in 0..100 {
            list.push(file(n * 2, "/d/state.db", 1, false));
            list.push(file(n * 2 + 1, "/d/state.db-wal", 2, false));
        }
        list.push(file(999, "/d/state.db-shm", 3, false));
        let found = grouped(&list);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].handles, found[0].wal_handles, found[0].shm_handles),
            (100, 100, 1)
        );
        assert_eq!(found[0].wal_bytes, Some(100));
    }

    #[test]
    fn a_database_that_was_created_again_is_distinguished_from_the_deleted_one() {
        let found = grouped(&[
            file(3, "/d/a.db", 1, true),
            file(4, "/d/a.db-wal", 2, true),
            file(5, "/d/a.db", 11, false),
            file(6, "/d/a.db-wal", 12, false),
        ]);
        let seen: Vec<_> = found.iter().map(|d| (d.deleted, d.wal_handles)).collect();
        assert_eq!(seen, [(false, 1), (true, 1)]);
    }

    #[test]
    fn a_deleted_wal_belongs_to_the_database_that_is_left() {
        let found = grouped(&[
            file(3, "/d/a.db", 1, false),
            file(4, "/d/a.db-wal", 2, true),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].wal_deleted, Some(true));
    }

    #[test]
    fn a_file_without_the_magic_is_not_a_database_for_having_a_journal() {
        let found = grouped(&[
            file(3, "/d/log", 1, false),
            file(4, "/d/log-journal", 2, false),
        ]);
        assert!(found.is_empty());
    }
}
