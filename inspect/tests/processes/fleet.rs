//! docs/fleet: a real Prometheus with its scrape configuration and its alerts, every query of the dashboard, and the exporter as the
//! manifest has it.

mod alerts;
mod manifest;
mod prometheus;
mod queries;
mod which_pod;

use std::path::PathBuf;

/// A file of docs/fleet.
fn file(name: &str) -> PathBuf {
    support::root().join("docs/fleet").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}
