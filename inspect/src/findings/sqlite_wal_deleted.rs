//! `sqlite-wal-deleted`: what is committed goes into a file nobody else will ever see.

use super::{Facts, Finding, Remedies, Severity};
use crate::model::{Name, OrphanFile};
use serde_json::{Value, json};

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
        let pid = facts.process.pid;
        let mut finding = finding(&database.database, pid, wal.fd, &wal.path, facts.remedies);
        if let Value::Object(evidence) = &mut finding.evidence {
            evidence.insert("database_deleted".into(), json!(database.deleted));
            evidence.insert("wal_bytes".into(), json!(wal.bytes));
            evidence.insert("wal_handles".into(), json!(database.wal_handles));
            evidence.insert("inode".into(), json!(wal.identity.map(|id| id.inode)));
        }
        findings.push(finding);
    }
    findings
}

/// The finding for a process that still has an unlinked -wal of the database at its descriptor `fd`.
pub fn of_orphan(database: &Name, orphan: &OrphanFile, remedies: &Remedies) -> Finding {
    let mut finding = finding(database, orphan.pid, orphan.fd, &orphan.path, remedies);
    if let Value::Object(evidence) = &mut finding.evidence {
        evidence.insert("pid".into(), json!(orphan.pid));
        evidence.insert("inode".into(), json!(orphan.inode));
    }
    finding
}

fn finding(database: &Name, pid: u32, fd: i32, wal: &Name, remedies: &Remedies) -> Finding {
    let message = format!(
        "The -wal of {database} is unlinked but open in process {pid}: what it commits is invisible to every other program and lost when it closes the database. Save it by the command given here before the process ends, then restart it.",
    );
    Finding {
        code: "sqlite-wal-deleted",
        severity: Severity::Critical,
        message,
        evidence: json!({ "database": database, "wal": wal, "fd": fd }),
        remedy: Some(remedies.rescue(pid, fd, wal)),
        remedy_live: None,
    }
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
