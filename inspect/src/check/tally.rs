//! Results of the rules so far: the highest numbers, and when each rule was first broken.

use super::rules::{Figures, Rule};
use crate::model::{
    Breach, CheckedProcess, CommandLine, Events, Finding, FoundIn, Name, ProcessRef, RuleResult,
};
use std::collections::BTreeMap;

/// The state of a check.
pub struct Tally {
    rules: Vec<Watched>,
    findings: Vec<FoundIn>,
    /// Whether findings could be searched for at least once.
    scanned: bool,
    processes: BTreeMap<u32, CheckedProcess>,
}

/// A rule and its worst result so far.
struct Watched {
    rule: Rule,
    worst: Option<(u64, ProcessRef, Option<Name>)>,
    first: Option<Breach>,
}

impl Tally {
    /// Nothing seen yet.
    pub fn new(rules: &[Rule]) -> Tally {
        let watch = |&rule: &Rule| Watched {
            rule,
            worst: None,
            first: None,
        };
        Tally {
            rules: rules.iter().map(watch).collect(),
            findings: Vec::new(),
            scanned: false,
            processes: BTreeMap::new(),
        }
    }

    /// Adds the figures of a process, measured `seconds` after the command started if there is a command.
    pub fn figures(&mut self, process: &ProcessRef, figures: &Figures, seconds: Option<f64>) {
        for watched in &mut self.rules {
            let Some((value, path)) = watched.rule.measure(figures) else {
                continue;
            };
            if watched
                .worst
                .as_ref()
                .is_none_or(|(worst, ..)| value > *worst)
            {
                watched.worst = Some((value, process.clone(), path.cloned()));
            }
            if value > watched.rule.limit() {
                watched.broken(process, value, seconds);
            }
        }
        let entry = self
            .processes
            .entry(process.pid)
            .or_insert_with(|| CheckedProcess {
                process: process.clone(),
                command: None,
                fds: None,
                watches: None,
                wal_bytes: None,
                connections: None,
            });
        let some = |(value, path): (u64, Option<&Name>)| path.map(|_| value);
        entry.fds = entry.fds.max(figures.fds);
        entry.watches = entry.watches.max(figures.watches);
        entry.wal_bytes = entry.wal_bytes.max(figures.wal().and_then(some));
        entry.connections = entry.connections.max(figures.connections().and_then(some));
    }

    /// Updates the name of a process, which changes when it executes another program.
    pub fn named(&mut self, process: &ProcessRef, command: Option<CommandLine>) {
        if let Some(entry) = self.processes.get_mut(&process.pid) {
            entry.process = process.clone();
            entry.command = command.or(entry.command.take());
        }
    }

    /// Adds the findings about a process.
    pub fn findings(&mut self, process: &ProcessRef, found: Vec<Finding>, seconds: Option<f64>) {
        self.scanned = true;
        for finding in found {
            let rule = self
                .rules
                .iter_mut()
                .find_map(|watched| match watched.rule {
                    Rule::FailOn(least) if finding.severity >= least => Some(watched),
                    _ => None,
                });
            let Some(watched) = rule else { continue };
            let known =
                |old: &FoundIn| old.process.pid == process.pid && old.finding.code == finding.code;
            // A known finding may have become more severe.
            if let Some(old) = self.findings.iter_mut().find(|old| known(old)) {
                if finding.severity > old.finding.severity {
                    old.finding = finding;
                }
                continue;
            }
            watched.broken(process, 1, seconds);
            self.findings.push(FoundIn {
                process: process.clone(),
                seconds,
                finding,
            });
        }
    }

    /// Whether a rule was broken.
    pub fn is_broken(&self) -> bool {
        let over = |watched: &Watched| {
            watched
                .worst
                .as_ref()
                .is_some_and(|(worst, ..)| *worst > watched.rule.limit())
        };
        self.rules.iter().any(over) || !self.findings.is_empty()
    }

    /// The outcome: rules in the order given, findings worst first, processes by PID.
    pub fn results(mut self) -> (Vec<RuleResult>, Vec<FoundIn>, Vec<CheckedProcess>) {
        self.findings
            .sort_by_key(|found| std::cmp::Reverse(found.finding.severity));
        let findings = &self.findings;
        let results = self.rules.iter().map(|watched| match watched.rule {
            Rule::FailOn(_) => watched.of_findings(findings, self.scanned),
            _ => watched.of_figures(),
        });
        let results = results.collect();
        (
            results,
            self.findings,
            self.processes.into_values().collect(),
        )
    }
}

impl Watched {
    fn broken(&mut self, process: &ProcessRef, value: u64, seconds: Option<f64>) {
        if let (None, Some(seconds)) = (&self.first, seconds) {
            let process = process.clone();
            self.first = Some(Breach {
                seconds,
                value,
                process,
            });
        }
    }

    fn of_figures(&self) -> RuleResult {
        let rule = self.rule;
        let measured = self.worst.as_ref().map(|(value, ..)| *value);
        let passed = measured.map(|value| value <= rule.limit());
        let message = match &self.worst {
            None => "It could not be measured.".into(),
            Some((0, ..)) => "There was none.".into(),
            Some((value, process, path)) => {
                let place = path
                    .as_ref()
                    .map_or_else(String::new, |path| format!(" of {path}"));
                let lead = if passed == Some(true) { "At most " } else { "" };
                format!(
                    "{lead}{}{place} in {}{}.",
                    rule.amount(*value),
                    who(process),
                    self.since()
                )
            }
        };
        self.result(passed, measured, message)
    }

    fn of_findings(&self, findings: &[FoundIn], scanned: bool) -> RuleResult {
        let count = findings.len() as u64;
        let mut codes: Vec<String> = Vec::new();
        for found in findings {
            let text = format!("{} in {}", found.finding.code, who(&found.process));
            if !codes.contains(&text) {
                codes.push(text);
            }
        }
        let (passed, message) = match (count, scanned) {
            (0, false) => (None, "It could not be measured.".into()),
            (0, true) => (Some(true), self.rule.nothing()),
            _ => {
                let list = codes.join(", ");
                let text = format!("{}: {list}{}.", self.rule.amount(count), self.since());
                (Some(false), text)
            }
        };
        self.result(passed, passed.map(|_| count), message)
    }

    /// `, first above the limit after 1.4 s`
    fn since(&self) -> String {
        let Some(first) = &self.first else {
            return String::new();
        };
        let what = match self.rule.limit() {
            0 => "first",
            _ => "first above the limit",
        };
        format!(", {what} after {:.1} s", first.seconds)
    }

    fn result(&self, passed: Option<bool>, measured: Option<u64>, message: String) -> RuleResult {
        let worst = self.worst.as_ref();
        let first = self.first.clone();
        RuleResult {
            rule: self.rule.name(),
            limit: self.rule.limit(),
            events: match self.rule {
                Rule::DenyEvent(mask) => Some(mask.events()),
                _ => None::<Events>,
            },
            severity: match self.rule {
                Rule::FailOn(severity) => Some(severity),
                _ => None,
            },
            passed,
            measured,
            process: worst
                .filter(|(value, ..)| *value > 0)
                .map(|(_, process, _)| process.clone()),
            path: worst.and_then(|(_, _, path)| path.clone()),
            first,
            title: self.rule.title(),
            message,
        }
    }
}

/// `PID 812 (node)`
fn who(process: &ProcessRef) -> String {
    format!("PID {} ({})", process.pid, process.comm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mask;
    use crate::model::Severity;

    fn process(pid: u32) -> ProcessRef {
        ProcessRef {
            pid,
            comm: "tool".into(),
        }
    }

    fn figures(fds: u64) -> Figures {
        Figures {
            fds: Some(fds),
            ..Figures::default()
        }
    }

    #[test]
    fn the_highest_number_counts_and_the_first_violation_is_remembered() {
        let mut tally = Tally::new(&[Rule::MaxFds(10)]);
        for (pid, fds, seconds) in [(1, 10, 0.1), (2, 11, 0.2), (3, 30, 0.3), (2, 12, 0.4)] {
            tally.figures(&process(pid), &figures(fds), Some(seconds));
        }
        assert!(tally.is_broken());
        let (rules, _, processes) = tally.results();
        assert_eq!(
            (rules[0].passed, rules[0].measured),
            (Some(false), Some(30))
        );
        let first = rules[0].first.as_ref().unwrap();
        assert_eq!(
            (first.seconds, first.value, first.process.pid),
            (0.2, 11, 2)
        );
        assert_eq!(
            rules[0].message,
            "30 descriptors in PID 3 (tool), first above the limit after 0.2 s."
        );
        assert_eq!(processes[1].fds, Some(12));
    }

    #[test]
    fn a_value_at_its_limit_passes_and_an_unmeasured_one_neither_passes_nor_fails() {
        let mut tally = Tally::new(&[
            Rule::MaxFds(10),
            Rule::MaxWatches(5),
            Rule::DenyEvent(Mask(0x20)),
        ]);
        tally.figures(&process(1), &figures(10), None);
        assert!(!tally.is_broken());
        let (rules, ..) = tally.results();
        assert_eq!(rules[0].passed, Some(true));
        assert_eq!(rules[0].message, "At most 10 descriptors in PID 1 (tool).");
        assert_eq!((rules[1].passed, rules[2].passed), (None, None));
    }

    #[test]
    fn a_finding_counts_once_per_process_and_only_if_it_is_severe_enough() {
        let finding = |severity| Finding {
            code: "self-watch",
            severity,
            message: "It.".into(),
            evidence: serde_json::json!({}),
            remedy: None,
            remedy_live: None,
            change: None,
        };
        let mut tally = Tally::new(&[Rule::FailOn(Severity::Warning)]);
        tally.findings(&process(1), vec![finding(Severity::Info)], Some(0.1));
        assert!(!tally.is_broken());
        for seconds in [0.2, 0.3] {
            tally.findings(
                &process(1),
                vec![finding(Severity::Critical)],
                Some(seconds),
            );
        }
        let (rules, findings, _) = tally.results();
        assert_eq!(findings.len(), 1);
        assert_eq!(rules[0].passed, Some(false));
        assert_eq!(
            rules[0].message,
            "1 finding: self-watch in PID 1 (tool), first after 0.2 s."
        );
    }
}
