//! `watch-wakes-on-attrib`: a change of metadata wakes the process.

use super::{Facts, Finding, Severity, cure, watched_files};
use rules::event;
use serde_json::json;

/// What has to be said to engines that see masks only: there attrib goes only when asked for.
const STRIP: &str = "open,access,close_nowrite,attrib";

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let masks = watched_files::masks_with(process, event::ATTRIB);
    let watches: usize = masks.iter().map(|m| m.watches).sum();
    if watches == 0 {
        return Vec::new();
    }
    let mut message = format!(
        "{} when only a file's metadata changes: chmod, chown, touch, a link, and on some systems every backup run.",
        watched_files::watches_fire(watches, &masks),
    );
    let cured = cure::in_force(process);
    if cured {
        message +=
            " libwatchfix.so is loaded and decides about these events when the process reads them.";
    }
    vec![Finding {
        code: "watch-wakes-on-attrib",
        severity: Severity::Info,
        message,
        evidence: json!({ "watches": watches, "masks": masks }),
        remedy: (!cured)
            .then(|| facts.remedies.start_stripping(process, STRIP))
            .flatten(),
        remedy_live: (!cured).then(|| facts.remedies.heal_stripping(process, STRIP)),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    #[test]
    fn attrib_is_worth_an_information_and_never_more() {
        let finding = Fixture::new().with_watches(3, 0x3ce).only(look);
        assert_eq!(finding.severity, Severity::Info);
        assert!(Fixture::new().with_watches(3, 0x3ca).look(look).is_empty());
    }
}
