//! What becomes of a trapped inotify_add_watch.
//!
//! ```text
//! path read --> found as the thread would find it --> fate by the rules --> mask
//!                                                                            |
//!            the kernel carries the call out <-- the same, or anything odd --+-- another one
//!                                                                                    |
//!                                    placed on a copy of the inotify descriptor <----+
//! ```
//!
//! Only a watch whose mask changes is placed here, and on the very file that was judged: what the thread writes into its
//! memory meanwhile is read by nobody. Every error but one is left to the kernel, which finds it again and says it exactly.

use super::budget::{Admission, Watched};
use super::call::Judge;
use super::log::Log;
use super::owners::{Found, Owner, Owners};
use super::pending::Pending;
use super::reads::{Reads, Shared, now};
use super::repeated::Before;
use super::tracee;
use crate::sys::seccomp::{Answer, waits};
use crate::sys::{inotify, lock, words};
use inspect::words::agree;
use libc::seccomp_notif;
use rules::event::{ALL_EVENTS, ATTRIB, DONT_FOLLOW, MASK_CREATE, MODIFY};
use rules::pattern::Patterns;
use rules::watch::{Fate, hears_nothing, reduce};
use rules::{Rule, Rules, record};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;

/// One inotify_add_watch.
struct AddWatch<'c> {
    id: u64,
    thread: u32,
    instance: i32,
    path: &'c CStr,
    mask: u32,
}

/// What came of a call.
struct Placed {
    wd: i32,
    mask: u32,
    by: Rule,
    /// Reads from the instance are judged too.
    judged: bool,
}

impl<'r> Judge<'r> {
    /// Judges the call and answers it.
    pub fn add(&self, owners: &mut Owners, notice: &seccomp_notif, pending: &Pending<'_>) {
        let Pending { listener, log, .. } = *pending;
        let [instance, address, mask, ..] = notice.data.args;
        let path = tracee::read_path(notice.pid, address);
        let placed = path.as_deref().map_err(copy).and_then(|path| {
            let call = AddWatch {
                id: notice.id,
                thread: notice.pid,
                // The kernel takes these integers as 32 bits wide: it ignores the upper half.
                instance: instance as i32,
                path,
                mask: mask as u32,
            };
            self.place(owners, listener, &call, log)
        });
        // Before the program goes on: so the log is complete when the program has ended.
        if log.is_wanted() {
            let judged = matches!(&placed, Ok(Some(Placed { judged: true, .. })));
            if !judged {
                self.name(owners, notice.pid, log);
                self.leave_chmod(notice.pid, mask as u32, log);
            }
            say(log, notice, path.as_deref().ok(), placed.as_ref());
        }
        let repeated = self.repeated.as_ref();
        // Before the answer: once that is refused, the call may come again to another judge.
        if let (Some(repeated), Ok(Some(placed)), Ok(path)) = (repeated, &placed, &path)
            && mask as u32 & MASK_CREATE != 0
        {
            let call = (instance as i32, path.as_c_str(), mask as u32);
            repeated.note(notice.pid, call, placed.wd);
        }
        let answered = pending.answer(match &placed {
            Ok(Some(placed)) => Answer::Value(placed.wd),
            Err(error) if is_full(error) => Answer::Error(libc::ENOSPC),
            Ok(None) | Err(_) => Answer::Continue,
        });
        if let (Some(repeated), Ok(())) = (repeated, answered) {
            repeated.accepted(notice.pid);
        }
    }

    /// Says once for each process that its events are not judged.
    fn name(&self, owners: &mut Owners, thread: u32, log: &Log) {
        let process = owners.of(thread).map(|owner| owner.process);
        if let (false, Ok(process)) = (self.rules.ignore.is_empty(), process) {
            let is_new = lock(&self.named).insert(process);
            if is_new {
                let text = "its masks are judged and its events are not: events of ignored names in watched directories \
                            reach it";
                log.line(process, format_args!("{text}"));
            }
        }
    }

    /// Says once that `chmod` has no effect where only masks are judged.
    fn leave_chmod(&self, thread: u32, mask: u32, log: &Log) {
        let asks = self.rules.chmod && mask & ATTRIB & !self.rules.strip != 0;
        if asks && !self.leaves_chmod.swap(true, Ordering::Relaxed) {
            let text = "masks cannot tell chmod from touch: this watch, and all others of which only the mask is judged, \
                        report attribute changes";
            log.line(thread, format_args!("{text}"));
        }
    }

    /// Places the watch if the rules change its mask.
    fn place(
        &self,
        owners: &mut Owners,
        listener: BorrowedFd<'_>,
        call: &AddWatch<'_>,
        log: &Log,
    ) -> io::Result<Option<Placed>> {
        let owner = owners.of(call.thread)?;
        let again = self.placed_before(owner, call);
        let rights = self.guard.rights_of(owner)?;
        let traps = |reads: &&Reads<'r>| reads.traps(call.instance);
        let (judged, known) = match self.reads.as_ref().filter(traps) {
            Some(reads) => {
                let copy = self.copies.of(owner, call.instance)?;
                let shared = reads.judged(owner, call.instance, copy.as_fd());
                (shared.map(|shared| (reads, shared)), Some(copy))
            }
            None => (None, None),
        };
        let rules = match &judged {
            Some((reads, ..)) => &reads.rules,
            None => &self.rules,
        };
        rights.act(|| {
            let follow = call.mask & DONT_FOLLOW == 0;
            let target = owner.find(call.path, follow, self.own_root)?;
            let (fate, by) = fate(rules, &target, || {
                call.mask & MODIFY != 0
                    && self.databases.has_in(owner, &target, (rules, &self.copies))
            })?;
            let mask = reduce(rules.strip, fate, call.mask);
            let owed = |(reads, shared): &(&Reads<'r>, Shared)| reads.owed(shared, &target, mask);
            let mask = mask | judged.as_ref().map_or(0, owed);
            let stays = (mask ^ call.mask) & ALL_EVENTS == 0;
            if stays && rules.max_watches.is_none() && judged.is_none() {
                return Ok(None);
            }
            let instance = match known {
                Some(copy) => copy,
                None => self.copies.of(owner, call.instance)?,
            };
            let watched = (call.instance, target.known.device, target.known.inode);
            if let Some(max) = rules.max_watches
                && let Some(wd) =
                    self.over(owner, call, (max, watched), (&instance, &target.file), log)?
            {
                return Ok(Some(Placed {
                    wd,
                    mask,
                    by: Rule::MaxWatches,
                    judged: judged.is_some(),
                }));
            }
            // If the call still waits, all that was looked up so far belonged to this thread.
            if !waits(listener, call.id) {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            let since = now();
            let wd = match inotify::add_watch_here(instance.as_fd(), target.file.as_fd(), mask) {
                // It meets the watch it has placed before.
                Err(e) if e.raw_os_error() == Some(libc::EEXIST) => again.ok_or(e)?,
                placed => placed?,
            };
            lock(&self.budgets).placed(owner.process, watched, wd);
            if let Some((reads, shared)) = &judged {
                let place = (call.path, &target);
                reads.placed(shared, (wd, since), place, (fate, call.mask, mask));
            }
            Ok(Some(Placed {
                wd,
                mask,
                by,
                judged: judged.is_some(),
            }))
        })?
    }

    /// The watch descriptor this very call has placed, if it was interrupted and comes again. A watch that was placed for
    /// another one, and never answered, is removed.
    fn placed_before(&self, owner: &Owner, call: &AddWatch<'_>) -> Option<i32> {
        let this = (call.instance, call.path, call.mask);
        match self.repeated.as_ref()?.before(call.thread, this) {
            Before::Same(wd) => Some(wd),
            Before::Unheard(instance, wd) => {
                let copy = self.copies.of(owner, instance).ok()?;
                // It may have ended by itself.
                let _ = inotify::rm_watch(copy.as_fd(), wd);
                None
            }
            Before::Other => None,
        }
    }

    /// The invented descriptor of a watch past the budget. What the kernel would refuse is left to it.
    fn over(
        &self,
        owner: &Owner,
        call: &AddWatch<'_>,
        budget: (u32, Watched),
        files: (&OwnedFd, &OwnedFd),
        log: &Log,
    ) -> io::Result<Option<i32>> {
        let ((max, watched), (instance, target)) = (budget, files);
        if !inotify::would_accept(instance.as_fd(), target.as_fd(), call.mask)? {
            return Ok(None);
        }
        let copy = |fd| self.copies.of(owner, fd);
        let admission = lock(&self.budgets).admit(owner.process, max, watched, copy)?;
        Ok(match admission {
            Admission::Admitted => None,
            Admission::Over(wd, first) => {
                if first {
                    let text = "further watches cost nothing and never fire";
                    log.line(
                        owner.process,
                        format_args!(
                            "its {max} {} used up: {text}",
                            agree(max.into(), "watch is", "watches are")
                        ),
                    );
                }
                Some(wd)
            }
        })
    }
}

/// There is no room for another watch. The kernel gives the watch a number before it looks at the limit (inotify_new_watch in
/// fs/notify/inotify/inotify_user.c), so asked twice it would pass over two.
fn is_full(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOSPC)
}

/// What the rules make of a watch on `target`, and which one does. `settles` says whether it is a directory with a
/// database its own process holds open.
fn fate(
    rules: &Rules<'_>,
    target: &Found,
    settles: impl FnOnce() -> bool,
) -> io::Result<(Fate, Rule)> {
    let directory = target.known.mode & libc::S_IFMT == libc::S_IFDIR;
    let by_path = !rules.drop.is_empty() || !rules.settle.is_empty();
    if by_path || !directory {
        let path = target.path()?;
        let name = path.rsplit(|&c| c == b'/').next().unwrap_or_default();
        let below = |patterns: Patterns<'_>| patterns.match_below(&path, rules.home);
        if below(rules.drop) {
            return Ok((Fate::Muted, Rule::Drop));
        }
        if !directory && record::ignored(rules, name) {
            return Ok((Fate::Muted, Rule::Ignore));
        }
        if below(rules.settle) {
            return Ok((Fate::Settled, Rule::Settle));
        }
    }
    if directory && rules.settle_own && settles() {
        return Ok((Fate::Settled, Rule::Settle));
    }
    Ok((Fate::Plain, Rule::Strip))
}

fn say(
    log: &Log,
    notice: &seccomp_notif,
    path: Option<&CStr>,
    placed: Result<&Option<Placed>, &io::Error>,
) {
    let [instance, _, mask, ..] = notice.data.args;
    let (instance, mask) = (instance as i32, mask as u32);
    let path = path.unwrap_or(c"?").to_bytes().escape_ascii();
    let call = format!("inotify_add_watch({instance}, \"{path}\"): mask {mask:#x}");
    match placed {
        Ok(Some(placed)) => {
            let (now, by) = (placed.mask, placed.by.variable());
            let done = match placed.judged && now & ALL_EVENTS == mask & ALL_EVENTS {
                true => "stays; its events are judged".to_owned(),
                false if placed.by == Rule::Strip && hears_nothing(mask, now) => {
                    format!("-> {now:#x} by {by}, hears nothing")
                }
                false => format!("-> {now:#x} by {by}"),
            };
            log.line(notice.pid, format_args!("{call} {done}"));
        }
        Ok(None) => log.line(notice.pid, format_args!("{call} stays")),
        Err(error) => {
            let what = if is_full(error) {
                "is refused"
            } else {
                "is left to the kernel"
            };
            log.line(notice.pid, format_args!("{call} {what}: {}", words(error)));
        }
    }
}

fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => error.kind().into(),
    }
}
