//! The budget against a model of the kernel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use proptest::prelude::*;
use rules::budget::{Admission, Budget, INVENTED, Slot};

fn slots(max: u32) -> Vec<Slot> {
    (0..Budget::slots(max)).map(|_| Slot::default()).collect()
}

/// A process with two instances, as the kernel and the library see it together.
struct Process<'a> {
    budget: Budget<'a>,
    /// The kernel's watches: by instance and inode.
    watches: BTreeMap<(i32, u64), i32>,
    /// What the program was told: by instance and inode.
    told: BTreeMap<(i32, u64), i32>,
    /// IGNORED records that nobody has read.
    unread: Vec<(i32, i32)>,
    next_wd: i32,
}

impl<'a> Process<'a> {
    fn new(budget: Budget<'a>) -> Process<'a> {
        Process {
            budget,
            watches: BTreeMap::new(),
            told: BTreeMap::new(),
            unread: Vec::new(),
            next_wd: 1,
        }
    }

    /// inotify_add_watch, with the kernel's answer where it is asked.
    fn add(&mut self, fd: i32, inode: u64) -> i32 {
        let wd = match self.budget.admit(fd, 7, inode) {
            Admission::Ask(booking) => {
                let next = &mut self.next_wd;
                let wd = *self.watches.entry((fd, inode)).or_insert_with(|| {
                    *next += 1;
                    *next
                });
                self.budget.answered(booking, fd, Some(wd));
                wd
            }
            Admission::Known(wd) => wd,
            Admission::Over => self.budget.invent(fd, 7, inode),
        };
        self.told.insert((fd, inode), wd);
        wd
    }

    /// inotify_rm_watch: true if it succeeds.
    fn remove(&mut self, fd: i32, wd: i32) -> bool {
        if wd >= INVENTED {
            return self.budget.remove(fd, wd);
        }
        let before = self.watches.len();
        self.watches.retain(|at, w| (at.0, *w) != (fd, wd));
        if self.watches.len() == before {
            return false;
        }
        assert!(!self.budget.remove(fd, wd));
        self.unread.push((fd, wd));
        true
    }

    fn read(&mut self) {
        for (fd, wd) in self.unread.drain(..) {
            assert!(!self.budget.remove(fd, wd));
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(i32, u64),
    Remove(i32, u64),
    /// The inode is deleted, and its number given to another.
    Delete(u64),
    Read,
    Close(i32),
    Fails(i32, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (fd, inode) = (3..5i32, 1..12u64);
    prop_oneof![
        8 => (fd.clone(), inode.clone()).prop_map(|(fd, inode)| Step::Add(fd, inode)),
        4 => (fd.clone(), inode.clone()).prop_map(|(fd, inode)| Step::Remove(fd, inode)),
        2 => inode.clone().prop_map(Step::Delete),
        2 => Just(Step::Read),
        1 => fd.clone().prop_map(Step::Close),
        1 => (fd, inode).prop_map(|(fd, inode)| Step::Fails(fd, inode)),
    ]
}

proptest! {
    #[test]
    fn the_kernel_never_has_more_watches_and_every_one_that_ends_is_free_again(
        max in 0..10u32,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let slots: Vec<_> = (0..512).map(|_| Slot::default()).collect();
        let mut process = Process::new(Budget::new(max, &slots));
        for step in steps {
            match step {
                Step::Add(fd, inode) => {
                    let before = process.told.get(&(fd, inode)).copied();
                    let alive = before.is_some_and(|wd| {
                        wd >= INVENTED || process.watches.get(&(fd, inode)) == Some(&wd)
                    });
                    let wd = process.add(fd, inode);
                    if alive {
                        prop_assert_eq!(Some(wd), before, "one inode, one watch");
                    }
                }
                Step::Remove(fd, inode) => {
                    if let Some(wd) = process.told.remove(&(fd, inode)) {
                        let real = process.watches.get(&(fd, inode)) == Some(&wd);
                        prop_assert_eq!(process.remove(fd, wd), wd >= INVENTED || real);
                        prop_assert!(!process.remove(fd, wd), "removed twice");
                    }
                }
                Step::Delete(inode) => {
                    for fd in 3..5 {
                        if let Some(wd) = process.watches.remove(&(fd, inode)) {
                            process.unread.push((fd, wd));
                        }
                    }
                }
                Step::Read => process.read(),
                Step::Close(fd) => {
                    process.budget.forget(fd);
                    process.watches.retain(|at, _| at.0 != fd);
                    process.told.retain(|at, _| at.0 != fd);
                    process.unread.retain(|at| at.0 != fd);
                }
                Step::Fails(fd, inode) => {
                    if let Admission::Ask(booking) = process.budget.admit(fd, 7, inode) {
                        process.budget.answered(booking, fd, None);
                    }
                }
            }
            prop_assert!(process.watches.len() <= max as usize);
            prop_assert!(process.watches.len() <= process.budget.live() as usize);
        }
        process.read();
        prop_assert_eq!(process.watches.len(), process.budget.live() as usize);
    }
}

#[test]
fn invented_watches_are_of_their_own_and_each_is_removed_once() {
    let slots = slots(0);
    let budget = Budget::new(0, &slots);
    let mut wds: Vec<_> = (0..1000).map(|inode| budget.invent(3, 7, inode)).collect();
    for (inode, wd) in wds.iter().enumerate() {
        assert_eq!(budget.admit(3, 7, inode as u64), Admission::Known(*wd));
    }
    assert_eq!(budget.admit(4, 7, 1), Admission::Over, "another instance");
    assert!(!budget.remove(4, wds[1]), "another instance's");
    for wd in &wds {
        assert!(*wd >= INVENTED && budget.remove(3, *wd) && !budget.remove(3, *wd));
    }
    wds.sort_unstable();
    wds.dedup();
    assert_eq!(wds.len(), 1000);
}

#[test]
fn a_table_full_of_invented_watches_has_room_for_the_kernel_s_and_no_more_than_that() {
    let slots: Vec<_> = (0..64).map(|_| Slot::default()).collect();
    let mut process = Process::new(Budget::new(4, &slots));
    for round in 0..100 {
        let wds: Vec<_> = (0..1000)
            .map(|i| process.add(3, round * 1000 + i))
            .collect();
        assert_eq!(process.watches.len(), 4);
        assert!(wds[4..].iter().all(|wd| *wd >= INVENTED));
        for wd in &wds[..4] {
            assert!(process.remove(3, *wd));
        }
    }
}

#[test]
fn a_hundred_thousand_watches_are_counted_to_the_last() {
    let max = 100_000;
    let slots = slots(max);
    let mut process = Process::new(Budget::new(max, &slots));
    let wds: Vec<_> = (0..u64::from(max) + 5).map(|i| process.add(3, i)).collect();
    assert_eq!(process.watches.len(), max as usize);
    let invented = wds.iter().filter(|wd| process.budget.remove(3, **wd));
    assert_eq!(invented.count(), 5);
    assert_eq!(process.budget.live(), 0);
}

#[test]
fn threads_together_stay_within_the_budget() {
    let max = 10;
    let slots = slots(max);
    let budget = Budget::new(max, &slots);
    let kernel = AtomicU32::new(0);
    let one = &|fd: i32| {
        let mut held = VecDeque::new();
        for (wd, inode) in (1..20_000).zip(0..) {
            match budget.admit(fd, 7, inode) {
                Admission::Ask(booking) => {
                    assert!(kernel.fetch_add(1, SeqCst) < max);
                    budget.answered(booking, fd, Some(wd));
                    held.push_back(wd);
                }
                Admission::Over => assert!(budget.remove(fd, budget.invent(fd, 7, inode))),
                Admission::Known(wd) => panic!("{wd} was removed"),
            }
            if held.len() > 3 {
                kernel.fetch_sub(1, SeqCst);
                budget.remove(fd, held.pop_front().unwrap());
            }
        }
        for wd in held {
            kernel.fetch_sub(1, SeqCst);
            budget.remove(fd, wd);
        }
    };
    std::thread::scope(|scope| {
        for fd in 3..7 {
            scope.spawn(move || one(fd));
        }
    });
    assert_eq!((budget.live(), kernel.into_inner()), (0, 0));
}

/// What `fd` is told of an inode that the kernel watches as `wd`.
fn ask(budget: &Budget<'_>, fd: i32, inode: u64, wd: i32) {
    match budget.admit(fd, 7, inode) {
        Admission::Ask(booking) => budget.answered(booking, fd, Some(wd)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_watch_that_has_two_numbers_of_its_inode_counts_once() {
    let slots = slots(10);
    let budget = Budget::new(10, &slots);
    assert_eq!(budget.max(), 10);
    // Some overlays: one watch of the kernel's, two inodes.
    ask(&budget, 3, 100, 1);
    ask(&budget, 3, 200, 1);
    assert_eq!(budget.live(), 1);
    ask(&budget, 3, 100, 1);
    assert_eq!(budget.live(), 1);
}

#[test]
fn the_late_end_of_a_watch_is_not_that_of_its_successor() {
    let slots = slots(10);
    let budget = Budget::new(10, &slots);
    ask(&budget, 3, 100, 1);
    // It went without a word, and its inode has another.
    ask(&budget, 3, 100, 2);
    assert!(!budget.remove(3, 1));
    assert_eq!(budget.live(), 1);
    assert!(!budget.remove(3, 2));
    assert_eq!(budget.live(), 0);
}
