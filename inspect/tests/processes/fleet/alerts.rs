//! What fires when, by promtool.

use std::process::Command;

use crate::export_command::promtool;
use crate::fleet::{file, text};

#[test]
fn each_alert_fires_when_its_test_says_and_not_otherwise() {
    let Some(promtool) = promtool() else { return };
    let run = Command::new(promtool)
        .args(["test", "rules"])
        .arg(file("alerts.test.yml"))
        .output()
        .unwrap();
    let said = [run.stdout, run.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(run.status.success(), "{said:?}");
}

#[test]
fn no_alert_is_without_a_test() {
    let tests = text("alerts.test.yml");
    let text = text("alerts.yml");
    let names = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let fires = |name: &str| {
        let mut cases = tests.split("alertname: ").skip(1);
        cases.any(|case| {
            case.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('\n') && rest.contains("exp_alerts"))
        })
    };
    let untested: Vec<_> = names.clone().filter(|name| !fires(name)).collect();
    assert!(names.count() > 5 && untested.is_empty(), "{untested:?}");
}
