//! What the findings about limits share.

use super::{Facts, Finding, Remedies, Severity};
use crate::model::{Account, Change, LimitHolder, Name, Row, UnitShare, UserUsage};
use crate::words::number;

/// How many holders are named.
const HOLDERS: usize = 3;
/// From this percentage on, a burst such as a build or a test run does not fit any more.
const NEAR: u128 = 80;
/// From this percentage on, the next failure is a matter of minutes.
const ALMOST_FULL: u128 = 95;

/// How bad it is that `used` of `limit` are in use; `None` below [`NEAR`].
pub fn severity(used: u64, limit: u64) -> Option<Severity> {
    let (used, limit) = (u128::from(used) * 100, u128::from(limit));
    if used >= limit * ALMOST_FULL {
        Some(Severity::Critical)
    } else if used >= limit * NEAR {
        Some(Severity::Warning)
    } else {
        None
    }
}

/// `used` of `limit` in whole percent, rounded down.
pub fn percent(used: u64, limit: u64) -> u64 {
    let percent = u128::from(used) * 100 / u128::from(limit.max(1));
    u64::try_from(percent).unwrap_or(u64::MAX)
}

/// A process that has a tenth of what is in use contributes to the problem.
const PART: u64 = 10;

/// How bad it is for a process with `own` of the `used` that its user is near a limit: fully for a process that
/// contributes to it, a warning for one that meets it, and info for one that has none. A process that `uses` inotify
/// and has none has probably just met a full limit.
pub fn blame(own: u64, used: u64, limit: u64, uses: bool) -> Option<Severity> {
    let severity = severity(used, limit)?;
    Some(match own {
        0 if uses && used >= limit => Severity::Warning,
        0 => Severity::Info,
        own if own >= used.div_ceil(PART) => severity,
        _ => Severity::Warning,
    })
}

/// What it has at the end, if it was seen to take more.
pub fn with_growth(own: u64, grown: Option<Change>) -> u64 {
    own.max(grown.map_or(0, |change| change.to))
}

/// How much of a limit on `what` (`watches`, `instances`) is in use, as the beginning of a sentence: `used` of `max`,
/// `left` of them left, `own` of them in this process.
pub fn in_use(user: &UserUsage, what: &str, [used, max, left, own]: [u64; 4]) -> String {
    format!(
        "{} has {}{} of {} inotify {what} in use ({} %, {} left), {} of them in this process",
        user.account.to_string().replacen('u', "U", 1),
        if user.at_least { "at least " } else { "" },
        number(used),
        number(max),
        percent(used, max),
        number(left),
        number(own),
    )
}

/// The largest holders, as sentences, and how to list the others. Units come first, because a unit can be restarted or
/// given less.
pub fn holders(
    remedies: &Remedies,
    user: &UserUsage,
    what: &str,
    max: u64,
    of: fn(&LimitHolder) -> u64,
    of_unit: fn(&UnitShare) -> u64,
) -> String {
    let mut units: Vec<_> = user
        .units
        .iter()
        .map(|share| (share, of_unit(share)))
        .collect();
    units.retain(|&(_, count)| count > 0);
    units.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let units: Vec<_> = units
        .into_iter()
        .take(HOLDERS)
        .map(|(share, count)| format!("{}: {} of {}", share.unit, number(count), number(max)))
        .collect();
    let units = match units.as_slice() {
        [] => String::new(),
        units => format!(" By unit: {}.", units.join(", ")),
    };
    let all = user.holders.iter();
    let all = all.map(|holder| (holder.pid, holder.comm.as_ref(), of(holder)));
    units + &named(remedies, all, what)
}

/// The same, from what a pass over all processes has seen.
pub fn largest<'a>(
    remedies: &Remedies,
    rows: impl Iterator<Item = &'a Row>,
    what: &str,
    of: fn(&Row) -> Option<u64>,
) -> String {
    let all = rows.map(|row| (row.pid, row.comm.as_ref(), of(row).unwrap_or(0)));
    named(remedies, all, what)
}

fn named<'a>(
    remedies: &Remedies,
    all: impl Iterator<Item = (u32, Option<&'a Name>, u64)>,
    what: &str,
) -> String {
    let mut list: Vec<_> = all.filter(|&(.., count)| count > 0).collect();
    if list.is_empty() {
        return String::new();
    }
    list.sort_by_key(|&(.., count)| std::cmp::Reverse(count));
    let named: Vec<_> = list
        .into_iter()
        .take(HOLDERS)
        .map(|(pid, comm, count)| {
            let name = comm.map_or_else(|| "?".into(), Name::to_string);
            format!("{} of {name} (PID {pid})", number(count))
        })
        .collect();
    format!(
        " Most {what}: {}. {} lists all. If one of them leaks, ending it frees what it holds; a higher limit only buys time.",
        named.join(", "),
        remedies.mention(&format!("top --sort {what}")),
    )
}

/// Whether a finding is about what the process itself has. A user's limit is about a process that has a tenth of it.
pub fn is_of_process(finding: &Finding) -> bool {
    if !matches!(finding.code, "watch-limit-near" | "instance-limit-near") {
        return true;
    }
    let figure = |key: &str| {
        finding
            .evidence
            .get(key)
            .and_then(serde_json::Value::as_u64)
    };
    figure("own")
        .zip(figure("limit"))
        .is_some_and(|(own, limit)| percent(own, limit) >= 10)
}

/// The command that raises the limit of `account` on `what` to `wanted`. If fdscan itself is in a user namespace, the
/// lower limit may be `of_namespace`.
pub fn raise(
    facts: &Facts<'_>,
    account: Account,
    what: &str,
    of_namespace: bool,
    wanted: u64,
) -> String {
    let pid = facts.process.pid;
    match account.user_namespace {
        // A process reads these limits for its own namespace (namespaces(7)).
        Some(_) => format!(
            "nsenter --user --target {pid} --preserve-credentials sysctl user.max_inotify_{what}={wanted}"
        ),
        None if of_namespace => format!("sysctl user.max_inotify_{what}={wanted}"),
        // In a file, so that it survives the next boot (sysctl.d(5)).
        None => format!(
            "echo fs.inotify.max_user_{what}={wanted} >/etc/sysctl.d/60-inotify-{what}.conf && sysctl -p /etc/sysctl.d/60-inotify-{what}.conf"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_a_tenth_of_the_use_is_to_blame_and_one_without_any_is_not() {
        for uses in [false, true] {
            let blame = |own, used| blame(own, used, 1000, uses);
            assert_eq!(blame(0, 999), Some(Severity::Info));
            assert_eq!(blame(99, 1000), Some(Severity::Warning));
            assert_eq!(blame(100, 1000), Some(Severity::Critical));
            assert_eq!(blame(100, 850), Some(Severity::Warning));
            assert_eq!(blame(700, 700), None);
        }
    }

    #[test]
    fn a_process_that_uses_inotify_and_has_none_has_met_a_full_limit() {
        assert_eq!(blame(0, 1000, 1000, true), Some(Severity::Warning));
        assert_eq!(blame(0, 1000, 1000, false), Some(Severity::Info));
    }

    #[test]
    fn a_process_that_starts_to_take_it_during_the_look_is_to_blame_as_well() {
        let grown = |from, to| Some(Change { from, to });
        assert_eq!(with_growth(0, grown(0, 120)), 120);
        assert_eq!(with_growth(120, grown(120, 0)), 120);
        assert_eq!(with_growth(7, None), 7);
    }

    #[test]
    fn eighty_percent_is_a_warning_and_ninety_five_critical() {
        assert_eq!(severity(799, 1000), None);
        assert_eq!(severity(800, 1000), Some(Severity::Warning));
        assert_eq!(severity(949, 1000), Some(Severity::Warning));
        assert_eq!(severity(950, 1000), Some(Severity::Critical));
        assert_eq!(severity(u64::MAX, u64::MAX), Some(Severity::Critical));
    }
}
