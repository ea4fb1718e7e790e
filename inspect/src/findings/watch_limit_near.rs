//! `watch-limit-near`: the user has few inotify watches left before ENOSPC.
//!
//! Meaning: At the limit every new watch of any process of the user fails with ENOSPC, "No space left on device",
//! although the disk has room.
//!
//! Evidence: `uid` and `user_namespace` (its number, null for fdscan's own). `watches` in use; `at_least` says that
//! some processes could not be read. `limit`, how many are `left`, and this process's `own`. `own_inodes` is how many
//! files and directories those are on, null if watches were only counted. `units` are the containers, pods and systemd
//! units that hold them. `growth` is null without `--for`, else it has `seconds` and this process's count
//! `from` and `to`. `seconds_left` is the time until the limit at that rate. After a command of `fdscan check` that
//! failed at the limit, only `uid`, `watches` and `limit` are there.
//!
//! Severity: critical from 95 % and warning from 80 % for a process that has a tenth of them. At most a warning for one
//! that has fewer, info for one that has none. `fdscan top` reports it for processes that have a tenth of the limit. A
//! failed command is critical.
//!
//! Remedy: a line in /etc/sysctl.d that doubles fs.inotify.max_user_watches, to at least 524,288. In another user
//! namespace, `sysctl` there. If a process leaks them, ending it frees them; a higher limit only buys time.
//!
//! Not to be confused with: a full disk, which fails with the same message. `instance-limit-near`, which fails with
//! EMFILE. A queue that overflows (fs.inotify.max_queued_events) loses events and is not reported here.

use super::growth::LimitForecast;
use super::{Facts, Finding, limit};
use crate::model::{Instance, Process};
use crate::words::plural;
use serde_json::json;
use std::collections::HashSet;

/// The kernel's own default if there is enough memory (fs/notify/inotify/inotify_user.c allows up to 1,048,576), and
/// what editors recommend.
const SENSIBLE: u64 = 524_288;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(user) = facts.process.watches_account() else {
        return Vec::new();
    };
    let Some(max) = user.max_watches else {
        return Vec::new();
    };
    let Some(watches) = user.watches else {
        return Vec::new();
    };
    // A process without an instance has no use for watches.
    if facts.process.inotify.is_empty() {
        return Vec::new();
    }
    let own = facts.process.instances().map(|i| i.watch_count);
    let own: usize = own.sum();
    let growth = facts.process.growth.as_ref();
    let grown = growth.and_then(|growth| growth.watches);
    let blamed = limit::with_growth(own as u64, grown);
    let Some(severity) = limit::blame(blamed, watches, max, true) else {
        return Vec::new();
    };
    let forecast = LimitForecast::new(
        watches,
        max,
        own as u64,
        growth.map_or(0.0, |growth| growth.seconds),
        grown,
    );
    let mut message = limit::in_use(user, "watches", [watches, max, forecast.left, own as u64]);
    message += ": at the limit every new watch fails with ENOSPC, \"No space left on device\", although the disk has room.";
    let inodes = inodes(facts.process);
    if let Some(inodes) = inodes.filter(|&inodes| own >= 2 * inodes) {
        message += &format!(
            " They are on {} watched {:.1} times on average, by different instances.",
            plural(inodes, "file or directory,", "files and directories, each"),
            own as f64 / inodes.max(1) as f64,
        );
    }
    message += &forecast.sentence("their number in this process");
    message += &limit::holders(
        facts.remedies,
        user,
        "watches",
        max,
        |holder| holder.watches,
        |unit| unit.watches,
    );
    let wanted = SENSIBLE.max(max.saturating_mul(2));
    vec![Finding {
        code: "watch-limit-near",
        severity,
        message,
        evidence: json!({
            "uid": user.account.uid,
            "user_namespace": user.account.user_namespace,
            "watches": watches,
            "at_least": user.at_least,
            "limit": max,
            "own": own,
            "own_inodes": inodes,
            "left": forecast.left,
            "units": user.units,
            "growth": forecast.evidence(),
            "seconds_left": forecast.seconds_left,
        }),
        remedy: Some(limit::raise(
            facts,
            user.account,
            "watches",
            facts.limits.watches_of_namespace,
            wanted,
        )),
        remedy_live: None,
        change: None,
    }]
}

/// How many files and directories its watches are on. An instance has at most one watch on each, so more watches than
/// that belong to several instances. `None` if watches were only counted.
fn inodes(process: &Process) -> Option<usize> {
    let listed = |instance: &Instance| instance.watches.len() == instance.watch_count;
    if !process.instances().all(listed) {
        return None;
    }
    let watches = process.instances().flat_map(|instance| &instance.watches);
    let inodes: HashSet<_> = watches
        .map(|watch| (watch.device.0, watch.inode, watch.handle))
        .collect();
    (!inodes.is_empty()).then_some(inodes.len())
}

#[cfg(test)]
mod tests {
    use crate::findings::fixture::Fixture;
    use crate::model::{Account, UserUsage};

    fn usage(user_namespace: Option<u64>) -> UserUsage {
        UserUsage {
            account: Account {
                user_namespace,
                uid: 5,
            },
            watches: Some(900),
            instances: 1,
            at_least: true,
            max_watches: Some(1000),
            max_instances: None,
            holders: Vec::new(),
            units: Vec::new(),
        }
    }

    #[test]
    fn a_lower_bound_is_reported_as_one() {
        let mut fixture = Fixture::new().with_watches(100, 0x2);
        fixture.process.is_charged_to(vec![usage(None)]);
        let finding = fixture.only(super::look);
        assert!(
            finding.message.contains("at least 900 of 1,000"),
            "{}",
            finding.message
        );
        assert_eq!(
            finding.remedy.as_deref(),
            Some(
                "echo fs.inotify.max_user_watches=524288 >/etc/sysctl.d/60-inotify-watches.conf && sysctl -p /etc/sysctl.d/60-inotify-watches.conf"
            )
        );
    }

    #[test]
    fn a_limit_is_raised_where_it_is_set() {
        let mut fixture = Fixture::new().with_watches(100, 0x2);
        fixture.process.is_charged_to(vec![usage(Some(4026532178))]);
        let finding = fixture.only(super::look);
        assert!(
            finding
                .message
                .starts_with("User 5 of user namespace 4026532178 has at least 900 of 1,000 "),
            "{}",
            finding.message
        );
        assert_eq!(
            finding.remedy.as_deref(),
            Some(
                "nsenter --user --target 42 --preserve-credentials sysctl user.max_inotify_watches=524288"
            )
        );

        // fdscan in that namespace itself.
        fixture.process.is_charged_to(vec![usage(None)]);
        fixture.limits.watches_of_namespace = true;
        assert_eq!(
            fixture.only(super::look).remedy.as_deref(),
            Some("sysctl user.max_inotify_watches=524288")
        );
    }

    #[test]
    fn the_inodes_that_several_instances_watch_are_counted_once() {
        let mut fixture = Fixture::new();
        fixture.process.is_charged_to(vec![usage(None)]);
        for (inode, sentence) in [
            (
                77,
                "They are on 1 file or directory, watched 3.0 times on average, by",
            ),
            (
                78,
                "They are on 2 files and directories, each watched 3.0 times on average, by",
            ),
        ] {
            for wd in [1, 2, 3] {
                fixture = fixture.with_watch(wd, inode, 0x2, None);
            }
            let finding = fixture.only(super::look);
            assert_eq!(finding.evidence["own_inodes"], inode - 76);
            assert!(finding.message.contains(sentence), "{}", finding.message);
        }

        let counted = Fixture::new().with_watches(900, 0x2);
        fixture.process.inotify = counted.process.inotify;
        let finding = fixture.only(super::look);
        assert!(finding.evidence["own_inodes"].is_null());
    }
}
