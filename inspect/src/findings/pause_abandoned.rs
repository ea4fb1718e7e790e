//! `pause-abandoned`: watches of the process are mute, and the process that was to end that was killed.
//!
//! Meaning: `watchfix pause` muted watches for as long as a command runs. Its guardian, which gives them their masks
//! back, was killed (SIGKILL, the OOM killer). The process hears nothing of these directories until somebody ends the
//! pause.
//!
//! Evidence: `since` and `until`, the beginning of the pause and its latest end. `uid` of the user who made it, and
//! `guardian`, the PID that is gone. `dirs` are the paused directories, `command` is what they were paused for, and
//! `watches` is how many of this process are still mute. All of it is from the record of the pause; the masks are from
//! fdinfo.
//!
//! Severity: warning. Edits are missed, and nothing says so.
//!
//! Remedy: `watchfix pause --release DIR`, as the user who made the pause. It restores the masks and reports once what
//! changed meanwhile. Any other `watchfix` command of that user does the same.
//!
//! Not to be confused with: a pause that is in force, which is a line below the findings. A healed process, whose masks
//! are kept on purpose. The watches of a dropped directory (`--drop`), which are mute as well.

use super::{Facts, Finding, Severity};
use crate::words::plural;
use serde_json::json;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let paused = facts
        .process
        .paused
        .as_ref()
        .filter(|paused| paused.abandoned);
    let Some(paused) = paused else {
        return Vec::new();
    };
    let dirs: Vec<_> = paused.dirs.iter().map(ToString::to_string).collect();
    let message = format!(
        "{} of this process in {} {} mute: `watchfix pause` muted {} for `{}`, and its guardian (PID {}), which ends the \
         pause, was killed. Changes there go unnoticed.",
        plural(paused.watches, "watch", "watches"),
        dirs.join(", "),
        if paused.watches == 1 { "is" } else { "are" },
        if paused.watches == 1 { "it" } else { "them" },
        paused.command,
        paused.guardian,
    );
    vec![Finding {
        code: "pause-abandoned",
        severity: Severity::Warning,
        message,
        evidence: json!({
            "since": paused.since,
            "until": paused.until,
            "uid": paused.uid,
            "guardian": paused.guardian,
            "dirs": paused.dirs,
            "command": paused.command,
            "watches": paused.watches,
        }),
        remedy: None,
        remedy_live: facts.remedies.release(facts.process, paused),
        change: None,
    }]
}

#[cfg(test)]
mod tests {
    use super::look;
    use crate::findings::fixture::Fixture;
    use crate::model::Paused;

    fn with(abandoned: bool) -> Fixture {
        let mut fixture = Fixture::new().with_watches(2, 0);
        fixture.process.paused = Some(Paused {
            since: "2026-11-28T08:00:00Z".into(),
            until: "2026-11-28T08:15:00Z".into(),
            uid: 1000,
            watches: 2,
            dirs: vec!["/srv/app".into()],
            command: "npm ci".into(),
            guardian: 7,
            abandoned,
            seconds: 0,
            until_seconds: 900,
        });
        fixture
    }

    #[test]
    fn a_pause_whose_guardian_was_killed_is_a_warning_with_the_command_that_ends_it() {
        let finding = with(true).only(look);
        assert_eq!(finding.code, "pause-abandoned");
        assert!(
            finding
                .message
                .contains("2 watches of this process in /srv/app are mute")
        );
        let remedy = finding.remedy_live.as_deref().unwrap();
        assert!(
            remedy.ends_with("watchfix pause --release /srv/app"),
            "{remedy}"
        );
    }

    #[test]
    fn a_pause_that_is_in_force_is_not_a_finding() {
        assert!(with(false).look(look).is_empty());
    }
}
