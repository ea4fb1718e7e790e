//! The order of findings: by severity, then what is happening now, then causes before their effects.

use super::{Finding, Severity};
use serde_json::Value;
use std::cmp::Reverse;

/// Sorts the findings of one process. The sort is stable.
pub fn worst_first(mut findings: Vec<Finding>) -> Vec<Finding> {
    blame_the_leak(&mut findings);
    findings.sort_by_key(|finding| (Reverse(finding.severity), !is_happening(finding)));
    findings
}

/// A limit that a leak leads to is not worse than the leak, which must be ended first.
fn blame_the_leak(findings: &mut [Finding]) {
    for code in ["fd-limit-near", "instance-limit-near"] {
        let Some(limit) = findings.iter().find(|finding| finding.code == code) else {
            continue;
        };
        let (severity, of_instances) = (limit.severity, code == "instance-limit-near");
        let own = figure(limit, if of_instances { "own" } else { "open" });
        let cause = findings.iter_mut().find(|finding| {
            let is_instances = finding
                .evidence
                .get("kind")
                .is_some_and(|kind| kind == "inotify");
            is_leak(finding)
                && is_instances == of_instances
                && own.is_some_and(|own| figure(finding, "handles").unwrap_or(0) * 2 >= own)
        });
        // A limit that others use up says nothing about a leak here.
        if let Some(leak) = cause.filter(|_| severity > Severity::Info) {
            leak.severity = leak.severity.max(severity);
        }
    }
}

fn is_leak(finding: &Finding) -> bool {
    matches!(
        finding.code,
        "descriptor-leak" | "socket-leak" | "file-handle-leak" | "sqlite-handle-leak"
    )
}

fn figure(finding: &Finding, key: &str) -> Option<u64> {
    finding.evidence.get(key)?.as_u64()
}

/// Whether something grew, an event was heard, or a start failed during the look.
fn is_happening(finding: &Finding) -> bool {
    let evidence = &finding.evidence;
    let above_zero = |value: Option<&Value>| value.and_then(Value::as_f64).is_some_and(|n| n > 0.0);
    let growth = evidence.get("growth");
    let of_growth = |key: &str| growth.and_then(|growth| growth.get(key));
    let heard = evidence.get("heard").and_then(|heard| heard.get("events"));
    let change =
        of_growth("to").and_then(Value::as_f64) > of_growth("from").and_then(Value::as_f64);
    change
        || above_zero(of_growth("more"))
        || above_zero(heard)
        || above_zero(evidence.get("starts_in_vain"))
        || above_zero(evidence.get("bytes_per_second"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finding(code: &'static str, severity: Severity, evidence: Value) -> Finding {
        Finding {
            code,
            severity,
            message: String::new(),
            evidence,
            remedy: None,
            remedy_live: None,
            change: None,
        }
    }

    fn order(findings: Vec<Finding>) -> Vec<&'static str> {
        let sorted = worst_first(findings).into_iter();
        sorted.map(|finding| finding.code).collect()
    }

    #[test]
    fn within_one_severity_what_is_happening_now_comes_first() {
        let still = || finding("a", Severity::Warning, json!({ "growth": null }));
        for evidence in [
            json!({ "growth": { "seconds": 2.0, "more": 3 } }),
            json!({ "growth": { "seconds": 2.0, "from": 3, "to": 4 } }),
            json!({ "heard": { "events": 9 } }),
            json!({ "starts_in_vain": 2 }),
            json!({ "bytes_per_second": 100 }),
        ] {
            let burns = finding("b", Severity::Warning, evidence);
            assert_eq!(order(vec![still(), burns]), ["b", "a"]);
        }
        let closes =
            json!({ "growth": { "seconds": 2.0, "from": 4, "to": 3 }, "heard": { "events": 0 } });
        let ends = finding("b", Severity::Warning, closes);
        assert_eq!(order(vec![still(), ends]), ["a", "b"]);
        let note = finding("b", Severity::Info, json!({ "heard": { "events": 9 } }));
        assert_eq!(order(vec![note, still()]), ["a", "b"]);
    }

    #[test]
    fn a_leak_that_fills_a_limit_is_as_bad_as_the_limit_and_a_small_one_is_not() {
        let leak = |kind: &str, handles| {
            let evidence = json!({ "kind": kind, "handles": handles });
            finding("descriptor-leak", Severity::Warning, evidence)
        };
        let fds = || finding("fd-limit-near", Severity::Critical, json!({ "open": 1000 }));
        let instances = |severity| finding("instance-limit-near", severity, json!({ "own": 120 }));
        assert_eq!(order(vec![leak("pipe", 500), fds()])[0], "descriptor-leak");
        assert_eq!(order(vec![leak("pipe", 499), fds()])[0], "fd-limit-near");
        let critical = Severity::Critical;
        assert_eq!(
            order(vec![leak("inotify", 120), instances(critical)])[0],
            "descriptor-leak"
        );
        assert_eq!(
            order(vec![leak("pipe", 500), instances(critical)])[0],
            "instance-limit-near"
        );
        let by_others = worst_first(vec![leak("inotify", 120), instances(Severity::Info)]);
        assert_eq!(by_others[0].severity, Severity::Warning);
    }
}
