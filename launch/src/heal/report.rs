//! What is said to the person who asked.

use super::follow::End;
use super::pass::{Done, Failed, Pass};
use super::plan::{By, Change};
use super::undo::Undone;
use inspect::gather::{comm_of, watching_below};
use inspect::model::{Mask, Name};
use inspect::words::{agree, list_words, number, plural, sanitize};
use rules::event;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Watches named of each kind that could not be changed.
const NAMED: usize = 5;

/// Lines, each with its newline.
#[derive(Default)]
pub struct Lines(pub String);

impl Lines {
    pub fn add(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = fmt::Write::write_fmt(&mut self.0, line);
        self.0.push('\n');
    }
}

/// That a process it has started watches something.
fn below(pid: u32) -> String {
    let Some((child, more)) = watching_below(pid) else {
        return String::new();
    };
    let name = comm_of(child).map_or_else(|| "?".into(), |comm| comm.to_string());
    let more = match more {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!(", but {name} (PID {child}), which it has started, has{more}: watchfix heal {child}")
}

/// What healing came to.
pub fn healed(pid: u32, pass: &Pass, took: Duration) -> String {
    let mut lines = Lines::default();
    match pass.watches {
        0 if pass.left.is_empty() => lines.add(format_args!(
            "nothing to heal: process {pid} has no inotify watches{}",
            below(pid)
        )),
        0 => {}
        all if pass.done.is_empty() && pass.failed.is_empty() => lines.add(format_args!(
            "nothing to heal: {} of process {pid} had the right mask already",
            plural(all, "watch", "watches")
        )),
        all => {
            lines.summary("healed", pass.good(), all, pass, took);
            lines.settled(pass);
            let done = pass
                .done
                .iter()
                .map(|done| (&done.change, done.path.as_ref()));
            lines.silenced("hears nothing now", "hear nothing now", done);
        }
    }
    lines.still_woken(pass);
    lines.rest(pass);
    lines.0
}

/// What could not be done, and nothing if all was.
pub fn not_done(pass: &Pass) -> String {
    let mut lines = Lines::default();
    lines.rest(pass);
    lines.0
}

/// What undoing came to.
pub fn undone(pid: u32, undone: &Undone, took: Duration) -> String {
    let mut lines = Lines::default();
    let pass = &undone.pass;
    if undone.watches == 0 {
        lines.add(format_args!(
            "nothing to undo: no watch that was healed is left in process {pid}"
        ));
    } else {
        lines.summary("restored", undone.good(), undone.watches, pass, took);
    }
    if undone.changed_since > 0 {
        let them = agree(undone.changed_since as u64, "it", "them");
        lines.add(format_args!(
            "left alone: {}, whose mask is not the one heal had set: the process placed {them} anew, or another user \
             healed {them} too (then undo this one again after that one)",
            plural(undone.changed_since, "watch", "watches"),
        ));
    }
    lines.rest(pass);
    lines.0
}

/// How following ended.
pub fn followed(pid: u32, end: End, healed: usize) -> String {
    let why = match end {
        End::Process => format!("process {pid} has ended"),
        End::Asked => format!("process {pid} is followed no longer"),
    };
    let watches = plural(healed, "watch was", "watches were");
    format!("{why}: {watches} healed in all\n")
}

/// A change, for the log.
pub fn decision(done: &Done) -> String {
    let Change { wd, before, by, .. } = done.change;
    let path = done.path.as_ref().map_or("?".into(), ToString::to_string);
    format!(
        "fd {}, wd {wd}, {path}: mask {} -> {}{}",
        done.fd,
        Mask(before),
        Mask(done.change.shown()),
        reason(by)
    )
}

/// Changes that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    before: u32,
    after: u32,
    by: By,
}

impl Group {
    pub fn of(change: &Change) -> Group {
        Group {
            before: change.before,
            after: change.shown(),
            by: change.by,
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (Mask(self.before), Mask(self.after));
        write!(f, "{before} -> {after}{}", reason(self.by))
    }
}

/// Why a watch is changed, where that is more than its mask says.
fn reason(by: By) -> &'static str {
    match by {
        By::Strip | By::Undo | By::Pause => "",
        By::Settle => ", settled",
        By::Drop => ", muted: --drop",
        By::Ignore => ", muted: on an ignored file",
        By::Budget => ", muted: beyond --max-watches",
    }
}

impl Lines {
    fn summary(&mut self, verb: &str, good: usize, of: usize, pass: &Pass, took: Duration) {
        let mut groups: BTreeMap<Group, usize> = BTreeMap::new();
        for done in &pass.done {
            *groups.entry(Group::of(&done.change)).or_insert(0) += 1;
        }
        let good = number(good as u64);
        let of = plural(of, "watch", "watches");
        let took = milliseconds(took);
        let mut groups: Vec<_> = groups.into_iter().collect();
        if let [(only, _)] = groups.as_slice() {
            self.add(format_args!("{verb} {good} of {of}, {only}, in {took}"));
            return;
        }
        self.add(format_args!("{verb} {good} of {of} in {took}"));
        groups.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        for (group, count) in groups {
            self.add(format_args!("  {:>8}  {group}", number(count as u64)));
        }
    }

    /// What settling means, and where it is so.
    fn settled(&mut self, pass: &Pass) {
        let settled = || pass.done.iter().filter(|done| done.change.settles());
        let Some(first) = settled().next() else {
            return;
        };
        let mut place = first
            .path
            .as_ref()
            .map_or("?".into(), |path| sanitize(&path.to_string()).into_owned());
        match settled().count() - 1 {
            0 => {}
            more => place += &format!(" and {} more", number(more as u64)),
        }
        self.add(format_args!(
            "settled {place}: a file there is reported when it is closed, not at every write; a \
             program that ignores close_write notices new and replaced files only"
        ));
    }

    /// Which watches asked for nothing but what was, or would be, taken out.
    pub fn silenced<'a>(
        &mut self,
        one: &str,
        several: &str,
        changes: impl Iterator<Item = (&'a Change, Option<&'a Name>)>,
    ) {
        let silenced: Vec<_> = changes.filter(|(change, _)| change.silences()).collect();
        let Some((_, first)) = silenced.first() else {
            return;
        };
        let asked = silenced
            .iter()
            .fold(0, |all, (change, _)| all | change.before);
        let asked: Vec<_> = event::names(asked & event::ALL_EVENTS).collect();
        let asked = list_words(&asked, "or");
        let mut place = first.map_or_else(
            || "?".into(),
            |path| sanitize(&path.to_string()).into_owned(),
        );
        if let Some(more @ 1..) = silenced.len().checked_sub(1) {
            place += &format!(" and {} more", number(more as u64));
        }
        let count = silenced.len() as u64;
        self.add(format_args!(
            "{} ({place}) {} for nothing but {asked}, and {}. A program that watches that on purpose needs {}: \
             --strip none leaves such events in the masks, and --undo gives them back",
            plural(silenced.len(), "watch", "watches"),
            agree(count, "asks", "ask"),
            agree(count, one, several),
            agree(count, "it", "them"),
        ));
    }

    /// What no mask ends, and what does: one start for all.
    fn still_woken(&mut self, pass: &Pass) {
        let writes = "If the process writes to it when that wakes it, only";
        for woken in &pass.still_woken {
            let why = sanitize(&woken.why).into_owned();
            match &woken.next_start {
                Some(_) => self.add(format_args!(
                    "still woken: {why}. {writes} another start ends the loop:"
                )),
                None => self.add(format_args!(
                    "still woken: {why}. {writes} a database in WAL mode, or elsewhere, ends the loop: names cannot be \
                     filtered in this program"
                )),
            }
        }
        let starts = pass.still_woken.iter();
        if let Some(command) = starts.filter_map(|woken| woken.next_start.as_ref()).next() {
            self.add(format_args!("    {}", sanitize(command)));
        }
    }

    fn rest(&mut self, pass: &Pass) {
        if pass.vanished > 0 {
            let watches = plural(pass.vanished, "watch", "watches");
            self.add(format_args!(
                "{watches} went while being changed: the process removed {}, or what {} on is gone",
                agree(pass.vanished as u64, "it", "them"),
                agree(pass.vanished as u64, "it was", "they were"),
            ));
        }
        if pass.unjudged > 0 {
            let watches = plural(pass.unjudged, "watch", "watches");
            self.add(format_args!(
                "{watches} without a known path: --drop and --settle could not be applied there"
            ));
        }
        for thread in &pass.left {
            self.add(format_args!(
                "not changed: the watches of thread {thread}, which has descriptors of its own: before Linux 6.9 the \
                 kernel hands out those of a main thread only"
            ));
        }
        self.not_done("not changed", &pass.failed);
    }

    pub fn not_done(&mut self, verb: &str, failed: &[Failed]) {
        let mut reasons: BTreeMap<&str, Vec<&Failed>> = BTreeMap::new();
        for one in failed {
            reasons.entry(&one.why).or_default().push(one);
        }
        for (why, list) in reasons {
            let watches = plural(list.len(), "watch", "watches");
            self.add(format_args!("{verb}: {watches}: {why}"));
            for one in list.iter().take(NAMED) {
                let (wd, mask) = (one.change.wd, Mask(one.change.before));
                self.add(format_args!(
                    "    wd {wd}  {mask}  {}",
                    sanitize(&one.place)
                ));
            }
            if let Some(more @ 1..) = list.len().checked_sub(NAMED) {
                self.add(format_args!("    and {} more", number(more as u64)));
            }
        }
    }
}

fn milliseconds(took: Duration) -> String {
    match took.as_secs_f64() * 1000.0 {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms => format!("{ms:.0} ms"),
    }
}
