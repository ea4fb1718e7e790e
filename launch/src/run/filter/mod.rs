//! Which system calls are handed to the supervisor: the filter program, and how it is computed.
//!
//! A call is trapped only if the rules may change it. All others pay what the kernel takes for any filter.

use super::calls::{CALLS, Numbers};
use libc::sock_filter;
use rules::Rules;
use rules::event::{
    ALL_EVENTS, ATTRIB, CREATE, DELETE, DELETE_SELF, MODIFY, MOVE_SELF, MOVED_FROM, MOVED_TO,
};
use rules::watch::{JUDGED, OWN_INSTANCE};
use std::ops::Range;

/// Watch descriptors from here on are invented: the kernel counts up from 1 and never reaches them.
pub const INVENTED: u32 = 0x4000_0000;

/// What the filter traps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trapped {
    /// Of the calls that place watches.
    pub watches: Watches,
    /// Numbers of descriptors whose reads are judged; empty if none are.
    pub reads: Range<u32>,
    /// Copies of instances cannot be obtained: one of each is kept.
    pub keeps: bool,
}

/// Which calls that place watches are trapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watches {
    /// inotify_add_watch with one of these bits in its mask.
    Masks(u32),
    /// Every inotify_add_watch, and inotify_rm_watch of an invented watch.
    All,
}

impl Trapped {
    /// What these rules need to see, where reads of these descriptors can be judged, and copies of instances have to be kept
    /// or not.
    pub fn by(rules: &Rules<'_>, reads: Range<u32>, keeps: bool) -> Trapped {
        let reads = match concern_reads(rules) {
            true => reads,
            false => 0..0,
        };
        // Only who sees the watch being placed can tell what a touch is.
        let judged = match rules.chmod && !reads.is_empty() {
            true => ATTRIB,
            false => 0,
        };
        let watches = match rules.max_watches {
            Some(_) => Watches::All,
            None => Watches::Masks(changeable(rules) | judged),
        };
        Trapped {
            watches,
            reads,
            keeps,
        }
    }

    /// Whether watches that settle beside a database may be placed unseen.
    ///
    /// Hardly any watch is on a directory with a database of its own process, so for those a call is not trapped. They
    /// settle later, as those do where the database is opened later.
    pub fn settles_unseen(&self, rules: &Rules<'_>) -> bool {
        rules.settle_own && matches!(self.watches, Watches::Masks(bits) if bits & MODIFY == 0)
    }

    /// Whether every instance is made by the supervisor, for which inotify_init is trapped.
    fn makes(&self) -> bool {
        self.keeps || !self.reads.is_empty()
    }

    /// Whether the rules ask for nothing to be trapped.
    pub fn is_nothing(&self) -> bool {
        self.watches == Watches::Masks(0) && self.reads.is_empty()
    }
}

/// Whether these rules change anything of what is read.
fn concern_reads(rules: &Rules<'_>) -> bool {
    !rules.ignore.is_empty() || !rules.settle.is_empty() || rules.chmod
}

/// The events of which one must be in a mask for the rules to change what the watch reports when it is placed.
///
/// - A stripped event is taken out of every mask.
/// - A dropped watch keeps DELETE_SELF and MOVE_SELF ([`rules::watch::mute`]).
/// - So does one on an ignored file; what happens to entries of a directory never happens to a file.
/// - A watch that settles by its path loses MODIFY and nothing else.
pub fn changeable(rules: &Rules<'_>) -> u32 {
    const OWN: u32 = DELETE_SELF | MOVE_SELF;
    const ENTRIES: u32 = CREATE | DELETE | MOVED_FROM | MOVED_TO;
    let when = |asked: bool, events| if asked { events } else { 0 };
    rules.strip
        | when(!rules.drop.is_empty(), ALL_EVENTS & !OWN)
        | when(!rules.ignore.is_empty(), ALL_EVENTS & !OWN & !ENTRIES)
        | when(!rules.settle.is_empty(), MODIFY)
}

/// Offsets in `struct seccomp_data`; arguments are 64 bits wide, and integers are in their lower half.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const FIRST: u32 = argument(0);
const SECOND: u32 = argument(1);
const THIRD: u32 = argument(2);
const UPPER: u32 = 4;

const fn argument(at: u32) -> u32 {
    16 + 8 * at
}

const _: () = assert!(cfg!(target_endian = "little"));

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const ANY_OF: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;

const fn step(code: u32, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

/// Jumps are counted from the next instruction on.
const fn jump(code: u32, k: u32, yes: usize, no: usize) -> sock_filter {
    sock_filter {
        code: code as u16,
        // No program here is longer than some sixty instructions.
        jt: yes as u8,
        jf: no as u8,
        k,
    }
}

/// The filter program (seccomp(2), kernel's Documentation/userspace-api/seccomp_filter.rst).
///
/// Architecture and number are looked at first: the kernel then finds out once which numbers always pass, and does
/// not run the program for these (Linux 5.11).
pub fn program(trapped: &Trapped) -> Vec<sock_filter> {
    let mut program = vec![step(LOAD, ARCH)];
    for calls in CALLS {
        let block = block(calls.sets, trapped);
        program.push(jump(EQUAL, calls.arch, 0, block.len()));
        program.extend(block);
    }
    program.push(PASS);
    program
}

const PASS: sock_filter = step(RETURN, libc::SECCOMP_RET_ALLOW);
const TRAP: sock_filter = step(RETURN, libc::SECCOMP_RET_USER_NOTIF);

/// The numbers of calls, and the code that decides about them.
type Test = (Vec<u32>, Vec<sock_filter>);

/// The program for one architecture: the number is compared with each in turn, and the code it leads to follows behind
/// the last comparison and the pass for all others.
fn block(sets: &[Numbers], trapped: &Trapped) -> Vec<sock_filter> {
    let tests = tests(sets, trapped);
    let count: usize = tests.iter().map(|(numbers, _)| numbers.len()).sum();
    let mut block = vec![step(LOAD, NUMBER)];
    let (mut at, mut offset) = (0, 0);
    for (numbers, code) in &tests {
        for &number in numbers {
            block.push(jump(EQUAL, number, count - at + offset, 0));
            at += 1;
        }
        offset += code.len();
    }
    block.push(PASS);
    block.extend(tests.into_iter().flat_map(|(_, code)| code));
    block
}

/// The most frequent calls come first.
fn tests(sets: &[Numbers], trapped: &Trapped) -> Vec<Test> {
    let all = |of: fn(&Numbers) -> u32| sets.iter().map(of).collect::<Vec<_>>();
    let mut tests = Vec::new();
    if !trapped.reads.is_empty() {
        let read = [
            all(|n| n.read),
            all(|n| n.readv),
            all(|n| n.preadv2),
            all(|n| n.dup),
        ];
        tests.push((read.concat(), within(&trapped.reads)));
        let fcntl: Vec<u32> = sets.iter().flat_map(|n| n.fcntl).copied().collect();
        tests.push((fcntl, duplicates(&trapped.reads)));
    }
    if trapped.makes() {
        tests.push((sets.iter().filter_map(|n| n.init).collect(), vec![TRAP]));
        tests.push((all(|n| n.init1), made()));
    }
    if trapped.watches != Watches::Masks(0) {
        tests.push((all(|n| n.add_watch), added(trapped.watches)));
    }
    if trapped.watches == Watches::All {
        tests.push((all(|n| n.rm_watch), removed()));
    }
    tests
}

/// A call on one of these descriptors.
fn within(reads: &Range<u32>) -> Vec<sock_filter> {
    vec![
        step(LOAD, FIRST),
        jump(AT_LEAST, reads.start, 0, 1),
        jump(AT_LEAST, reads.end, 0, 1),
        PASS,
        TRAP,
    ]
}

fn duplicates(reads: &Range<u32>) -> Vec<sock_filter> {
    let mut code = vec![
        step(LOAD, SECOND),
        jump(EQUAL, libc::F_DUPFD as u32, 2, 0),
        jump(EQUAL, libc::F_DUPFD_CLOEXEC as u32, 1, 0),
        PASS,
    ];
    code.extend(within(reads));
    code
}

/// An instance that the library has not made: it judges what is read from its own.
fn made() -> Vec<sock_filter> {
    vec![
        step(LOAD, SECOND),
        jump(EQUAL, OWN_INSTANCE as u32, 0, 3),
        step(LOAD, SECOND + UPPER),
        jump(EQUAL, (OWN_INSTANCE >> 32) as u32, 0, 1),
        PASS,
        TRAP,
    ]
}

fn added(watches: Watches) -> Vec<sock_filter> {
    let mut code = vec![
        step(LOAD, THIRD),
        step(AND, JUDGED),
        jump(EQUAL, JUDGED, 0, 1),
        PASS,
    ];
    if let Watches::Masks(bits) = watches {
        code.push(step(LOAD, THIRD));
        code.push(jump(ANY_OF, bits, 1, 0));
        code.push(PASS);
    }
    code.push(TRAP);
    code
}

fn removed() -> Vec<sock_filter> {
    vec![
        step(LOAD, SECOND),
        // Negative ones are wrong, and the kernel says so.
        jump(AT_LEAST, 1 << 31, 1, 0),
        jump(AT_LEAST, INVENTED, 1, 0),
        PASS,
        TRAP,
    ]
}

#[cfg(test)]
mod tests;
