//! `instance-limit-near`: the user has few inotify instances left before EMFILE.
//!
//! Meaning: At the limit inotify_init fails for every process of the user with EMFILE, "Too many open files", although
//! descriptors are left. The kernel's default is 128 instances for each user.
//!
//! Evidence: `uid` and `user_namespace` (its number, null for fdscan's own). `instances` in use; `at_least` says that
//! some processes could not be read. `limit`, how many are `left`, and this process's `own`. `units` are the
//! containers, pods and systemd units that hold them. `growth` is null without `--for`, else it has `seconds` and this
//! process's count `from` and `to`. `seconds_left` is the time until the limit at that rate. After a command of `fdscan
//! check` that failed at the limit, only `uid`, `instances` and `limit` are there.
//!
//! Severity: critical from 95 % and warning from 80 % for a process that has a tenth of them. At most a warning for one
//! that has fewer, info for one that has none. `fdscan top` reports it for processes that have a tenth of the limit. A
//! failed command is critical.
//!
//! Remedy: a line in /etc/sysctl.d that doubles fs.inotify.max_user_instances, to at least 1,024. In another user
//! namespace, `sysctl` there. None if the process itself has half of the limit: a restart frees those, and a higher
//! limit would only let it take more.
//!
//! Not to be confused with: `fd-limit-near`, which fails with the same message. `watch-limit-near`, which fails with
//! ENOSPC. An instance with several descriptors counts once.

use super::growth::LimitForecast;
use super::{Facts, Finding, limit};
use serde_json::json;

/// Eight times the kernel's default of 128: enough for a desktop with an editor, a browser and
/// containers. An instance costs little memory.
const SENSIBLE: u64 = 1024;

/// A program that works may always have this many.
const FEW: u64 = 8;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(user) = facts.process.instances_account() else {
        return Vec::new();
    };
    let Some(max) = user.max_instances else {
        return Vec::new();
    };
    let own = facts.process.instances().count() as u64;
    let growth = facts.process.growth.as_ref();
    let grown = growth.and_then(|growth| growth.instances);
    let uses = !facts.process.inotify.is_empty();
    let blamed = limit::with_growth(own, grown);
    let Some(severity) = limit::blame(blamed, user.instances, max, uses) else {
        return Vec::new();
    };
    let forecast = LimitForecast::new(
        user.instances,
        max,
        own,
        growth.map_or(0.0, |growth| growth.seconds),
        grown,
    );
    let mut message = limit::in_use(user, "instances", [user.instances, max, forecast.left, own]);
    message += ": at the limit inotify_init fails with EMFILE, \"Too many open files\", although descriptors are left.";
    message += &forecast.sentence("their number in this process");
    message += &limit::holders(
        facts.remedies,
        user,
        "instances",
        max,
        |holder| holder.instances,
        |unit| unit.instances,
    );
    // A program that creates one instance after another exhausts any limit.
    let leaks = own >= (max / 2).max(FEW);
    if leaks {
        message += " It has most of them itself: a restart frees those, and a higher limit would only let it take more.";
    }
    let wanted = SENSIBLE.max(max.saturating_mul(2));
    vec![Finding {
        code: "instance-limit-near",
        severity,
        message,
        evidence: json!({
            "uid": user.account.uid,
            "user_namespace": user.account.user_namespace,
            "instances": user.instances,
            "at_least": user.at_least,
            "limit": max,
            "own": own,
            "left": forecast.left,
            "units": user.units,
            "growth": forecast.evidence(),
            "seconds_left": forecast.seconds_left,
        }),
        remedy: (!leaks).then(|| {
            let of_namespace = facts.limits.instances_of_namespace;
            limit::raise(facts, user.account, "instances", of_namespace, wanted)
        }),
        remedy_live: None,
        change: None,
    }]
}

#[cfg(test)]
mod tests {
    use crate::findings::fixture::Fixture;
    use crate::model::Severity;
    use crate::model::{Account, UserUsage};

    #[test]
    fn a_full_limit_is_info_for_a_process_without_instances() {
        let mut fixture = Fixture::new();
        fixture.process.user = Some(UserUsage {
            account: Account {
                user_namespace: None,
                uid: 5,
            },
            watches: None,
            instances: 128,
            at_least: false,
            max_watches: None,
            max_instances: Some(128),
            holders: Vec::new(),
            units: Vec::new(),
        });
        let finding = fixture.only(super::look);
        assert_eq!(finding.severity, Severity::Info);
        assert_eq!(finding.evidence["own"], 0);
    }
}
