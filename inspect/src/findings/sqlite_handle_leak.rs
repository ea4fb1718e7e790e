//! `sqlite-handle-leak`: connections never closed, or descriptors SQLite cannot close (incident 4).

use super::{Facts, Finding, Severity, growth};
use crate::model::Database;
use crate::render::number;
use serde_json::json;

/// A connection pool has a handful of connections, seldom 20; a leak passes this within the hour. It
/// stays well below the usual limit of 1,024 descriptors, three for each connection.
const MANY: usize = 32;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .process
        .sqlite
        .iter()
        .flat_map(|db| [connections(db), parked(db)])
        .flatten()
        .collect()
}

/// Every connection that has read has a descriptor of the -wal.
fn connections(database: &Database) -> Option<Finding> {
    (database.wal_handles >= MANY).then(|| {
        let message = format!(
            "{} connections to {} are open at once ({} descriptors of its -wal): connections are opened and never closed. No command closes them: a restart frees them, closing each connection in the program keeps them from coming back.",
            number(database.wal_handles as u64),
            database.database,
            number(database.wal_handles as u64),
        );
        finding(database, "connections", message)
    })
}

/// More descriptors of the database than connections: SQLite may not close a descriptor while another
/// connection of the process holds a lock (sqlite/src/os_unix.c, `setPendingFd`), and keeps it.
fn parked(database: &Database) -> Option<Finding> {
    let parked = database.handles.saturating_sub(database.wal_handles);
    // Without a connection that reads nothing is locked, and SQLite closes what it may.
    if database.wal_handles == 0 && database.handles >= MANY && database.wal_mode == Some(true) {
        return Some(unread(database));
    }
    (parked >= MANY && database.wal_mode == Some(true)).then(|| {
        let message = format!(
            "{} descriptors of {} belong to no connection that reads ({} of the database less {} of its -wal): SQLite parks the descriptor of a closed connection while another one holds a lock. They go when every connection is closed for a moment; no command does that from outside.",
            number(parked as u64),
            database.database,
            number(database.handles as u64),
            number(database.wal_handles as u64),
        );
        finding(database, "parked", message)
    })
}

/// Connections that were opened and have not read yet have no descriptor of the -wal.
fn unread(database: &Database) -> Finding {
    let message = format!(
        "{} connections to {} are open at once, and none of them has read yet (no descriptor of its -wal): connections are opened and never closed. No command closes them: a restart frees them.",
        number(database.handles as u64),
        database.database,
    );
    finding(database, "connections", message)
}

fn finding(database: &Database, kind: &str, mut message: String) -> Finding {
    let grown = database.growth.and_then(|growth| {
        let change = match kind {
            "connections" if database.wal_handles > 0 => growth.wal_handles?,
            _ => growth.handles?,
        };
        Some((growth.seconds, change.by()))
    });
    if let Some((seconds, more)) = grown {
        message += &growth::sentence(seconds, more);
    }
    Finding {
        code: "sqlite-handle-leak",
        severity: Severity::Warning,
        message,
        evidence: json!({
            "kind": kind,
            "database": database.database,
            "handles": database.handles,
            "wal_handles": database.wal_handles,
            "shm_handles": database.shm_handles,
            "connections": database.wal_handles,
            "libraries": database.shm_handles,
            "parked": database.handles.saturating_sub(database.wal_handles),
            "growth": grown.map(|(seconds, more)| growth::evidence(seconds, more)),
        }),
        remedy: None,
        remedy_live: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    fn kinds(handles: usize, wal_handles: usize, wal_mode: Option<bool>) -> Vec<String> {
        let mut fixture = Fixture::new().with_database("/d/state.db", 1, 0);
        let database = &mut fixture.process.sqlite[0];
        database.handles = handles;
        database.wal_handles = wal_handles;
        database.wal_mode = wal_mode;
        fixture
            .look(look)
            .iter()
            .map(|f| f.evidence["kind"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn five_hundred_of_each_are_connections() {
        assert_eq!(kinds(500, 500, Some(true)), ["connections"]);
    }

    #[test]
    fn five_hundred_and_one_wal_are_parked() {
        assert_eq!(kinds(500, 1, Some(true)), ["parked"]);
    }

    #[test]
    fn without_a_connection_that_reads_nothing_can_be_parked() {
        assert_eq!(kinds(500, 0, Some(true)), ["connections"]);
    }

    #[test]
    fn a_pool_is_neither() {
        assert!(kinds(31, 20, Some(true)).is_empty());
    }

    #[test]
    fn without_wal_mode_nothing_can_be_said_about_parking() {
        assert!(kinds(500, 0, Some(false)).is_empty());
        assert!(kinds(500, 0, None).is_empty());
    }
}
