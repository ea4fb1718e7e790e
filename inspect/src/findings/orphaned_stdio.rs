//! `orphaned-server`: a server that talks over its standard input and output has lost its client, and shares a database
//! with another one.
//!
//! Meaning: The client that started it, such as an editor, is gone, but the server did not end with it. Its locks and
//! reads are in the way of the server that is in use.
//!
//! Evidence: `client_gone` is true: standard input and output are both pipes that nobody has open at the other end.
//! `parent` is its parent now (PID and name), `session` its session. `siblings` are up to five PIDs of the same program
//! that have the database open, `shared_databases` the databases that both can write. One look decides.
//!
//! Severity: warning.
//!
//! Remedy: `kill PID`: nobody waits for its answers.
//!
//! Not to be confused with: a program in a pipeline of which only one end is closed. A server that was left behind but
//! shares nothing, which is harmless and not reported.

use super::{Facts, Finding, Severity};
use crate::model::SameProgram;
use crate::words::list_words;
use serde_json::json;

/// How many others are named.
const NAMED: usize = 5;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    if !process.surroundings.client_gone {
        return Vec::new();
    }
    let others = process.surroundings.same_program.iter();
    let sharing: Vec<&SameProgram> = others
        .filter(|other| databases(other).next().is_some())
        .collect();
    let Some(first) = sharing.first() else {
        return Vec::new();
    };
    let shared: Vec<String> = databases(first).collect();
    let words: Vec<&str> = shared.iter().map(String::as_str).collect();
    let pids: Vec<_> = sharing.iter().map(|other| other.pid).take(NAMED).collect();
    let others: Vec<String> = pids.iter().map(u32::to_string).collect();
    vec![Finding {
        code: "orphaned-server",
        severity: Severity::Warning,
        message: format!(
            "Its standard input and output are pipes that nobody has open at the other end: the client that started it is gone, but it did not end with it. It has {} open, and so has the same program with PID {}: its locks and reads are in the way of that one, and nobody waits for its answers.",
            list_words(&words, "and"),
            others.join(", "),
        ),
        evidence: json!({
            "client_gone": true,
            "parent": process.surroundings.origin.as_ref().map(|origin| &origin.parent),
            "session": process.surroundings.session,
            "siblings": pids,
            "shared_databases": shared,
        }),
        remedy: Some(format!("kill {}", process.pid)),
        remedy_live: None,
        change: None,
    }]
}

fn databases(other: &SameProgram) -> impl Iterator<Item = String> {
    let shared = other.shared.iter().filter(|file| file.what == "database");
    shared.map(|file| file.path.to_string())
}
