//! `watchfix heal`: the masks of a running process are changed in place.
//!
//! ```text
//! [target] a pidfd, and a copy of every inotify instance
//!    |      watches, paths and databases are read by fdscan's library
//! [plan]   the rules say what each mask becomes
//!    |
//! [apply]  the same inode is watched again through the copy: same wd, new mask
//!    |
//! [pass]   ... until a look finds nothing left to change
//!    |
//! [report]
//! ```

mod again;
mod apply;
mod document;
mod exit;
mod follow;
mod pass;
mod paused;
mod plan;
mod planned;
mod record;
mod refused;
mod report;
mod runtime;
mod target;
mod undo;
mod voice;

use crate::cli::HealArgs;
use crate::complaint::{USAGE, complain, complain_plainly};
use crate::run::Log;
use crate::settings::Settings;
use crate::sys::inotify;
pub use apply::{Outcome, Stray, change_again, change_in_place, remove_strays};
use document::OfProcess;
use exit::Exit;
use inspect::findings::{Remedies, still_woken};
use inspect::gather::{Gaps, ProcessHandle};
use inspect::output;
use pass::Pass;
pub use pass::{Stopped, run_with as make_pass};
use paused::paused;
pub use plan::{By, Change, SHOWN};
use record::Record;
pub use refused::Refused;
use rules::event::{DELETE_SELF, ONESHOT};
use rules::rule::Problem;
use rules::{Rule, Rules};
pub use runtime::Runtime;
use std::fs::File;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};
pub use target::Target;
use voice::{Answer, Voice};

/// Said to who asks for it. The default has the word as well, and need not be told what nobody expects.
const CHMOD_STAYS: &str = "chmod: masks cannot tell it from touch, so attrib stays where it is; \
    --strip +attrib takes out both\n";

/// `watchfix heal`.
pub fn main(args: &HealArgs, settings: &Settings) -> ExitCode {
    let rules = settings.rules();
    let Ok(log) = Log::open(rules.log) else {
        complain(&settings.problem(Rule::Log, Problem::CannotOpen));
        return USAGE.into();
    };
    if args.processes.is_empty() {
        complain_plainly(
            "watchfix heal: which process?\n\
             Type: watchfix heal PID, or its NAME, or :PORT for who listens there\n",
        );
        return USAGE.into();
    }
    if inspect::output_was_closed() {
        complain(&format!("{}, and nothing is changed", output::CLOSED));
        return USAGE.into();
    }
    let found = match args.processes.find(&|_| None) {
        Ok(found) => found,
        Err(why) => {
            complain(&why);
            return USAGE.into();
        }
    };
    if args.follow && found.pids.len() > 1 {
        let all: Vec<_> = found.pids.iter().map(u32::to_string).collect();
        complain(&format!(
            "--follow takes one process, and these are {}: {}",
            all.len(),
            all.join(", ")
        ));
        return USAGE.into();
    }
    let mut voice = Voice::new(args, found);
    if rules.off && !args.undo {
        voice.note("WATCHFIX_OFF=1 is set: nothing is changed\n");
        return voice.finish();
    }
    for pid in voice.pids() {
        let done = if args.undo {
            undo(pid)
        } else if args.dry_run {
            dry_run(pid, &rules)
        } else if args.follow {
            follow(pid, settings, &log, &mut voice)
        } else {
            heal(pid, settings, &log)
        };
        match done {
            Ok(answer) => voice.answer(answer),
            Err(stopped) => {
                let exit = match stopped {
                    Stopped::Refused(Refused::NoProcess(_)) => Exit::NoProcess,
                    Stopped::Refused(Refused::NotPermitted(_)) => Exit::NotPermitted,
                    Stopped::Unprepared(_) => Exit::Some,
                };
                voice.refused(pid, exit, stopped.text());
            }
        }
    }
    if voice.has_answered() && !args.undo && settings.asks_for_chmod() {
        voice.note(CHMOD_STAYS);
    }
    voice.finish()
}

/// Puts the rules in force in the watches a process has now, keeps no record, and returns what could not be
/// done, as lines.
///
/// # Errors
/// Why nothing was done: the process may not be changed, or has ended.
pub fn in_place(pid: u32, rules: &Rules<'_>) -> Result<String, String> {
    let pass = Target::open(pid)
        .map_err(Stopped::from)
        .and_then(|mut target| {
            let mut nothing = |_: &Target, _: &[Change]| Ok(());
            let mut pass = pass::run(&mut target, &mut pass::by_rules(rules), &mut nothing)?;
            pass.unjudged = plan::unjudged(target.handle.process(), rules);
            Ok(pass)
        });
    match pass {
        Ok(pass) => Ok(report::not_done(&pass)),
        Err(stopped) => Err(stopped.text().to_owned()),
    }
}

fn heal(pid: u32, settings: &Settings, log: &Log) -> Result<Answer, Stopped> {
    let start = Instant::now();
    let pass = recorded(pid, settings, log)?;
    let took = start.elapsed();
    let exit = Exit::of(pass.is_complete());
    Ok(Answer {
        exit,
        text: report::healed(pid, &pass, took),
        data: OfProcess::healed(pid, exit, &pass, took),
        restart: (!pass.done.is_empty())
            .then(|| again::undone_by_restart(pid))
            .filter(|text| !text.is_empty()),
        changed: !pass.done.is_empty(),
        flags_lost: !pass.done.is_empty() && !flags_are_shown(),
    })
}

/// Whether fdinfo shows the flags of watches, tried on a watch of our own.
fn flags_are_shown() -> bool {
    let shown = || {
        let (own, root) = (inotify::new(false).ok()?, File::open("/").ok()?);
        inotify::add_watch(own.as_fd(), root.as_fd(), ONESHOT | DELETE_SELF).ok()?;
        let watches = inspect::gather::own_watches(own.as_fd());
        Some(watches.first()?.mask.has(ONESHOT))
    };
    // Where it cannot be tried nothing is claimed.
    shown().unwrap_or(true)
}

/// One pass whose changes can be undone.
fn recorded(pid: u32, settings: &Settings, log: &Log) -> Result<Pass, Stopped> {
    let rules = &settings.rules();
    let mut target = Target::open(pid)?;
    let mut note = |target: &Target, changes: &[Change]| note(target, changes, settings);
    let mut pass = pass::run(&mut target, &mut pass::by_rules(rules), &mut note)?;
    let process = target.handle.process();
    let record = || Record::read(&Runtime::open().ok()?, process).ok().flatten();
    pass.failed.extend(paused(&target.handle, record));
    pass.unjudged = plan::unjudged(process, rules);
    pass.still_woken = still_woken(process, &Remedies::new(inspect::gather::local_system));
    for done in &pass.done {
        log.line(pid, format_args!("{}", report::decision(done)));
    }
    Ok(pass)
}

/// What is to be changed is written down first: whatever happens then can be undone.
fn note(target: &Target, changes: &[Change], settings: &Settings) -> Result<(), String> {
    let write = || {
        let runtime = Runtime::open().map_err(|e| e.to_string())?;
        let process = target.handle.process();
        let mut record = Record::read(&runtime, process)?.unwrap_or_default();
        record.forget_gone(process);
        record.add(target, changes);
        record.add_rules(settings.lasting());
        record.write(&runtime, process)
    };
    write().map_err(|why: String| {
        format!("nothing was changed, because the record for --undo cannot be kept: {why}")
    })
}

fn dry_run(pid: u32, rules: &Rules<'_>) -> Result<Answer, Stopped> {
    // What may be read is enough.
    let mut handle = ProcessHandle::open(pid).map_err(Refused::from_failure)?;
    handle.look(pass::PATH_TIMEOUT, &mut Gaps::default());
    handle.read_databases();
    let mut found = planned::planned(&handle, &plan::changes(&handle, rules));
    found.failed.extend(paused(&handle, || None::<Record>));
    let exit = Exit::of(found.failed.is_empty());
    Ok(Answer {
        exit,
        text: found.text(&handle),
        data: OfProcess::planned(&handle, exit, &found),
        restart: None,
        changed: false,
        flags_lost: false,
    })
}

fn follow(pid: u32, settings: &Settings, log: &Log, voice: &mut Voice) -> Result<Answer, Stopped> {
    let mut healed = 0;
    let mut last: Option<Pass> = None;
    let end = follow::follow(pid, || {
        let start = Instant::now();
        let pass = recorded(pid, settings, log)?;
        healed += pass.done.len();
        if last.is_none() {
            voice.say(&report::healed(pid, &pass, start.elapsed()));
            voice.say(&format!(
                "following process {pid} until it ends, or Ctrl-C; to undo: watchfix heal --undo {pid}\n"
            ));
        }
        let changed = !pass.done.is_empty();
        last = Some(pass);
        Ok(changed)
    })?;
    let all = last.is_none_or(|pass| pass.is_complete());
    Ok(Answer {
        exit: Exit::of(all),
        text: report::followed(pid, end, healed),
        data: OfProcess::default(),
        restart: None,
        changed: false,
        flags_lost: false,
    })
}

fn undo(pid: u32) -> Result<Answer, Stopped> {
    let start = Instant::now();
    let mut target = Target::open(pid)?;
    let runtime = Runtime::open().map_err(|e| Stopped::Unprepared(e.to_string()))?;
    let Some(undone) = undo::undo(&mut target, &runtime)? else {
        return Err(Stopped::Unprepared(no_record(&mut target, &runtime)));
    };
    let took = start.elapsed();
    let exit = Exit::of(undone.pass.failed.is_empty());
    Ok(Answer {
        exit,
        text: report::undone(pid, &undone, took),
        data: OfProcess::undone(pid, exit, &undone, took),
        restart: None,
        changed: false,
        flags_lost: false,
    })
}

/// Why nothing can be undone, and by whom it can.
fn no_record(target: &mut Target, runtime: &Runtime) -> String {
    let pid = target.pid();
    // For their masks.
    target.read(Duration::ZERO);
    let process = target.handle.process();
    let Some(healed) = inspect::gather::healed(process) else {
        let place = runtime.path().display();
        return format!("there is no record of process {pid} in {place}: nothing can be undone");
    };
    let by = healed.uid;
    let remedies = Remedies::new(inspect::gather::local_system);
    match remedies.undo(process, by) {
        Some(command) => format!("user {by} healed process {pid}, and has the record: {command}"),
        None => format!("user {by} healed process {pid}, and has the record: they can undo it"),
    }
}
