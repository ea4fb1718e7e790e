//! `sqlite-wal-large`: a -wal far larger than its database.

use super::{Facts, Finding, Severity};
use crate::render::bytes;
use serde_json::json;

/// A WAL below this is normal under load: SQLite checkpoints every 1,000 pages, some 4 MiB, and a busy
/// reader delays that a little. With [`TIMES`], the alarm programs in the wild have settled on.
const FLOOR: u64 = 64 << 20;
/// A WAL holds each page once per change; more than two whole databases means that checkpoints do not
/// catch up, or that nobody truncates.
const TIMES: u64 = 2;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for database in &facts.process.sqlite {
        let Some(wal) = database.wal_bytes else {
            continue;
        };
        let main = database.database_bytes;
        if wal <= FLOOR.max(main.unwrap_or(0).saturating_mul(TIMES)) {
            continue;
        }
        let beside = match main {
            Some(main) => format!("its database has {}", bytes(main)),
            None => "its database is not open here".into(),
        };
        let mut message = format!(
            "The -wal of {} has {}, {beside}: every read searches it, and it fills the disk.",
            database.database,
            bytes(wal),
        );
        let gone = database.deleted || database.wal_deleted == Some(true);
        if gone {
            message += " It is unlinked, so no other program can check it in.";
        }
        findings.push(Finding {
            code: "sqlite-wal-large",
            severity: Severity::Warning,
            message,
            evidence: json!({
                "database": database.database,
                "database_bytes": main,
                "wal_bytes": wal,
                "wal_handles": database.wal_handles,
            }),
            remedy: (!gone).then(|| facts.remedies.checkpoint(&database.database)),
            remedy_live: None,
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    fn found(database_bytes: u64, wal_bytes: u64) -> Vec<Finding> {
        let mut fixture = Fixture::new().with_database("/d/it's.db", 1, wal_bytes);
        fixture.process.sqlite[0].database_bytes = Some(database_bytes);
        fixture.look(look)
    }

    #[test]
    fn the_threshold_is_twice_the_database_and_at_least_64_mib() {
        assert!(found(1 << 20, 64 << 20).is_empty());
        assert_eq!(found(1 << 20, (64 << 20) + 1).len(), 1);
        assert!(found(1 << 30, 2 << 30).is_empty());
        assert_eq!(found(1 << 30, (2 << 30) + 1).len(), 1);
    }

    #[test]
    fn the_remedy_quotes_the_database_for_a_shell() {
        assert_eq!(
            found(0, 1 << 30)[0].remedy.as_deref(),
            Some(r"sqlite3 '/d/it'\''s.db' 'PRAGMA wal_checkpoint(TRUNCATE)'")
        );
    }
}
