//! `watch-wakes-on-read`: reading a watched file wakes the process (incident 1).

use super::{Facts, Finding, Severity, cure, watched_files};
use crate::render::list_words;
use rules::event;
use serde_json::json;

/// The events that mean no change.
const BITS: u32 = event::OPEN | event::ACCESS | event::CLOSE_NOWRITE;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let masks = watched_files::masks_with(process, BITS);
    let watches: usize = masks.iter().map(|m| m.watches).sum();
    if watches == 0 {
        return Vec::new();
    }
    let all = masks.iter().fold(0, |bits, m| bits | m.mask.0);
    let words: Vec<_> = [
        (event::OPEN, "opened"),
        (event::ACCESS, "read"),
        (event::CLOSE_NOWRITE, "closed unchanged"),
    ]
    .iter()
    .filter(|(bit, _)| all & bit != 0)
    .map(|&(_, word)| word)
    .collect();
    let mut message = format!(
        "{} when a file is merely {}: every read wakes it.",
        watched_files::watches_fire(process, watches, &masks),
        list_words(&words, "or"),
    );
    let cured = cure::in_force(process);
    if cured {
        message +=
            " libwatchfix.so is loaded and takes these events out when the process reads them.";
    }
    vec![Finding {
        code: "watch-wakes-on-read",
        severity: if cured {
            Severity::Info
        } else {
            Severity::Warning
        },
        message,
        evidence: json!({ "watches": watches, "masks": masks }),
        remedy: (!cured).then(|| facts.remedies.start(process)).flatten(),
        remedy_live: (!cured).then(|| facts.remedies.heal(process)),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    #[test]
    fn the_mask_of_incident_1_is_named_with_its_count() {
        let fixture = Fixture::new().with_watches(5299, 0x3ee);
        let finding = fixture.only(look);
        assert_eq!(
            finding.message,
            "5,299 watches with mask 0x3ee fire when a file is merely opened: every read wakes it."
        );
        assert_eq!(finding.evidence["masks"][0]["mask"], "0x3ee");
        assert_eq!(finding.evidence["masks"][0]["watches"], 5299);
        assert_eq!(finding.remedy_live.as_deref(), Some("watchfix heal 42"));
    }

    #[test]
    fn a_mask_of_changes_alone_has_no_finding() {
        assert!(Fixture::new().with_watches(10, 0x3ca).look(look).is_empty());
    }

    #[test]
    fn a_process_with_the_library_in_force_needs_no_remedy() {
        let mut fixture = Fixture::new().with_watches(1, 0xfff);
        fixture.process.preload.mapped = Some(true);
        let finding = fixture.only(look);
        assert_eq!((finding.severity, finding.remedy), (Severity::Info, None));
    }

    #[test]
    fn a_library_that_is_switched_off_is_no_cure() {
        let mut fixture = Fixture::new().with_watches(1, 0xfff);
        fixture.process.preload.mapped = Some(true);
        fixture.process.watchfix_rules = vec![("WATCHFIX_OFF".into(), "1".into())];
        assert_eq!(fixture.only(look).severity, Severity::Warning);
    }
}
