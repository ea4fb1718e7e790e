//! The policy on arbitrary input, against plain models of what it should do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;
use rules::event::{ATTRIB, CLOSE_WRITE, EVENTS, ISDIR, MODIFY, ONESHOT, UNMOUNT};
use rules::memory::Memory;
use rules::record::{FILLER_WD, HEADER, Record, Verdict, compact, judge};
use rules::watch::{Fate, place};
use rules::{Engine, Rule, Rules, Texts};

/// The mask of the filler for watches placed through the hook.
const FILLER: u32 = 0;

type Event = (i32, u32, u32, Vec<u8>);

/// A record the kernel could have written.
fn event() -> impl Strategy<Value = Event> {
    let bit = proptest::sample::select(EVENTS).prop_map(|(bit, _)| bit);
    (1..40i32, bit, any::<bool>(), any::<u32>(), "[a-z.-]{0,20}").prop_map(
        |(wd, bit, dir, cookie, name)| {
            let mask = if dir { bit | ISDIR } else { bit };
            (wd, mask, cookie, name.into_bytes())
        },
    )
}

fn encode(events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (wd, mask, cookie, name) in events {
        let len = if name.is_empty() {
            0
        } else {
            (name.len() + 1).next_multiple_of(16)
        };
        bytes.extend(wd.to_ne_bytes());
        bytes.extend(mask.to_ne_bytes());
        bytes.extend(cookie.to_ne_bytes());
        bytes.extend((len as u32).to_ne_bytes());
        bytes.extend(name);
        bytes.resize(bytes.len() + len - name.len(), 0);
    }
    bytes
}

/// Decodes without the code under test; `None` where the bytes are no sequence of records.
fn decode(mut bytes: &[u8]) -> Option<Vec<Event>> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let len = word(12)? as usize;
        let name = bytes.get(16..16 + len)?;
        let name = name.split(|&c| c == 0).next().unwrap_or_default();
        events.push((word(0)? as i32, word(4)?, word(8)?, name.to_vec()));
        bytes = &bytes[16 + len..];
    }
    Some(events)
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Keep),
        Just(Verdict::Remove),
        // A bit that no generated record has.
        Just(Verdict::As(UNMOUNT)),
        Just(Verdict::After(UNMOUNT)),
    ]
}

proptest! {
    #[test]
    fn compaction_is_what_a_list_of_records_would_become(
        input in prop::collection::vec((event(), verdict()), 1..40),
        room in prop_oneof![Just(0), 0..4000usize],
    ) {
        let (events, verdicts): (Vec<_>, Vec<_>) = input.into_iter().unzip();
        let mut buf = encode(&events);
        let filled = buf.len();
        buf.resize(filled + room, 0xaa);
        let mut each = verdicts.iter();
        let n = compact(&mut buf, filled, true, |_| *each.next().unwrap());
        prop_assert!(n <= buf.len() && n >= HEADER);

        let got = decode(&buf[..n]).expect("a sequence of records");
        let mut want = Vec::new();
        for (event, verdict) in events.iter().zip(&verdicts) {
            let masked = |mask| (event.0, mask, event.2, event.3.clone());
            match *verdict {
                Verdict::Keep => want.push(event.clone()),
                Verdict::Remove => {}
                Verdict::As(mask) => want.push(masked(mask)),
                Verdict::After(mask) => {
                    // Without room for a copy, one record has both masks.
                    let at = want.len();
                    if got.get(at) == Some(&masked(mask | event.1)) {
                        prop_assert!(room < (verdicts.len() + 1) * (HEADER + 32));
                        want.push(masked(mask | event.1));
                    } else {
                        want.push(masked(mask));
                        want.push(event.clone());
                    }
                }
            }
        }
        if room == 0 {
            prop_assert_eq!(n, filled, "a full buffer stays full");
        }
        if want.is_empty() || room == 0 && want.len() < got.len() {
            want.push((FILLER_WD, FILLER, 0, Vec::new()));
        }
        prop_assert_eq!(&want, &got);
    }

    #[test]
    fn arbitrary_bytes_are_never_a_panic_and_never_grow_past_the_buffer(
        mut buf in prop::collection::vec(any::<u8>(), 0..300),
        filled in 0..400usize,
        verdicts in prop::collection::vec(verdict(), 20),
    ) {
        let mut each = verdicts.iter().cycle();
        let n = compact(&mut buf, filled, true, |_| *each.next().unwrap());
        prop_assert!(n <= buf.len());
    }

    #[test]
    fn what_is_no_sequence_of_records_is_left_as_it_is(
        events in prop::collection::vec(event(), 0..3),
        tail in prop::collection::vec(any::<u8>(), 1..50),
    ) {
        prop_assume!(Record::read(&tail).is_none());
        let bytes = [encode(&events), tail].concat();
        let mut buf = bytes.clone();
        prop_assert_eq!(compact(&mut buf, bytes.len(), true, |_| Verdict::Remove), bytes.len());
        prop_assert_eq!(buf, bytes);
    }

    #[test]
    fn rules_of_any_text_are_parsed_or_named(texts in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..40)), Rule::ALL.len())) {
        let mut parsed = Texts::default();
        for (to, from) in parsed.values.iter_mut().zip(&texts) {
            *to = from.as_deref();
        }
        let mut errors = Vec::new();
        let rules = Rules::parse(Engine::Library, &parsed, &mut |error| errors.push(error));
        for error in errors {
            prop_assert!(error.position >= 1);
            prop_assert!(error.to_string().starts_with(error.rule.variable()));
        }
        // Whatever was accepted can be asked.
        rules.ignore.match_name(b"x.sqlite-wal");
        rules.drop.match_below(b"/a/b/c", Some(b"/a"));
        rules.settle.match_below(b"/a/b/c", Some(b"/a"));
    }

    #[test]
    fn a_pattern_without_wildcards_matches_itself_and_nothing_else(
        name in "[^*?:\\\\/\0+][^*?:\\\\/\0]{0,10}",
        other in "[^/\0]{0,10}",
    ) {
        prop_assume!(name != "none");
        let mut texts = Texts::default();
        texts.values[2] = Some(name.as_bytes());
        let rules = Rules::parse(Engine::Library, &texts, &mut |error| panic!("{error}"));
        prop_assert!(rules.ignore.match_name(name.as_bytes()));
        prop_assert_eq!(rules.ignore.match_name(other.as_bytes()), name == other);
    }

    #[test]
    fn a_watch_never_reports_what_was_neither_asked_nor_stands_in_for_it(
        asked in 1..0x1000u32,
        fate in fate(),
        events in prop::collection::vec(event(), 1..40),
    ) {
        let memory = Box::new(Memory::new());
        let rules = settling();
        let placed = place(rules.strip, fate, asked);
        for wd in 1..40 {
            memory.place(3, wd, placed.asked, false);
        }
        // The kernel sends what the mask has.
        let events: Vec<_> = events.into_iter().filter(|e| e.1 & placed.mask & 0xfff != 0).collect();
        prop_assume!(!events.is_empty());
        let mut buf = encode(&events);
        let filled = buf.len();
        buf.resize(filled * 2, 0);
        let n = compact(&mut buf, filled, true, |record| judge(&rules, &memory, 3, record));
        for (wd, mask, ..) in decode(&buf[..n]).expect("a sequence of records") {
            prop_assert!(wd == -1 || mask & 0xfff & !asked == 0, "{mask:#x} of {asked:#x}");
        }
    }

    /// Whatever else is asked for, by whichever calls, and whoever reads: a write is never lost.
    #[test]
    fn every_settled_write_is_a_modify(
        asked in (1..0x1000u32).prop_map(|mask| mask | MODIFY),
        strip in (0..0x1000u32).prop_map(|mask| mask & !MODIFY),
        oneshot in any::<bool>(),
        added in prop::option::of((1..0x1000u32, fate())),
        others in prop::collection::vec((0x1..0x1000u32, fate()), 0..4),
        reader in 3..5i32,
        names in prop::collection::vec("[a-z]{1,20}", 1..10),
    ) {
        let memory = Box::new(Memory::new());
        let rules = Rules { strip, ..settling() };
        let flag = if oneshot { ONESHOT } else { 0 };
        let settled = place(strip, Fate::Settled, asked | flag);
        prop_assert_eq!(settled.mask & (MODIFY | CLOSE_WRITE), CLOSE_WRITE);
        memory.place(3, 1, settled.asked, false);
        if let Some((mask, fate)) = added {
            memory.place(3, 1, place(strip, fate, mask).asked, true);
        }
        for (wd, (mask, fate)) in (2..).zip(others) {
            memory.place(3, wd, place(strip, fate, mask).asked, false);
        }
        for name in &names {
            let written = [(1, CLOSE_WRITE, 0, name.clone().into_bytes())];
            let mut buf = encode(&written);
            let filled = buf.len();
            buf.resize(filled * 2, 0);
            let n = compact(&mut buf, filled, true, |r| judge(&rules, &memory, reader, r));
            let seen = decode(&buf[..n]).expect("a sequence of records");
            prop_assert_eq!(seen[0].1, MODIFY);
            prop_assert!(seen[1..].iter().all(|e| e.1 == CLOSE_WRITE));
            // And is told of its end only if it asked.
            if reader == 3 && added.is_none() {
                let wanted = asked & !strip & CLOSE_WRITE != 0 && !oneshot;
                prop_assert_eq!(seen.len() == 2, wanted);
            }
        }
    }
}

/// The default rules, with directories that settle: which ones does not matter to records.
fn settling() -> Rules<'static> {
    let mut texts = Texts::default();
    texts.values[3] = Some(b"/settled");
    Rules::parse(Engine::Library, &texts, &mut |error| panic!("{error}"))
}

fn fate() -> impl Strategy<Value = Fate> {
    proptest::sample::select(vec![Fate::Plain, Fate::Settled, Fate::Muted])
}

/// Reads `events` as one batch under the default rules, for a watch that asked for `asked`.
fn seen(asked: u32, events: &[(u32, &str)]) -> Vec<(u32, String)> {
    seen_in(Fate::Plain, asked, events)
}

fn seen_in(fate: Fate, asked: u32, events: &[(u32, &str)]) -> Vec<(u32, String)> {
    let memory = Box::new(Memory::new());
    let rules = settling();
    let placed = place(rules.strip, fate, asked);
    memory.place(3, 1, placed.asked, false);
    let events: Vec<Event> = events
        .iter()
        .map(|(mask, name)| (1, *mask, 0, name.as_bytes().to_vec()))
        .collect();
    let mut buf = encode(&events);
    let filled = buf.len();
    buf.resize(filled * 2, 0);
    let n = compact(&mut buf, filled, true, |r| judge(&rules, &memory, 3, r));
    decode(&buf[..n])
        .unwrap()
        .into_iter()
        .map(|(_, mask, _, name)| (mask, String::from_utf8(name).unwrap()))
        .collect()
}

#[test]
fn touch_is_attrib_and_a_write_is_not() {
    let touch = [(CLOSE_WRITE, "f")];
    let write = [(MODIFY, "f"), (CLOSE_WRITE, "f")];
    let f = |mask| (mask, "f".to_owned());
    let filler = vec![(FILLER, String::new())];
    // node: ATTRIB and MODIFY, no CLOSE_WRITE.
    assert_eq!(seen(0xfc6, &touch), [f(ATTRIB)]);
    assert_eq!(seen(0xfc6, &write), [f(MODIFY)]);
    // notify: all three.
    assert_eq!(seen(0xfee, &touch), [f(ATTRIB), f(CLOSE_WRITE)]);
    assert_eq!(seen(0xfee, &write), [f(MODIFY), f(CLOSE_WRITE)]);
    // Qt on a directory: ATTRIB alone.
    assert_eq!(seen(0x7c4, &touch), [f(ATTRIB)]);
    assert_eq!(seen(0x7c4, &write), filler);
    // entr: no ATTRIB, so CLOSE_WRITE is its own.
    assert_eq!(seen(0xfca, &touch), [f(CLOSE_WRITE)]);
}

#[test]
fn in_a_settled_watch_a_write_and_a_touch_are_one_modify() {
    let closed = [(CLOSE_WRITE, "f")];
    let f = |mask| (mask, "f".to_owned());
    for mask in [0xfc6, MODIFY] {
        assert_eq!(seen_in(Fate::Settled, mask, &closed), [f(MODIFY)]);
    }
    for mask in [0xfee, 0xfca] {
        let seen = seen_in(Fate::Settled, mask, &closed);
        assert_eq!(seen, [f(MODIFY), f(CLOSE_WRITE)]);
    }
    // Without MODIFY it is as any other: Qt on a directory.
    assert_eq!(seen_in(Fate::Settled, 0x7c4, &closed), [f(ATTRIB)]);
    let write = [(MODIFY, "f"), (CLOSE_WRITE, "f")];
    assert_eq!(
        seen_in(Fate::Settled, 0x7c4, &write),
        [(FILLER, String::new())]
    );
}

#[test]
fn a_name_never_removes_a_directory_or_a_notice() {
    use rules::event::{CREATE, DELETE_SELF, IGNORED};
    for mask in [CREATE | ISDIR, IGNORED, DELETE_SELF] {
        assert_eq!(
            seen(0xfff, &[(mask, "x.sqlite")]),
            [(mask, "x.sqlite".to_owned())]
        );
    }
    assert_eq!(
        seen(0xfff, &[(CREATE, "x.sqlite")]),
        [(FILLER, String::new())]
    );
}
