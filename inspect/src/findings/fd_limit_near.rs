//! `fd-limit-near`: the process has few descriptors left before EMFILE.
//!
//! Meaning: At the limit every open, accept and watch of the process fails with EMFILE, "Too many open files".
//!
//! Evidence: `open` descriptors, `soft_limit` and `hard_limit` (RLIMIT_NOFILE), and how many are `left`. `growth` is
//! null without `--for`, else it has `seconds` and the count `from` and `to`. `seconds_left` is the time until the
//! limit at that rate. `by_type` counts descriptors by kind. `dominant` is the kind of more than half of them, or null.
//! One look decides.
//!
//! Severity: critical from 95 % of the soft limit, warning from 80 %.
//!
//! Remedy: `prlimit` raises the soft limit of the running process to the hard one. Against a leak that only buys time.
//! If both are equal there is no command: a restart with a higher limit, or fewer descriptors, helps.
//!
//! Not to be confused with: `instance-limit-near`, which fails with the same message although descriptors are left. The
//! limit of the whole system (fs.file-max), which fails with ENFILE. A leak finding beside this one names the cause:
//! end that first.

use super::growth::LimitForecast;
use super::{Facts, Finding, limit, named};
use crate::model::{Fds, Kind};
use crate::words::number;
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
    let forecast = LimitForecast::new(
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
        number(forecast.left),
    );
    message += &forecast.sentence("their number");
    let dominant = dominant(fds);
    if let Some((kind, count)) = dominant {
        message += &format!(
            " Most of them, {}, are {}: the program must close what it no longer needs, and a restart frees them{}.",
            number(count as u64),
            named(kind, count),
            if room.is_some() {
                "; a higher limit only buys time"
            } else {
                ""
            },
        );
    }
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
            "left": forecast.left,
            "growth": forecast.evidence(),
            "seconds_left": forecast.seconds_left,
            "by_type": fds.by_type,
            "dominant": dominant.map(|(kind, _)| kind),
        }),
        remedy: room.map(|hard| facts.remedies.raise_fd_limit(facts.process.pid, hard)),
        remedy_live: None,
        change: None,
    }]
}

/// The kind of more than half of its descriptors.
fn dominant(fds: &Fds) -> Option<(Kind, usize)> {
    let kinds = fds.by_type.iter().flatten();
    let (&kind, &count) = kinds.max_by_key(|&(_, count)| count)?;
    (count as u64 * 2 > fds.open?).then_some((kind, count))
}

#[cfg(test)]
mod tests {
    use crate::findings::fixture::Fixture;
    use crate::model::Kind;

    #[test]
    fn the_remedy_raises_the_soft_limit_to_the_hard_one() {
        let mut fixture = Fixture::new();
        fixture.process.fds.open = Some(900);
        fixture.process.fds.soft_limit = Some(1024);
        fixture.process.fds.hard_limit = Some(4096);
        let finding = fixture.only(super::look);
        let prlimit = "prlimit --pid 42 --nofile=4096:";
        assert_eq!(finding.remedy.as_deref(), Some(prlimit));
        assert!(finding.evidence["dominant"].is_null());
    }

    #[test]
    fn the_kind_of_most_descriptors_is_named_before_the_limit_is_raised() {
        let mut fixture = Fixture::new();
        fixture.process.fds.open = Some(900);
        fixture.process.fds.soft_limit = Some(1024);
        fixture.process.fds.hard_limit = Some(4096);
        fixture.process.fds.by_type = Some([(Kind::Pipe, 451), (Kind::File, 449)].into());
        let finding = fixture.only(super::look);
        assert_eq!(finding.evidence["dominant"], "pipe");
        let says = "Most of them, 451, are ends of pipes";
        let at = |part| finding.message.find(part).unwrap();
        assert!(at(says) < at("a higher limit only buys time"));
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
