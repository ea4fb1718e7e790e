//! The threads that judge calls: one, and another one when that one hangs.
//!
//! A path may lead to a file system that does not answer (a dead NFS or FUSE server), and whoever follows it hangs in the
//! kernel. Without a supervisor that is the thread that asked, and nobody else.
//!
//! ```text
//! a call waits --+-- no judge -------------------------- one begins; if none can, the call goes to the kernel as it is
//!                |
//!                +-- a judge, at the same call so long -- it is given up: it ends with that call
//! ```

use super::call::Judge;
use super::heir;
use super::log::Log;
use super::owners::Owners;
use super::pending::Pending;
use super::voice::Voice;
use crate::sys::poll::{For, Ready, wait};
use crate::sys::seccomp::{InFlight, Slot};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// How long one call may be judged while others wait. A slow judge that is given up costs a thread and nothing else.
const TIMEOUT: Duration = Duration::from_millis(100);

/// The calls, and what they are judged by.
#[derive(Clone, Copy)]
pub struct Calls<'a> {
    /// Where they come from.
    pub listener: BorrowedFd<'a>,
    /// What they are judged by.
    pub judge: &'a Judge<'a>,
    /// Where decisions are written. To write may hang as well.
    pub log: &'a Log,
}

/// Who judges.
pub struct Judges<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    calls: Calls<'env>,
    in_flight: InFlight,
    seats: Vec<Seat<'scope>>,
    /// Who judges the next call.
    current: Option<Arc<Progress>>,
    /// Since when the call it is at has been watched, and which that is.
    watched: Option<(Instant, u64)>,
    voice: Voice,
}

/// Where a judge can sit, and who does.
struct Seat<'scope> {
    slot: Slot,
    judge: Option<ScopedJoinHandle<'scope, ()>>,
}

/// What a judge is at.
struct Progress {
    /// The number of a call (seccomp_unotify(2)), or one of those below. Calls are counted from a random number of 64 bits
    /// on: they do not come to these.
    call: AtomicU64,
    /// Whose call it is.
    thread: AtomicU32,
}

const WAITING: u64 = 0;
const BEGINNING: u64 = 1;
const GIVEN_UP: u64 = 2;

impl<'scope, 'env> Judges<'scope, 'env> {
    /// Begins to judge `calls`.
    pub fn new(
        scope: &'scope Scope<'scope, 'env>,
        calls: Calls<'env>,
        in_flight: InFlight,
    ) -> Judges<'scope, 'env> {
        let after_databases = Builder::new();
        // Without it, what is opened late stays unsettled.
        let _ = after_databases.spawn_scoped(scope, move || {
            calls.judge.look_after_databases(calls.log);
        });
        let after_bursts = Builder::new();
        // Without it, what was settled for a while stays settled.
        let _ = after_bursts.spawn_scoped(scope, move || calls.judge.look_after_bursts(calls.log));
        let after_copies = Builder::new();
        // Without it, copies are closed when another instance is made.
        let _ = after_copies.spawn_scoped(scope, move || calls.judge.look_after_copies());
        let for_pauses = Builder::new();
        // Without it, their masks are muted.
        let _ = for_pauses.spawn_scoped(scope, move || calls.judge.serve_pauses(calls.log));
        // The first is for who lets calls go.
        let [_, slots @ ..] = in_flight;
        let free = |slot| Seat { slot, judge: None };
        Judges {
            scope,
            calls,
            in_flight,
            seats: slots.map(free).into(),
            current: None,
            watched: None,
            voice: Voice::new(scope, calls.log),
        }
    }

    /// Where calls come from.
    pub fn listener(&self) -> BorrowedFd<'env> {
        self.calls.listener
    }

    /// What this thread waits for, and for how long.
    pub fn wait_for(&self) -> (For<'env>, Option<Duration>) {
        match self.watched {
            // The judge is waited for, and not one call after the other.
            Some((since, _)) => (
                For::Closing(self.calls.listener),
                Some(TIMEOUT.saturating_sub(since.elapsed())),
            ),
            None => (For::Input(self.calls.listener), None),
        }
    }

    /// Makes sure that calls are judged; `wait` says whether one waits.
    pub fn see_to(&mut self, waits: bool) {
        match (&self.current, self.watched) {
            (Some(judge), None) if waits => {
                self.watched = Some((Instant::now(), judge.call.load(Ordering::Acquire)));
            }
            (Some(judge), Some((since, call))) if since.elapsed() >= TIMEOUT => {
                self.watched = None;
                if judge.give_up(call) {
                    let text = "its path is still being resolved; other calls are judged meanwhile";
                    self.voice.say(judge.thread.load(Ordering::Relaxed), text);
                    self.current = None;
                }
            }
            (None, _) if waits => self.begin(),
            _ => {}
        }
    }

    /// Lets a judge begin. If none can, the call goes to the kernel as it is.
    fn begin(&mut self) {
        let progress = Arc::new(Progress {
            call: AtomicU64::new(BEGINNING),
            thread: AtomicU32::new(std::process::id()),
        });
        let (calls, own) = (self.calls, Arc::clone(&progress));
        let free = self.seats.iter_mut().find(|seat| seat.is_free());
        let begun = free.and_then(|seat| {
            let slot = seat.slot;
            let judge = Builder::new().spawn_scoped(self.scope, move || {
                if own.is_done(BEGINNING) {
                    calls.judge_all(slot, &own);
                }
            });
            seat.judge = judge.ok();
            seat.judge.as_ref()
        });
        if begun.is_some() {
            self.current = Some(progress);
        } else if let Some(thread) = heir::let_one_go(self.calls.listener, self.in_flight) {
            let text = "its call is left to the kernel: the paths of earlier calls are still being resolved";
            self.voice.say(thread, text);
        }
    }
}

impl Seat<'_> {
    fn is_free(&self) -> bool {
        self.judge
            .as_ref()
            .is_none_or(ScopedJoinHandle::is_finished)
    }
}

impl Calls<'_> {
    /// Judges one call after the other, until it is given up or there can be none.
    fn judge_all(&self, slot: Slot, progress: &Progress) {
        let mut owners = Owners::default();
        loop {
            let Ok(notice) = slot.receive(self.listener) else {
                // Its process has ended meanwhile; or the last one has.
                match wait([For::Closing(self.listener)], Some(Duration::ZERO)) {
                    [Ready::Closed] => return,
                    _ => continue,
                }
            };
            progress.thread.store(notice.pid, Ordering::Relaxed);
            progress.call.store(notice.id, Ordering::Release);
            let pending = Pending {
                listener: self.listener,
                slot,
                log: self.log,
            };
            self.judge.call(&mut owners, &notice, &pending);
            if !progress.is_done(notice.id) {
                return;
            }
        }
    }
}

impl Progress {
    /// The judge waits for the next call; false if it was given up meanwhile.
    fn is_done(&self, call: u64) -> bool {
        self.change(call, WAITING)
    }

    /// Gives the judge up, if it is still at `call`. It receives no call any more.
    fn give_up(&self, call: u64) -> bool {
        call != WAITING && self.change(call, GIVEN_UP)
    }

    fn change(&self, from: u64, to: u64) -> bool {
        self.call
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}
