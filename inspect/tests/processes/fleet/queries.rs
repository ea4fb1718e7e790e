//! Every query of the dashboard and of the alerts, asked of a real Prometheus that has scraped a real fdscan.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::Stage;
use crate::export_command::Server;
use crate::fleet::prometheus::Prometheus;
use crate::fleet::text;
use crate::units::Group;

/// The values of every key `key` in a document.
fn strings(document: &Value, key: &str, found: &mut Vec<String>) {
    match document {
        Value::Array(list) => list.iter().for_each(|one| strings(one, key, found)),
        Value::Object(map) => {
            for (name, value) in map {
                match value {
                    Value::String(text) if name == key => found.push(text.clone()),
                    _ => strings(value, key, found),
                }
            }
        }
        _ => {}
    }
}

/// The dashboard's queries, for all machines.
fn of_dashboard() -> Vec<String> {
    let mut found = Vec::new();
    strings(
        &serde_json::from_str(&text("dashboard.json")).unwrap(),
        "expr",
        &mut found,
    );
    let all = found.iter().map(|query| query.replace("$instance", ".+"));
    let all: Vec<String> = all.collect();
    assert!(all.len() > 20, "{all:?}");
    assert!(all.iter().all(|query| !query.contains('$')), "{all:?}");
    all
}

fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("fdscan_")).collect()
}

#[test]
fn every_query_of_the_dashboard_has_series_and_every_alert_is_evaluated() {
    let group = format!("fleet-{}.service", std::process::id());
    let groups = Group::make(&group);
    let Some(group) = groups.first() else {
        return support::skip_optional("control groups cannot be made here");
    };
    let stage = Stage::unprivileged(60826);
    // What grows goes on for longer than a test may take.
    let grow = |what: &str, count: &str| {
        let args = ["growing", "--what", what, "--count", count];
        let dir = stage.make(what);
        stage.mkfds_in(
            &dir,
            &[&args[..], &["--most", "4000", "--every", "50"]].concat(),
        )
    };
    let fixtures = [
        grow("files", "0"),
        grow("watches", "3"),
        grow("frames", "40"),
        // A finding that is no note.
        stage.mkfds(&["fd-limit", "--limit", "200", "--percent", "90"]),
    ];
    for fixture in &fixtures {
        group.take(fixture.pid());
    }
    let pids = fixtures.each_ref().map(|fixture| fixture.pid().to_string());
    let server = Server::start(&pids.each_ref().map(String::as_str));
    let dir = stage.make("prometheus");
    let Some(prometheus) = Prometheus::start(&dir, &server) else {
        return;
    };

    // Asked again until there are two scrapes, which growth needs.
    let mut left = of_dashboard();
    let asked = left.clone();
    prometheus.until("queries without series", |prometheus| {
        left.retain(|query| prometheus.query(query).is_empty());
        match left.is_empty() {
            true => Ok(()),
            false => Err(format!("{left:#?}")),
        }
    });

    // Alerts need not fire: that they are evaluated, without an error, is all.
    let rules = prometheus.until("alerts that are not evaluated", |prometheus| {
        let rules = prometheus.ask("rules");
        match rules["groups"][0]["rules"].as_array() {
            Some(list) if list.iter().all(|rule| rule["health"] != "unknown") => Ok(list.clone()),
            _ => Err(rules.to_string()),
        }
    });
    let written = text("alerts.yml");
    assert_eq!(rules.len(), written.matches("- alert: ").count());
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    // What nothing is exported under would be silent for ever.
    let exported = prometheus.ask("label/__name__/values").to_string();
    let exported = metrics(&exported);
    let all = asked.join("\n") + &written;
    let unknown: Vec<_> = metrics(&all).difference(&exported).copied().collect();
    assert!(unknown.is_empty(), "{unknown:?} is not among {exported:?}");
}
