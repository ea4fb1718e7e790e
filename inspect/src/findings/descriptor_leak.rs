//! `descriptor-leak`: pipes, eventfds, inotify instances or similar descriptors are opened and not closed.
//!
//! Meaning: A program that works has no use for so many descriptors of one kind. At the limit, every open, accept and
//! watch fails.
//!
//! Evidence: `kind`, such as "pipe", "eventfd", "epoll", "timerfd", "pidfd", "memfd" or "inotify". `handles` is how
//! many are open; an inotify instance at two descriptors counts once. `soft_limit` is RLIMIT_NOFILE, `percent_of_limit`
//! their share of it. `growth` is null without `--for`, else it has `seconds` and how many `more` there were after them
//! (negative: fewer). Reported from 128 on. For pipes (unless 128 have both ends here), directories, devices and
//! other anonymous inodes the count is not enough: half of the soft limit must also be in use and no other kind be more
//! frequent, or `--for` must have seen 16 more. Inotify instances: from 64 on, or half of the user's limit.
//!
//! Severity: warning. If these are at least half of what `fd-limit-near` or `instance-limit-near` counts, the severity
//! is that of the limit finding. Info if `--for` saw none added and less than half of the limit is in use: they are
//! kept open.
//!
//! Remedy: no command closes descriptors from outside. A restart frees them. The program must close each one.
//!
//! Not to be confused with: files, SQLite databases and sockets, which have `file-handle-leak`, `sqlite-handle-leak`
//! and `socket-leak`. The pipes from a supervisor to its children, of which only one end each is here. `fd-limit-near`,
//! which a leak leads to.

use super::file_handle_leak::MANY;
use super::{Facts, Finding, growth, leak, limit};
use crate::model::{Kind, Process};
use crate::words::number;
use serde_json::json;
use std::collections::HashMap;

/// A user may have 128 inotify instances by default (fs/notify/inotify/inotify_user.c). One program that uses this many
/// leaves too few for the others.
const MANY_INSTANCES: usize = 64;
/// This many more during one look are more than the normal fluctuation of a program.
const GROWING: i64 = 16;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let Some(by_type) = &process.fds.by_type else {
        return Vec::new();
    };
    let mut found: Vec<_> = by_type
        .iter()
        .filter_map(|(&kind, &count)| {
            // An instance with two descriptors counts once.
            let count = match kind {
                Kind::Inotify => process.instances().count(),
                _ => count,
            };
            is_leak(facts, kind, count).then_some((kind, count))
        })
        .collect();
    found.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    found
        .into_iter()
        .map(|(kind, count)| finding(facts, kind, count))
        .collect()
}

fn is_leak(facts: &Facts<'_>, kind: Kind, count: usize) -> bool {
    match kind {
        // file-handle-leak, sqlite-handle-leak and socket-leak report these.
        Kind::File | Kind::Socket | Kind::Unknown => return false,
        Kind::Inotify => return is_half_of_instances(facts, count) || count >= MANY_INSTANCES,
        _ if count < MANY => return false,
        _ => {}
    }
    let by_number = match kind {
        // A supervisor has three pipe ends for each child. A process with both ends talks to itself: dovecot's does to
        // each of its services, by 81 pipes.
        Kind::Pipe => own_pipes(facts.process) >= MANY,
        Kind::Directory | Kind::CharDevice | Kind::BlockDevice | Kind::Anonymous => false,
        _ => true,
    };
    by_number || is_dominant(facts, count) || grows(facts.process, kind)
}

/// Whether these instances are more than one and at least half of those its user may have.
fn is_half_of_instances(facts: &Facts<'_>, count: usize) -> bool {
    let limit = facts.process.instances_account();
    let limit = limit.and_then(|usage| usage.max_instances);
    limit.is_some_and(|max| count > 1 && count as u64 * 2 >= max)
}

/// Whether half of the limit on descriptors is in use, and no kind has more than this one.
pub fn is_dominant(facts: &Facts<'_>, count: usize) -> bool {
    let fds = &facts.process.fds;
    let (Some(open), Some(limit)) = (fds.open, fds.soft_limit) else {
        return false;
    };
    let largest = fds.by_type.iter().flat_map(|kinds| kinds.values()).max();
    u128::from(open) * 2 >= u128::from(limit) && largest.is_none_or(|&most| count >= most)
}

/// Whether their number grew during the look.
pub fn grows(process: &Process, kind: Kind) -> bool {
    let growth = process.growth.as_ref();
    growth.is_some_and(|growth| growth.of_kind(kind) >= GROWING)
}

/// How many pipes have both ends here.
fn own_pipes(process: &Process) -> usize {
    let mut ends: HashMap<&[u8], usize> = HashMap::new();
    for pipe in process.descriptors.iter().filter(|d| d.kind == Kind::Pipe) {
        *ends.entry(pipe.target.as_bytes()).or_default() += 1;
    }
    ends.values().filter(|&&ends| ends >= 2).count()
}

/// The name of `count` of them.
pub fn named(kind: Kind, count: usize) -> &'static str {
    let (one, many) = match kind {
        Kind::File => ("file", "files"),
        Kind::Directory => ("directory", "directories"),
        Kind::Inotify => ("inotify instance", "inotify instances"),
        Kind::Socket => ("socket", "sockets"),
        Kind::Pipe => ("end of a pipe", "ends of pipes"),
        Kind::Epoll => ("epoll instance", "epoll instances"),
        Kind::Kqueue => ("kqueue", "kqueues"),
        Kind::Eventfd => ("eventfd", "eventfds"),
        Kind::Timerfd => ("timerfd", "timerfds"),
        Kind::Signalfd => ("signalfd", "signalfds"),
        Kind::Pidfd => ("pidfd", "pidfds"),
        Kind::Memfd => ("memfd", "memfds"),
        Kind::IoUring => ("io_uring instance", "io_uring instances"),
        Kind::Fanotify => ("fanotify group", "fanotify groups"),
        Kind::CharDevice => ("character device", "character devices"),
        Kind::BlockDevice => ("block device", "block devices"),
        Kind::Namespace => ("namespace", "namespaces"),
        Kind::Anonymous => ("other anonymous inode", "other anonymous inodes"),
        Kind::Unknown => ("unknown descriptor", "unknown descriptors"),
    };
    if count == 1 { one } else { many }
}

fn finding(facts: &Facts<'_>, kind: Kind, count: usize) -> Finding {
    let process = facts.process;
    let limit = process.fds.soft_limit;
    let percent = limit.filter(|&n| n > 0).map(|n| count as u64 * 100 / n);
    let of_user = match kind {
        Kind::Inotify => process.instances_account(),
        _ => None,
    };
    let share = match of_user.and_then(|usage| usage.max_instances) {
        Some(max) => format!(
            ", {} % of the {} its user may have",
            limit::percent(count as u64, max),
            number(max)
        ),
        None => percent.map_or_else(String::new, |p| format!(", {p} % of its limit")),
    };
    let grown = process.growth.as_ref().map(|growth| {
        let (more, ahead) = match kind {
            Kind::Inotify => (
                growth.instances.map_or(0, |change| change.by()),
                growth.limits.instances,
            ),
            _ => (growth.of_kind(kind), growth.limits.descriptors),
        };
        (growth.seconds, more, ahead)
    });
    let since = grown.map_or_else(String::new, |(seconds, more, ahead)| {
        growth::sentence(seconds, more, ahead)
    });
    // For instances, half of the user's limit is enough as well.
    let room = kind != Kind::Inotify || !is_half_of_instances(facts, count);
    let more = grown.map(|(_, more, _)| more);
    let kept = room && leak::is_kept(process, more);
    let why = match kind {
        Kind::Inotify if !kept => {
            " One instance has room for all watches of a program, so the program creates too many: a higher limit only delays the failure."
        }
        _ => "",
    };
    let leaked = leak::leaked(process, more);
    let leaked = format!(
        ": they are {leaked}.{why} No command closes them from outside. A restart frees them; to keep them from coming back, the program must close each one."
    );
    let (severity, judged) = leak::verdict(kept, &leaked, &since);
    Finding {
        code: "descriptor-leak",
        severity,
        message: format!(
            "{} {} are open at once{share}{judged}",
            number(count as u64),
            named(kind, count),
        ),
        evidence: json!({
            "kind": kind,
            "handles": count,
            "soft_limit": limit,
            "percent_of_limit": percent,
            "growth": grown.map(|(seconds, more, ahead)| growth::evidence(seconds, more, ahead)),
        }),
        remedy: None,
        remedy_live: None,
        change: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Severity;
    use crate::findings::fixture::Fixture;
    use crate::model::{Change, Growth};

    fn with(kind: Kind, count: usize, target: impl Fn(usize) -> String) -> Fixture {
        let mut fixture = Fixture::new();
        for n in 0..count {
            fixture = fixture.with_descriptor(kind, &target(n));
        }
        fixture.process.fds.open = Some(count as u64);
        fixture.process.fds.soft_limit = Some(4096);
        fixture
    }

    #[test]
    fn an_eighth_of_the_usual_limit_of_one_kind_is_a_leak() {
        for kind in [
            Kind::Epoll,
            Kind::Eventfd,
            Kind::Timerfd,
            Kind::Pidfd,
            Kind::Memfd,
        ] {
            let finding = with(kind, 128, |_| "anon_inode:[x]".into()).only(look);
            assert_eq!(finding.evidence["kind"], kind.name());
            assert!(with(kind, 127, |_| String::new()).look(look).is_empty());
        }
    }

    #[test]
    fn pipes_to_children_are_not_a_leak_and_pipes_to_itself_are_one() {
        let own = with(Kind::Pipe, 300, |n| format!("pipe:[{}]", n / 2));
        assert_eq!(own.only(look).evidence["handles"], 300);
        // dovecot's, idle.
        let few = with(Kind::Pipe, 162, |n| format!("pipe:[{}]", n / 2));
        assert!(few.look(look).is_empty());
        let mut children = with(Kind::Pipe, 300, |n| format!("pipe:[{n}]"));
        assert!(children.look(look).is_empty());
        children.process.growth = Some(Growth {
            kinds: [(Kind::Pipe, Change { from: 280, to: 300 })].into(),
            ..Growth::default()
        });
        assert_eq!(children.only(look).evidence["growth"]["more"], 20);
    }

    #[test]
    fn a_count_that_does_not_grow_is_kept_open_unless_half_of_a_limit_is_in_use() {
        let mut fixture = with(Kind::Eventfd, 200, |_| "anon_inode:[eventfd]".into());
        assert_eq!(fixture.only(look).severity, Severity::Warning);
        fixture.process.growth = Some(Growth::default());
        let finding = fixture.only(look);
        assert_eq!(finding.severity, Severity::Info);
        assert!(finding.message.ends_with("kept open and not leaked."));
        fixture.process.fds.soft_limit = Some(400);
        assert_eq!(fixture.only(look).severity, Severity::Warning);
    }

    #[test]
    fn the_kind_that_takes_half_of_the_limit_is_named() {
        let mut devices = with(Kind::CharDevice, 500, |_| "/dev/null".into());
        assert!(devices.look(look).is_empty());
        devices.process.fds.soft_limit = Some(1000);
        assert_eq!(devices.only(look).evidence["kind"], "char_device");
    }
}
