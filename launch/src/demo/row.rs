//! What was seen of a program, as a row of a table, and what the rows come to.

use inspect::model::Finding;
use inspect::words::{number, sanitize};

/// Fewer events a second are not a loop.
const LOOP: f64 = 10.0;

/// What was seen of one program, linked in one way.
pub struct Row {
    /// How it is linked.
    pub linkage: &'static str,
    /// Events in a second, without anything of ours.
    pub alone: f64,
    /// What fdscan says of it meanwhile.
    pub finding: Option<Finding>,
    /// After `watchfix heal`.
    pub healed: Cured,
    /// Under `watchfix run`.
    pub run: Cured,
}

/// How a program does with the rules in force.
pub struct Cured {
    /// Events in a second while nobody touches anything.
    pub rate: f64,
    /// An edit still reaches it.
    pub noticed: bool,
    /// What may be the reason if it is not cured, as lines; may be empty.
    pub why: String,
}

impl Row {
    /// It looped, fdscan saw why, and it loops no more.
    pub fn is_good(&self) -> bool {
        self.wrong().is_empty()
    }

    /// Its line of the table.
    pub fn text(&self) -> String {
        let cured = |cured: &Cured| {
            let not = if cured.noticed { "" } else { "NOT " };
            format!("{}, edit {not}noticed", rate(cured.rate))
        };
        line([
            self.linkage,
            &rate(self.alone),
            &cured(&self.healed),
            &cured(&self.run),
        ])
    }

    /// What is not as it should be, a sentence each, with the reason where one is known.
    fn wrong(&self) -> Vec<String> {
        let linkage = self.linkage;
        if self.alone <= LOOP {
            let rate = rate(self.alone);
            return vec![format!(
                "{linkage}: it did not loop alone ({rate}), so there was nothing to end."
            )];
        }
        let mut wrong = Vec::new();
        if self.finding.is_none() {
            wrong.push(format!("{linkage}: fdscan did not say what is wrong."));
        }
        for (how, cured) in [("healed", &self.healed), ("watchfix run", &self.run)] {
            let mut what = Vec::new();
            if cured.loops(self.alone) {
                what.push(format!("it still loops ({})", rate(cured.rate)));
            }
            if !cured.noticed {
                what.push("an edit is not noticed".to_owned());
            }
            if what.is_empty() {
                continue;
            }
            let mut sentence = format!("{linkage}, {how}: {}.", what.join(", and "));
            for line in cured.why.lines() {
                sentence += &format!("\n    {}", sanitize(line));
            }
            wrong.push(sentence);
        }
        wrong
    }
}

impl Cured {
    fn loops(&self, alone: f64) -> bool {
        self.rate >= alone / 100.0
    }
}

/// The first line of the table.
pub fn heading() -> String {
    line(["", "alone", "healed while it runs", "under watchfix run"])
}

fn line([linkage, alone, healed, run]: [&str; 4]) -> String {
    format!("  {linkage:<9}{alone:<18}{healed:<31}{run}\n")
}

fn rate(events: f64) -> String {
    format!("{} events/s", number(events.round() as u64))
}

/// What the rows of an incident come to, and what fdscan says of it.
pub fn verdict(rows: &[Row]) -> String {
    let wrong: Vec<_> = rows.iter().flat_map(Row::wrong).collect();
    let mut text = match (rows.len(), wrong.as_slice()) {
        (0, _) => "Verdict: nothing was shown.\n".to_owned(),
        (1, []) => {
            "Verdict: the loop ended, healed and under watchfix run; edits are still noticed.\n"
                .to_owned()
        }
        (_, []) => {
            "Verdict: both loops ended, healed and under watchfix run; edits are still noticed.\n"
                .to_owned()
        }
        (_, wrong) => format!(
            "Verdict: this is NOT as it should be.\n  {}\n",
            wrong.join("\n  ")
        ),
    };
    if let Some(finding) = rows.iter().rev().find_map(|row| row.finding.as_ref()) {
        let message = sanitize(&finding.message);
        text += &format!("What fdscan says of it ({}): {message}\n", finding.code);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cured(rate: f64, noticed: bool, why: &str) -> Cured {
        Cured {
            rate,
            noticed,
            why: why.to_owned(),
        }
    }

    fn row(alone: f64, healed: Cured, run: Cured) -> Row {
        let finding = Finding {
            code: "watch-wakes-on-read",
            severity: inspect::model::Severity::Warning,
            message: "Every read wakes it.".to_owned(),
            evidence: serde_json::Value::Null,
            remedy: None,
            remedy_live: None,
            change: None,
        };
        Row {
            linkage: "static",
            alone,
            finding: Some(finding),
            healed,
            run,
        }
    }

    #[test]
    fn the_verdict_is_that_of_the_rows() {
        let good = || row(9000.0, cured(0.0, true, ""), cured(2.0, true, "a decision"));
        assert!(good().is_good());
        let text = verdict(&[good(), good()]);
        assert!(text.starts_with("Verdict: both loops ended"), "{text}");
        assert!(
            text.contains("(watch-wakes-on-read): Every read wakes it."),
            "{text}"
        );
        assert!(!text.contains("a decision"), "{text}");
    }

    #[test]
    fn a_bad_row_has_its_reason() {
        let healed = cured(8000.0, true, "not changed: 4 watches: no path\u{1b}[2J");
        let bad = row(9000.0, healed, cured(0.0, false, ""));
        assert!(!bad.is_good());
        let text = verdict(&[bad]);
        assert!(
            text.starts_with("Verdict: this is NOT as it should be.\n"),
            "{text}"
        );
        assert!(
            text.contains("static, healed: it still loops (8,000 events/s).\n    not changed: 4 watches: no path"),
            "{text}"
        );
        assert!(
            text.contains("static, watchfix run: an edit is not noticed."),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn what_did_not_loop_shows_nothing() {
        let idle = row(0.0, cured(0.0, true, ""), cured(0.0, true, ""));
        assert!(!idle.is_good());
        assert!(verdict(&[idle]).contains("it did not loop alone (0 events/s)"));
        assert!(verdict(&[]).starts_with("Verdict: nothing was shown."));
        let mut unseen = row(9000.0, cured(0.0, true, ""), cured(0.0, true, ""));
        unseen.finding = None;
        assert!(verdict(&[unseen]).contains("fdscan did not say what is wrong"));
    }
}
