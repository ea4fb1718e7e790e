//! `orphaned-server`: a server that speaks through its standard input and output, left behind by its client, beside
//! another one on the same database. Left alone with its state it is harmless: it does nothing any more.

use super::{Facts, Finding, Severity};
use crate::model::Kin;
use crate::render::list_words;
use serde_json::json;

/// Others named.
const NAMED: usize = 5;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    if !process.around.client_gone {
        return Vec::new();
    }
    let kin = process.around.kin.iter();
    let sharing: Vec<&Kin> = kin.filter(|kin| databases(kin).next().is_some()).collect();
    let Some(first) = sharing.first() else {
        return Vec::new();
    };
    let shared: Vec<String> = databases(first).collect();
    let words: Vec<&str> = shared.iter().map(String::as_str).collect();
    let pids: Vec<_> = sharing.iter().map(|kin| kin.pid).take(NAMED).collect();
    let others: Vec<String> = pids.iter().map(u32::to_string).collect();
    vec![Finding {
        code: "orphaned-server",
        severity: Severity::Warning,
        message: format!(
            "Its standard input and output are pipes that nobody has open at the other end: the client that started it has gone, and it did not end with it. It has {} open, as has the same program with PID {}: its locks and reads are in the way of that one, and nobody waits for its answers.",
            list_words(&words, "and"),
            others.join(", "),
        ),
        evidence: json!({
            "client_gone": true,
            "parent": process.around.origin.as_ref().map(|origin| &origin.parent),
            "session": process.around.session,
            "siblings": pids,
            "shared_databases": shared,
        }),
        remedy: Some(format!("kill {}", process.pid)),
        remedy_live: None,
    }]
}

fn databases(kin: &Kin) -> impl Iterator<Item = String> {
    let shared = kin.shared.iter().filter(|file| file.what == "database");
    shared.map(|file| file.path.to_string())
}
