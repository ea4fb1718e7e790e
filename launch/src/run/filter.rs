//! Which system calls are handed to the supervisor: the filter program, and how it is reckoned.
//!
//! A call is trapped only if the rules may change it. All others pay what the kernel takes for any filter.

use libc::sock_filter;
use rules::Rules;
use rules::event::{
    ALL_EVENTS, CREATE, DELETE, DELETE_SELF, MODIFY, MOVE_SELF, MOVED_FROM, MOVED_TO,
};
use rules::watch::JUDGED;

/// Watch descriptors from here on are invented: the kernel counts up from 1 and has none of them.
pub const INVENTED: u32 = 0x4000_0000;

/// Which calls the filter traps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trapped {
    /// inotify_add_watch with one of these bits in its mask.
    Masks(u32),
    /// Every inotify_add_watch, and inotify_rm_watch of an invented watch.
    All,
}

impl Trapped {
    /// What these rules need to see.
    pub fn by(rules: &Rules<'_>) -> Trapped {
        if rules.max_watches.is_some() {
            Trapped::All
        } else {
            Trapped::Masks(changeable(rules))
        }
    }

    /// Whether watches that settle beside a database may be placed unseen.
    ///
    /// Hardly any watch is on a directory with a database of its own process, so for those a call is not trapped. They
    /// settle later, as those do where the database is opened later.
    pub fn settles_unseen(self, rules: &Rules<'_>) -> bool {
        rules.settle_own && matches!(self, Trapped::Masks(bits) if bits & MODIFY == 0)
    }
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

/// One kind of system calls: its `AUDIT_ARCH_*` (include/uapi/linux/audit.h), and the numbers of inotify_add_watch and
/// inotify_rm_watch in it.
struct Calls {
    arch: u32,
    numbers: &'static [(u32, u32)],
}

/// x32 calls (bit 30, arch/x86/include/uapi/asm/unistd.h) come with the architecture of 64-bit ones.
#[cfg(target_arch = "x86_64")]
const CALLS: &[Calls] = &[
    Calls {
        arch: 0xc000_003e,
        numbers: &[(254, 255), (254 | 1 << 30, 255 | 1 << 30)],
    },
    Calls {
        arch: 0x4000_0003,
        numbers: &[(292, 293)],
    },
];

#[cfg(target_arch = "aarch64")]
const CALLS: &[Calls] = &[Calls {
    arch: 0xc000_00b7,
    numbers: &[(27, 28)],
}];

/// Whether a trapped call is inotify_rm_watch.
pub fn is_removal(data: &libc::seccomp_data) -> bool {
    let number = data.nr as u32;
    CALLS
        .iter()
        .filter(|calls| calls.arch == data.arch)
        .flat_map(|calls| calls.numbers)
        .any(|&(_, remove)| remove == number)
}

/// Offsets in `struct seccomp_data`; arguments are 64 bits wide, and their lower half is looked at.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const SECOND: u32 = argument(1);
const THIRD: u32 = argument(2);

const fn argument(at: u32) -> u32 {
    let half = if cfg!(target_endian = "big") { 4 } else { 0 };
    16 + 8 * at + half
}

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const ANY_OF: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;

fn step(code: u32, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

/// Jumps are counted from the next instruction on.
fn jump(code: u32, k: u32, yes: usize, no: usize) -> sock_filter {
    sock_filter {
        code: code as u16,
        // No program here is longer than some forty instructions.
        jt: yes as u8,
        jf: no as u8,
        k,
    }
}

/// The filter program (seccomp(2), kernel's Documentation/userspace-api/seccomp_filter.rst).
///
/// Architecture and number are looked at first: the kernel then finds out once which numbers always pass, and does
/// not run the program for these (Linux 5.11).
pub fn program(trapped: Trapped) -> Vec<sock_filter> {
    let mut program = vec![step(LOAD, ARCH)];
    for calls in CALLS {
        let block = block(calls.numbers, trapped);
        program.push(jump(EQUAL, calls.arch, 0, block.len()));
        program.extend(block);
    }
    program.push(step(RETURN, libc::SECCOMP_RET_ALLOW));
    program
}

fn block(numbers: &[(u32, u32)], trapped: Trapped) -> Vec<sock_filter> {
    let add = added(trapped);
    let remove = match trapped {
        Trapped::Masks(_) => Vec::new(),
        Trapped::All => removed(),
    };
    let mut tests = Vec::new();
    for &(add_watch, rm_watch) in numbers {
        if trapped != Trapped::Masks(0) {
            tests.push((add_watch, 0));
        }
        if !remove.is_empty() {
            tests.push((rm_watch, add.len()));
        }
    }
    let mut block = vec![step(LOAD, NUMBER)];
    for (at, &(number, offset)) in tests.iter().enumerate() {
        // Over the tests that are left and the pass behind them.
        let yes = tests.len() - at + offset;
        block.push(jump(EQUAL, number, yes, 0));
    }
    block.push(step(RETURN, libc::SECCOMP_RET_ALLOW));
    block.extend(add);
    block.extend(remove);
    block
}

fn added(trapped: Trapped) -> Vec<sock_filter> {
    let mut code = vec![
        step(LOAD, THIRD),
        step(AND, JUDGED),
        jump(EQUAL, JUDGED, 0, 1),
        step(RETURN, libc::SECCOMP_RET_ALLOW),
    ];
    if let Trapped::Masks(bits) = trapped {
        code.push(step(LOAD, THIRD));
        code.push(jump(ANY_OF, bits, 1, 0));
        code.push(step(RETURN, libc::SECCOMP_RET_ALLOW));
    }
    code.push(step(RETURN, libc::SECCOMP_RET_USER_NOTIF));
    code
}

fn removed() -> Vec<sock_filter> {
    vec![
        step(LOAD, SECOND),
        // Negative ones are wrong, and the kernel says so.
        jump(AT_LEAST, 1 << 31, 1, 0),
        jump(AT_LEAST, INVENTED, 1, 0),
        step(RETURN, libc::SECCOMP_RET_ALLOW),
        step(RETURN, libc::SECCOMP_RET_USER_NOTIF),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rules::watch::{Fate, reduce};
    use rules::{Engine, Texts};

    /// Runs a program as the kernel does (net/core/filter.c), on a call.
    fn passes(program: &[sock_filter], arch: u32, number: u32, arguments: [u32; 3]) -> bool {
        let (mut at, mut a) = (0, 0u32);
        loop {
            let op = &program[at];
            at += 1;
            let k = op.k;
            let mut branch = |taken| at += usize::from(if taken { op.jt } else { op.jf });
            match u32::from(op.code) {
                LOAD => {
                    a = match k {
                        NUMBER => number,
                        ARCH => arch,
                        _ => arguments[(k as usize - 16) / 8],
                    }
                }
                AND => a &= k,
                EQUAL => branch(a == k),
                AT_LEAST => branch(a >= k),
                ANY_OF => branch(a & k != 0),
                RETURN => return k == libc::SECCOMP_RET_ALLOW,
                code => panic!("instruction {code:#x}"),
            }
        }
    }

    /// Every rule set that differs in what it may change: strip, drop, ignore, settle.
    fn rule_sets() -> impl Iterator<Item = [Option<&'static [u8]>; 7]> {
        let strips: [&[u8]; 4] = [
            b"none",
            b"open,access,close_nowrite",
            b"modify,create",
            b"all_events",
        ];
        strips.into_iter().flat_map(|strip| {
            (0..8).map(move |set| {
                let list = |bit: u32, text: &'static [u8]| {
                    Some(if set & bit != 0 { text } else { &b"none"[..] })
                };
                let values = [list(1, b"/d"), list(2, b"*.x"), list(4, b"+/s")];
                let [drop, ignore, settle] = values;
                [Some(strip), drop, ignore, settle, None, None, None]
            })
        })
    }

    #[test]
    fn a_mask_that_passes_is_one_no_fate_changes() {
        for values in rule_sets() {
            let texts = Texts { values, home: None };
            let rules = Rules::parse(Engine::Masks, &texts, &mut |e| panic!("{e}"));
            let bits = changeable(&rules);
            for mask in (0..=ALL_EVENTS).filter(|mask| mask & bits == 0) {
                let events = |fate| reduce(rules.strip, fate, mask) & ALL_EVENTS;
                assert_eq!(events(Fate::Plain), mask);
                if !rules.settle.is_empty() {
                    assert_eq!(events(Fate::Settled), mask);
                }
                if !rules.drop.is_empty() {
                    assert_eq!(events(Fate::Muted), mask);
                } else if !rules.ignore.is_empty() {
                    // Only files are muted by their names, and these have no entries.
                    let entries = CREATE | DELETE | MOVED_FROM | MOVED_TO;
                    assert_eq!(events(Fate::Muted), mask & !entries);
                }
            }
        }
    }

    #[test]
    fn no_more_is_trapped_than_some_fate_changes() {
        for values in rule_sets() {
            let texts = Texts { values, home: None };
            let rules = Rules::parse(Engine::Masks, &texts, &mut |e| panic!("{e}"));
            let mut fates = vec![Fate::Plain];
            if !rules.settle.is_empty() {
                fates.push(Fate::Settled);
            }
            if !rules.drop.is_empty() || !rules.ignore.is_empty() {
                fates.push(Fate::Muted);
            }
            for bit in (0..12).map(|n| 1 << n) {
                if changeable(&rules) & bit != 0 {
                    let changed = |&fate: &Fate| reduce(rules.strip, fate, bit) != bit;
                    assert!(fates.iter().any(changed), "{bit:#x} {rules:?}");
                }
            }
        }
    }

    #[test]
    fn the_filter_traps_the_masks_it_is_given_in_every_kind_of_call() {
        let program = program(Trapped::Masks(0x31));
        for calls in CALLS {
            for &(add, rm) in calls.numbers {
                let passes = |number, mask| passes(&program, calls.arch, number, [3, 0, mask]);
                for mask in [0x20, 0xfff, 0x8000_0001, 0x3ee | JUDGED & 0x4000] {
                    assert!(!passes(add, mask), "{mask:#x}");
                }
                for mask in [0, 0x3ce, 0x0100_0002, 0xfff | JUDGED, 0x1 | JUDGED] {
                    assert!(passes(add, mask), "{mask:#x}");
                }
                assert!(passes(rm, 0xfff) && passes(add + 1, 0xfff) && passes(0, 0xfff));
            }
        }
    }

    #[test]
    fn with_a_budget_every_watch_is_seen_and_every_invented_one() {
        let program = program(Trapped::All);
        for calls in CALLS {
            for &(add, rm) in calls.numbers {
                let passes = |number, wd, mask| passes(&program, calls.arch, number, [3, wd, mask]);
                assert!(!passes(add, 0, 0) && !passes(add, 0, 0x2));
                assert!(passes(add, 0, 0x2 | JUDGED));
                assert!(!passes(rm, INVENTED, 0) && !passes(rm, 0x7fff_ffff, 0));
                for wd in [0, 1, INVENTED - 1, 0x8000_0000, u32::MAX] {
                    assert!(passes(rm, wd, 0), "{wd:#x}");
                }
            }
        }
    }

    #[test]
    fn what_settles_only_where_a_database_is_open_is_not_trapped_for_that() {
        let by = |strip: &'static [u8], ignore: &'static [u8], settle: Option<&'static [u8]>| {
            let mut texts = Texts::default();
            texts.values[..4].copy_from_slice(&[Some(strip), None, Some(ignore), settle]);
            let rules = Rules::parse(Engine::Masks, &texts, &mut |e| panic!("{e}"));
            let trapped = Trapped::by(&rules);
            (trapped, trapped.settles_unseen(&rules))
        };
        let none = b"none";
        assert_eq!(by(none, none, None), (Trapped::Masks(0), true));
        assert_eq!(by(b"open", none, None), (Trapped::Masks(0x20), true));
        assert_eq!(by(none, none, Some(none)), (Trapped::Masks(0), false));
        // Seen for its path or its name, it settles at once.
        for (ignore, settle) in [(&none[..], Some(&b"+/d"[..])), (b"*.x", None)] {
            let (trapped, unseen) = by(none, ignore, settle);
            assert!(!unseen, "{trapped:?}");
        }
        let passes = |mask| {
            let [calls, ..] = CALLS else { unreachable!() };
            let (add, _) = calls.numbers[0];
            passes(&program(Trapped::Masks(0)), calls.arch, add, [3, 0, mask])
        };
        assert!(passes(0) && passes(0xfff));
    }

    #[test]
    fn calls_of_an_unknown_kind_pass() {
        assert!(passes(&program(Trapped::All), 0x1234, 254, [0, 0, 0xfff]));
    }
}
