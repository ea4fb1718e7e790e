//! `watch-limit-near`: the user has few watches left before ENOSPC.

use super::growth::Outlook;
use super::{Facts, Finding, limit};
use crate::render::number;
use serde_json::json;

/// The kernel's own default where there is memory enough (fs/notify/inotify/inotify_user.c allows up to
/// 1,048,576), and what editors recommend.
const SENSIBLE: u64 = 524_288;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let (Some(user), Some(max)) = (&facts.process.user, facts.limits.max_user_watches) else {
        return Vec::new();
    };
    let Some(watches) = user.watches else {
        return Vec::new();
    };
    let Some(severity) = limit::severity(watches, max) else {
        return Vec::new();
    };
    let own: usize = facts
        .process
        .inotify
        .iter()
        .filter(|instance| instance.same_instance_as.is_none())
        .map(|instance| instance.watch_count)
        .sum();
    let growth = facts.process.growth.as_ref();
    let outlook = Outlook::new(
        watches,
        max,
        own as u64,
        growth.map_or(0.0, |growth| growth.seconds),
        growth.and_then(|growth| growth.watches),
    );
    let mut message = format!(
        "User {} has {}{} of {} inotify watches in use ({} %, {} left), {} of them in this process: at the limit every new watch fails with ENOSPC, \"No space left on device\", though the disk has room.",
        user.uid,
        if user.at_least { "at least " } else { "" },
        number(watches),
        number(max),
        limit::percent(watches, max),
        number(outlook.left),
        number(own as u64),
    );
    message += &outlook.sentence("their number in this process");
    let wanted = SENSIBLE.max(max.saturating_mul(2));
    vec![Finding {
        code: "watch-limit-near",
        severity,
        message,
        evidence: json!({
            "uid": user.uid,
            "watches": watches,
            "at_least": user.at_least,
            "limit": max,
            "own": own,
            "left": outlook.left,
            "growth": outlook.evidence(),
            "seconds_left": outlook.seconds_left,
        }),
        remedy: Some(format!("sysctl fs.inotify.max_user_watches={wanted}")),
        remedy_live: None,
    }]
}

#[cfg(test)]
mod tests {
    use crate::findings::fixture::Fixture;
    use crate::model::UserUsage;

    #[test]
    fn a_sum_that_is_a_lower_bound_is_said_to_be_one() {
        let mut fixture = Fixture::new();
        fixture.limits.max_user_watches = Some(1000);
        fixture.process.user = Some(UserUsage {
            uid: 5,
            watches: Some(900),
            instances: 1,
            at_least: true,
        });
        let finding = fixture.only(super::look);
        assert!(
            finding.message.contains("at least 900 of 1,000"),
            "{}",
            finding.message
        );
        assert_eq!(
            finding.remedy.as_deref(),
            Some("sysctl fs.inotify.max_user_watches=524288")
        );
    }
}
