//! Files that two processes have open for writing and only one may own.

use crate::formats::claims::kind_of;
use crate::model::{ClaimKind, Descriptor, Identity, Kind, Process, SharedFile};
use std::collections::HashSet;

/// A PID, port or lock file held open for writing.
pub fn claim_written(file: &Descriptor) -> bool {
    let kind = kind_of(file.target.base());
    file.kind == Kind::File
        && file.writable == Some(true)
        && matches!(
            kind,
            Some(ClaimKind::Pid | ClaimKind::Port | ClaimKind::Lock)
        )
}

/// Databases and claims both have open for writing.
pub fn shared(process: &Process, theirs: &[Descriptor]) -> Vec<SharedFile> {
    let written: HashSet<Identity> = theirs
        .iter()
        .filter(|file| file.kind == Kind::File && file.writable == Some(true))
        .filter_map(|file| file.identity)
        .collect();
    let both = |id: Option<Identity>| id.is_some_and(|id| written.contains(&id));
    let databases = process.sqlite.iter().filter_map(|database| {
        let part = database.parts.iter().find(|part| part.suffix.is_empty())?;
        (part.writable && both(part.identity)).then(|| SharedFile {
            path: database.database.clone(),
            what: "database",
        })
    });
    let mut found: Vec<_> = databases.collect();
    let claims = process
        .descriptors
        .iter()
        .filter(|file| claim_written(file));
    for file in claims.filter(|file| both(file.identity)) {
        if !found.iter().any(|known| known.path == file.target) {
            found.push(SharedFile {
                path: file.target.clone(),
                what: "claim",
            });
        }
    }
    found
}
