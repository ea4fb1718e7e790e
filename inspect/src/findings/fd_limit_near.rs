//! `fd-limit-near`: the process has few descriptors left before EMFILE.

use super::growth::Outlook;
use super::{Facts, Finding, limit};
use crate::render::number;
use serde_json::json;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let fds = &facts.process.fds;
    let (Some(open), Some(soft)) = (fds.open, fds.soft_limit) else {
        return Vec::new();
    };
    let Some(severity) = limit::severity(open, soft) else {
        return Vec::new();
    };
    let room = fds.hard_limit.filter(|&hard| hard > soft);
    let growth = facts.process.growth.as_ref();
    let outlook = Outlook::new(
        open,
        soft,
        open,
        growth.map_or(0.0, |growth| growth.seconds),
        growth.and_then(|growth| growth.descriptors),
    );
    let mut message = format!(
        "{} of {} descriptors are open ({} %, {} left): at the limit every open, accept and watch fails with EMFILE, \"Too many open files\".",
        number(open),
        number(soft),
        limit::percent(open, soft),
        number(outlook.left),
    );
    message += &outlook.sentence("their number");
    if room.is_none() {
        message += " The soft limit is as high as the hard one: only a restart with a higher limit, or fewer descriptors, helps.";
    }
    vec![Finding {
        code: "fd-limit-near",
        severity,
        message,
        evidence: json!({
            "open": open,
            "soft_limit": soft,
            "hard_limit": fds.hard_limit,
            "left": outlook.left,
            "growth": outlook.evidence(),
            "seconds_left": outlook.seconds_left,
            "by_type": fds.by_type,
        }),
        remedy: room.map(|hard| facts.remedies.raise_fd_limit(facts.process.pid, hard)),
        remedy_live: None,
    }]
}

#[cfg(test)]
mod tests {
    use crate::findings::fixture::Fixture;

    #[test]
    fn the_remedy_raises_the_soft_limit_to_the_hard_one() {
        let mut fixture = Fixture::new();
        fixture.process.fds.open = Some(900);
        fixture.process.fds.soft_limit = Some(1024);
        fixture.process.fds.hard_limit = Some(4096);
        let finding = fixture.only(super::look);
        assert_eq!(
            finding.remedy.as_deref(),
            Some("prlimit --pid 42 --nofile=4096:")
        );
    }

    #[test]
    fn no_remedy_is_invented_where_the_hard_limit_is_reached() {
        let mut fixture = Fixture::new();
        fixture.process.fds.open = Some(1000);
        fixture.process.fds.soft_limit = Some(1024);
        fixture.process.fds.hard_limit = Some(1024);
        assert_eq!(fixture.only(super::look).remedy, None);
    }

    #[test]
    fn a_process_with_room_has_no_finding() {
        let mut fixture = Fixture::new();
        fixture.process.fds.open = Some(700);
        fixture.process.fds.soft_limit = Some(1024);
        assert!(fixture.look(super::look).is_empty());
    }
}
