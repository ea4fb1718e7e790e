use super::*;
use rules::watch::{Fate, reduce};
use rules::{Engine, Texts};

/// Runs a program as the kernel does (net/core/filter.c), on a call.
fn passes(program: &[sock_filter], arch: u32, number: u32, arguments: [u64; 3]) -> bool {
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
                    _ => (arguments[(k as usize - 16) / 8] >> (k % 8 * 8)) as u32,
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

fn watches(watches: Watches) -> Trapped {
    Trapped {
        watches,
        reads: 0..0,
        keeps: false,
    }
}

fn sets() -> impl Iterator<Item = (u32, &'static Numbers)> {
    CALLS
        .iter()
        .flat_map(|calls| calls.sets.iter().map(|set| (calls.arch, set)))
}

#[test]
fn the_filter_traps_the_masks_it_is_given_in_every_kind_of_call() {
    let program = program(&watches(Watches::Masks(0x31)));
    for (arch, set) in sets() {
        let passes = |number, mask| passes(&program, arch, number, [3, 0, mask]);
        for mask in [0x20, 0xfff, 0x8000_0001, 0x3ee | JUDGED & 0x4000] {
            assert!(!passes(set.add_watch, mask.into()), "{mask:#x}");
        }
        for mask in [0, 0x3ce, 0x0100_0002, 0xfff | JUDGED, 0x1 | JUDGED] {
            assert!(passes(set.add_watch, mask.into()), "{mask:#x}");
        }
        for number in [set.rm_watch, set.add_watch + 2, set.read, set.init1] {
            assert!(passes(number, 0xfff), "{number}");
        }
    }
}

#[test]
fn with_a_budget_every_watch_is_seen_and_every_invented_one() {
    let program = program(&watches(Watches::All));
    for (arch, set) in sets() {
        let passes = |number, wd: u32, mask| passes(&program, arch, number, [3, wd.into(), mask]);
        assert!(!passes(set.add_watch, 0, 0) && !passes(set.add_watch, 0, 0x2));
        assert!(passes(set.add_watch, 0, 0x2 | u64::from(JUDGED)));
        assert!(!passes(set.rm_watch, INVENTED, 0) && !passes(set.rm_watch, 0x7fff_ffff, 0));
        for wd in [0, 1, INVENTED - 1, 0x8000_0000, u32::MAX] {
            assert!(passes(set.rm_watch, wd, 0), "{wd:#x}");
        }
    }
}

#[test]
fn reads_and_copies_of_the_numbers_that_are_judged_are_trapped_and_no_others() {
    let program = program(&Trapped {
        watches: Watches::Masks(0x31),
        reads: 1008..1024,
        keeps: false,
    });
    for (arch, set) in sets() {
        let passes = |number, args| passes(&program, arch, number, args);
        for number in [set.read, set.readv, set.preadv2, set.dup] {
            // The kernel looks at the lower half of an integer.
            for fd in [1008, 1023, 1 << 32 | 1010] {
                assert!(!passes(number, [fd, 0, 0]), "{number} {fd}");
            }
            for fd in [0, 1007, 1024, 1 << 31, u64::MAX] {
                assert!(passes(number, [fd, 0, 0]), "{number} {fd}");
            }
        }
        for &number in set.fcntl {
            for command in [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC] {
                assert!(!passes(number, [1010, command as u64, 0]));
                assert!(passes(number, [3, command as u64, 0]));
            }
            assert!(passes(number, [1010, libc::F_GETFL as u64, 0]));
        }
        for number in set.init.into_iter().chain([set.init1]) {
            assert!(!passes(number, [0, 0, 0]) && !passes(number, [0x800, OWN_INSTANCE >> 32, 0]));
        }
        assert!(passes(set.init1, [0, OWN_INSTANCE, 0]));
        assert!(!passes(
            set.init1,
            [0, OWN_INSTANCE & u64::from(u32::MAX), 0]
        ));
        assert!(!passes(set.add_watch, [3, 0, 0x20]) && passes(set.add_watch, [3, 0, 0x2]));
    }
}

#[test]
fn what_settles_only_where_a_database_is_open_is_not_trapped_for_that() {
    let by = |strip: &'static [u8], ignore: &'static [u8], settle: Option<&'static [u8]>| {
        let mut texts = Texts::default();
        texts.values[..4].copy_from_slice(&[Some(strip), None, Some(ignore), settle]);
        let rules = Rules::parse(Engine::Masks, &texts, &mut |e| panic!("{e}"));
        let trapped = Trapped::by(&rules, 0..0, false);
        (trapped.watches, trapped.settles_unseen(&rules))
    };
    let none = b"none";
    assert_eq!(by(none, none, None), (Watches::Masks(0), true));
    assert_eq!(by(b"open", none, None), (Watches::Masks(0x20), true));
    assert_eq!(by(none, none, Some(none)), (Watches::Masks(0), false));
    // Seen for its path or its name, it settles at once.
    for (ignore, settle) in [(&none[..], Some(&b"+/d"[..])), (b"*.x", None)] {
        let (trapped, unseen) = by(none, ignore, settle);
        assert!(!unseen, "{trapped:?}");
    }
    let nothing = watches(Watches::Masks(0));
    assert!(nothing.is_nothing());
    for (arch, set) in sets() {
        assert!(passes(
            &program(&nothing),
            arch,
            set.add_watch,
            [3, 0, 0xfff]
        ));
    }
}

#[test]
fn where_reads_are_judged_a_watch_that_asks_for_attribute_changes_is_seen() {
    let by = |strip: &'static [u8], reads| {
        let mut texts = Texts::default();
        texts.values[0] = Some(strip);
        texts.values[2] = Some(b"none");
        let rules = Rules::parse(Engine::Masks, &texts, &mut |e| panic!("{e}"));
        Trapped::by(&rules, reads, false)
    };
    assert_eq!(by(b"open,chmod", 8..24).watches, Watches::Masks(0x24));
    assert_eq!(by(b"open,chmod", 0..0).watches, Watches::Masks(0x20));
    // Nothing of what is read would be changed.
    assert_eq!(by(b"open", 8..24), watches(Watches::Masks(0x20)));
}

#[test]
fn where_copies_are_kept_every_instance_is_made_by_the_supervisor() {
    let program = program(&Trapped {
        watches: Watches::Masks(0x20),
        reads: 0..0,
        keeps: true,
    });
    for (arch, set) in sets() {
        let passes = |number, args| passes(&program, arch, number, args);
        for number in set.init.into_iter().chain([set.init1]) {
            assert!(!passes(number, [0, 0, 0]));
        }
        assert!(passes(set.init1, [0, OWN_INSTANCE, 0]));
        assert!(passes(set.read, [1010, 0, 0]) && passes(set.dup, [1010, 0, 0]));
    }
}

#[test]
fn calls_of_an_unknown_kind_pass() {
    let program = program(&watches(Watches::All));
    assert!(passes(&program, 0x1234, 254, [0, 0, 0xfff]));
}
