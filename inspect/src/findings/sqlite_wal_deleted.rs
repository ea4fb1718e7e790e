//! `sqlite-wal-deleted`: what is committed goes into a file nobody else will ever see.

use super::{Facts, Finding, Severity};
use serde_json::json;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for database in &facts.process.sqlite {
        let Some(wal) = database
            .parts
            .iter()
            .find(|part| part.suffix == "-wal" && part.deleted)
        else {
            continue;
        };
        let message = format!(
            "The -wal of {} is unlinked but open: what it commits is invisible to every other program and lost when it closes the database. Save it by the command given here before the process ends, then restart it.",
            database.database,
        );
        findings.push(Finding {
            code: "sqlite-wal-deleted",
            severity: Severity::Critical,
            message,
            evidence: json!({
                "database": database.database,
                "database_deleted": database.deleted,
                "wal": wal.path,
                "wal_bytes": wal.bytes,
                "wal_handles": database.wal_handles,
                "fd": wal.fd,
                "inode": wal.identity.map(|id| id.inode),
            }),
            remedy: Some(facts.remedies.rescue(facts.process.pid, wal.fd, &wal.path)),
            remedy_live: None,
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    #[test]
    fn an_unlinked_wal_is_critical_and_can_be_saved_through_its_descriptor() {
        let mut fixture = Fixture::new().with_database("/d/a.db", 1, 4152);
        assert!(fixture.look(look).is_empty());
        for part in &mut fixture.process.sqlite[0].parts {
            part.deleted = part.suffix == "-wal";
        }
        let finding = fixture.only(look);
        assert_eq!(finding.severity, Severity::Critical);
        assert_eq!(
            finding.remedy.as_deref(),
            Some("cp /proc/42/fd/11 /d/a.db-wal.saved")
        );
    }
}
