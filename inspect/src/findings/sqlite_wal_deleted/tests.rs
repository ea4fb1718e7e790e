use super::*;
use crate::findings::fixture::Fixture;

fn unlinked(suffixes: &[&str]) -> Fixture {
    let mut fixture = Fixture::new().with_database("/d/a.db", 1, 4152);
    let database = &mut fixture.process.sqlite[0];
    database.deleted = suffixes.contains(&"");
    for part in &mut database.parts {
        part.deleted = suffixes.contains(&part.suffix);
    }
    fixture
}

#[test]
fn an_unlinked_wal_is_critical_and_is_saved_with_its_database() {
    assert!(unlinked(&[]).look(look).is_empty());
    for suffixes in [&["-wal"][..], &["", "-wal", "-shm"]] {
        let finding = unlinked(suffixes).only(look);
        assert_eq!(finding.code, "sqlite-wal-deleted");
        assert_eq!(finding.severity, Severity::Critical);
        assert_eq!(
            finding.remedy.as_deref(),
            Some(
                "kill -STOP 42 && cp -p /proc/42/fd/10 /d/a.db.saved && cp -p /proc/42/fd/11 /d/a.db-wal.saved && kill -CONT 42 || { kill -CONT 42; false; }"
            )
        );
    }
}

#[test]
fn a_database_without_its_name_is_critical_unless_it_is_temporary_or_only_read() {
    let mut fixture = unlinked(&[""]);
    fixture.process.sqlite[0].parts.truncate(1);
    assert_eq!(fixture.only(look).code, "sqlite-deleted");
    fixture.process.sqlite[0].parts[0].writable = false;
    assert!(fixture.look(look).is_empty());
    fixture.process.sqlite[0].parts[0].writable = true;
    fixture.process.sqlite[0].parts[0].path = "/tmp/etilqs_4711".into();
    assert!(fixture.look(look).is_empty());
}

#[test]
fn an_unlinked_shm_or_journal_is_critical_while_it_is_open() {
    let codes = [
        ("-shm", "sqlite-shm-deleted"),
        ("-journal", "sqlite-journal-deleted"),
    ];
    for (suffix, code) in codes {
        let mut fixture = unlinked(&[]);
        let database = &mut fixture.process.sqlite[0];
        database.parts[2].suffix = suffix;
        database.parts[2].deleted = true;
        // Its last user may be about to close it.
        assert!(fixture.look(look).is_empty());
        fixture.process.sqlite[0].side_deleted = Some(suffix);
        let finding = fixture.only(look);
        assert_eq!((finding.code, finding.severity), (code, Severity::Critical));
    }
}

#[test]
fn all_unlinked_files_of_every_process_are_saved() {
    let orphan = |pid, fd, path: &str| OrphanFile {
        pid,
        fd,
        path: path.into(),
        inode: None,
        writable: true,
    };
    let orphans = [
        orphan(7, 4, "/d/a.db-wal"),
        orphan(7, 9, "/d/a.db-wal"),
        orphan(8, 3, "/d/a.db"),
        orphan(8, 4, "/d/a.db-wal"),
        orphan(8, 5, "/d/a.db-shm"),
        orphan(9, 5, "/d/a.db-shm"),
    ];
    let found = of_orphans(&"/d/a.db".into(), &orphans, &Remedies::sample());
    let remedies: Vec<_> = found.iter().filter_map(|f| f.remedy.as_deref()).collect();
    assert_eq!(
        remedies,
        [
            "kill -STOP 7 && cp -p /d/a.db /d/a.db.saved && cp -p /proc/7/fd/4 /d/a.db-wal.saved && kill -CONT 7 || { kill -CONT 7; false; }",
            "kill -STOP 8 && cp -p /proc/8/fd/3 /d/a.db.saved && cp -p /proc/8/fd/4 /d/a.db-wal.saved && kill -CONT 8 || { kill -CONT 8; false; }",
        ]
    );
}
