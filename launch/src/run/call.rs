//! A trapped call, and who carries it out. [`super::add_watch`] places watches, [`super::reads`] makes reads; all other
//! calls, and whatever cannot be carried out here, are left to the kernel.

use super::budget::Budgets;
use super::calls::{self, Call};
use super::copies::Copies;
use super::databases::{Databases, Eyes};
use super::filter::Trapped;
use super::log::Log;
use super::owners::Owners;
use super::pauses;
use super::pending::Pending;
use super::reads::Reads;
use super::repeated::Repeated;
use super::rights::{Finder, Guard};
use super::tracee;
use crate::sys::seccomp::Answer;
use crate::sys::{lock, path, words};
use libc::seccomp_notif;
use rules::Rules;
use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

/// What calls are judged by, by several threads at once: no lock is held while a path is followed or a line is logged.
pub struct Judge<'r> {
    /// The rules, where masks are all that is seen.
    pub rules: Rules<'r>,
    /// The program's instances.
    pub copies: Arc<Copies>,
    /// Where reads are judged.
    pub reads: Option<Reads<'r>>,
    /// Whose rights files are found with.
    pub guard: Guard,
    /// Directories with databases of their own processes.
    pub databases: Databases,
    /// What is left of `--max-watches`.
    pub budgets: Mutex<Budgets>,
    /// Calls that may come again, where a signal can interrupt them.
    pub repeated: Option<Repeated>,
    /// Processes the log has named.
    pub named: Mutex<HashSet<u32>>,
    /// The log says that attribute changes are left alone.
    pub leaves_chmod: AtomicBool,
    /// This program's root directory.
    pub own_root: Option<(u64, u64)>,
}

impl<'r> Judge<'r> {
    /// Judges by `rules` what is trapped.
    pub fn new(rules: Rules<'r>, trapped: &Trapped) -> Judge<'r> {
        let numbers = trapped.reads.clone();
        let copies = Arc::new(Copies::new(trapped.keeps));
        Judge {
            rules,
            reads: (!numbers.is_empty())
                .then(|| Reads::new(&rules, numbers.clone(), Arc::clone(&copies))),
            copies,
            guard: Guard::new(),
            databases: Databases::new(trapped.settles_unseen(&rules)),
            budgets: Mutex::default(),
            repeated: numbers.is_empty().then(Repeated::default),
            named: Mutex::default(),
            leaves_chmod: AtomicBool::new(false),
            // If it is unknown, it counts as another one: then every path is followed the careful way.
            own_root: own_root().ok().flatten(),
        }
    }

    /// Judges one call and answers it. `owners` are the thread's that judges.
    pub fn call(&self, owners: &mut Owners, notice: &seccomp_notif, pending: &Pending<'_>) {
        let done = match (calls::call(&notice.data), &self.reads) {
            (Call::AddWatch, _) => return self.add(owners, notice, pending),
            (Call::RemoveWatch, _) => self.remove(owners, notice).then(|| {
                // Its process may have ended.
                let _ = pending.answer(Answer::Value(0));
            }),
            (Call::Init(flags), _) => {
                let made = owners
                    .of(notice.pid)
                    .and_then(|owner| self.make(owner, flags, pending));
                if let Err(error) = &made {
                    let why = words(error);
                    pending.log.line(
                        notice.pid,
                        format_args!("inotify_init is left to the kernel: {why}"),
                    );
                }
                made.ok()
            }
            (call, Some(reads)) => self.read_side(reads, owners, notice, call, pending).ok(),
            (_, None) => None,
        };
        if done.is_none() {
            // Its process may have ended.
            let _ = pending.answer(Answer::Continue);
        }
    }

    /// Carries out a call that copies an instance or reads from it.
    fn read_side(
        &self,
        reads: &Reads<'r>,
        owners: &mut Owners,
        notice: &seccomp_notif,
        call: Call,
        pending: &Pending<'_>,
    ) -> io::Result<()> {
        let fd = notice.data.args[0] as i32;
        match call {
            Call::Duplicate(least, close_on_exec) => {
                let owner = owners.of(notice.pid)?;
                reads.duplicate(owner, fd, (least, close_on_exec), pending)
            }
            _ => {
                let buffers = tracee::buffers(notice.pid, call)?;
                let owner = owners.reader(notice.pid)?;
                reads.read(owner, fd, &buffers, pending, &self.finder(pending.log))
            }
        }
    }

    fn finder<'a>(&'a self, log: &'a Log) -> Finder<'a> {
        Finder {
            guard: &self.guard,
            own_root: self.own_root,
            log,
        }
    }

    /// Removes an invented watch.
    fn remove(&self, owners: &mut Owners, notice: &seccomp_notif) -> bool {
        let [instance, wd, ..] = notice.data.args;
        let owner = owners.of(notice.pid).map(|owner| owner.process);
        owner.is_ok_and(|process| lock(&self.budgets).remove(process, instance as i32, wd as i32))
    }

    /// Looks after databases that are opened after their directories were watched; does not return, if the rules are
    /// about any.
    pub fn look_after_databases(&self, log: &Log) {
        if self.rules.settle_own {
            self.databases.look_after(&Eyes {
                rules: &self.rules,
                reads: self.reads.as_ref(),
                copies: &self.copies,
                finder: self.finder(log),
            });
        }
    }

    /// Lets go of instances that were closed; does not return, if any are kept.
    pub fn look_after_copies(&self) {
        self.copies.look_after();
    }

    /// Withholds for pauses what is read; does not return, if reads are judged.
    pub fn serve_pauses(&self, log: &Log) {
        if let Some(reads) = &self.reads {
            pauses::serve(reads, &self.finder(log));
        }
    }

    /// Gives watches their masks back that were settled for a while; does not return, if reads are judged.
    pub fn look_after_bursts(&self, log: &Log) {
        if let Some(reads) = &self.reads {
            reads.look_after(&self.finder(log));
        }
    }
}

fn own_root() -> io::Result<Option<(u64, u64)>> {
    let root = path::find_absolute(c"/", true, path::Walk::Free)?;
    path::place(root.as_fd(), c".")
}
