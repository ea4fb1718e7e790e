//! How to start a program again, with the rules that help.

use super::Remedies;
use super::quote::{quote, quote_bytes};
use super::words::{added, command_line, patterns, variables};
use crate::model::{Attrib, Process, Restart};
use rules::rule::Rule;
use rules::watch::read_numbers;

const LIBRARY: &str = "libwatchfix.so";

impl Remedies {
    /// Starts the program again with these rules: with the preload if it is dynamic, else (also if that is not known)
    /// under `watchfix run`, which works for every program. `None` if that would not help.
    pub fn start(&self, process: &Process, start: &Restart) -> Option<String> {
        let preload = self.preload(process).filter(|_| !start.by_run);
        if !self.helps(process, start) {
            return None;
        }
        let rules = self.rules(process, start);
        Some(match preload {
            Some(preload) => {
                let variables = variables(process, &rules);
                self.started(process, &format!("{variables}{preload} "), "")?
            }
            None => {
                let without: Vec<_> = rules.iter().map(|&(rule, _)| (rule, Vec::new())).collect();
                let flags = rules.iter().filter_map(|(rule, value)| {
                    Some(format!("{} {} ", rule.flag()?, quote_bytes(value)))
                });
                let flags: String = flags.collect();
                self.supervised(process, &variables(process, &without), &flags)?
            }
        })
    }

    /// Whether such a start changes what has to change: engines that only see masks cannot ignore names.
    pub fn helps(&self, process: &Process, start: &Restart) -> bool {
        !start.by_name || self.sees_names(process, start)
    }

    /// What such a start adds to the rules in force, by rule.
    fn rules(&self, process: &Process, start: &Restart) -> Vec<(Rule, Vec<u8>)> {
        let names = self.sees_names(process, start);
        let mut settle = start.settle.clone();
        if !names {
            let more = start.instead.iter();
            settle.extend(more.filter(|dir| !start.settle.contains(dir)).cloned());
        }
        let ignore = if names { &start.ignore[..] } else { &[] };
        let attrib = match start.attrib {
            Attrib::Out => true,
            Attrib::OutOfMasks => !names,
            Attrib::Judged => false,
        };
        let strip = if attrib { &b"attrib"[..] } else { b"" };
        let all = [
            (Rule::Strip, strip.to_vec()),
            (Rule::Drop, patterns(&start.drop)),
            (Rule::Ignore, patterns(ignore)),
            (Rule::Settle, patterns(&settle)),
        ];
        let all = all.into_iter().filter(|(_, new)| !new.is_empty());
        all.map(|(rule, new)| (rule, added(process, rule, &new)))
            .collect()
    }

    /// Whether names are seen from such a start on: by the library, or by a supervisor that judges what is read.
    fn sees_names(&self, process: &Process, start: &Restart) -> bool {
        let library = self.loads_by_run(process) || self.system().library.is_some();
        process.is_reached_by_library() && !start.by_run && library || self.judges_reads(process)
    }

    /// Whether `watchfix run` judges what the process reads, as it is now: it does where reads do not wait.
    fn judges_reads(&self, process: &Process) -> bool {
        let system = self.system();
        let limit = process.fds.soft_limit.unwrap_or(u64::MAX);
        let numbers = read_numbers(u32::try_from(limit).unwrap_or(u32::MAX));
        let watching = || process.instances().filter(|i| i.watch_count > 0);
        system.watchfix.is_some()
            && system.judges_reads
            && self.cannot_supervise().is_none()
            && (1..=numbers.len()).contains(&watching().count())
            && watching().all(|instance| instance.waits == Some(false))
    }

    /// Whether `watchfix run` starts it, which loads the library itself, and also reaches programs that the library
    /// does not.
    fn loads_by_run(&self, process: &Process) -> bool {
        process.supervised && self.system().watchfix.is_some()
    }

    /// Starts the program again under `watchfix run`.
    fn supervised(&self, process: &Process, variables: &str, flags: &str) -> Option<String> {
        let watchfix = self.system().watchfix.as_ref()?;
        if !process.is_reached_by_library() && self.cannot_supervise().is_some() {
            return None;
        }
        let watchfix = match self.is_anothers(process) {
            true => quote(&watchfix.path),
            false => watchfix.word("watchfix"),
        };
        self.started(process, variables, &format!("{watchfix} run {flags}-- "))
    }

    /// A start in the working directory of the process, as its user. `variables` and what comes `before` the command
    /// end in a blank.
    fn started(&self, process: &Process, variables: &str, before: &str) -> Option<String> {
        let anothers = self.is_anothers(process);
        let command = command_line(process, anothers)?;
        let dir = process.surroundings.cwd.as_ref().filter(|dir| {
            let path = dir.as_bytes();
            // proc_pid_cwd(5): the suffix of a removed directory.
            path.starts_with(b"/") && path != b"/" && !path.ends_with(b" (deleted)")
        });
        let command = format!("{variables}{before}{command}");
        if anothers {
            let owner = self.as_owner(process.uid?, Some(process))?;
            return Some(owner.starts(dir, &command));
        }
        Some(match dir {
            Some(dir) => format!("cd {} && {command}", quote(dir)),
            None => command,
        })
    }

    /// Whether a start must run as another user: pasted as it is, it would run as the user who pastes it.
    pub(super) fn is_anothers(&self, process: &Process) -> bool {
        process.uid.is_some_and(|uid| uid != self.system().person)
    }

    /// `LD_PRELOAD=` with the library, followed by what the process already preloads. `None` if that does not reach it,
    /// or if `watchfix run` does it.
    fn preload(&self, process: &Process) -> Option<String> {
        let library = self.system().library.as_ref();
        let library =
            library.filter(|_| process.is_reached_by_library() && !self.loads_by_run(process))?;
        // The library may be in a home directory, whose name may be anything.
        let mut list = library.shown().into_owned();
        let others = process.preload.requested.iter().flatten();
        for other in others.filter(|entry| entry.base() != LIBRARY.as_bytes()) {
            list.push(b':');
            list.extend_from_slice(&other.shown());
        }
        Some(format!("LD_PRELOAD={}", quote_bytes(&list)))
    }
}
