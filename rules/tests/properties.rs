//! The policy on arbitrary input, against plain models of what it should do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;
use rules::event::{ATTRIB, CLOSE_WRITE, EVENTS, ISDIR, MODIFY, MOVED_FROM, MOVED_TO, UNMOUNT};
use rules::record::{FILLER_WD, HEADER, Record, Verdict, Watches, compact, judge};
use rules::watch::{Asked, Fate, reduce};
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
            let moved = bit & (MOVED_FROM | MOVED_TO) != 0;
            (wd, mask, if moved { cookie } else { 0 }, name.into_bytes())
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

/// Decodes without the code under test; `None` where the bytes are not a sequence of records.
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
        let full = room == 0;
        let mut each = verdicts.iter();
        let n = compact(&mut buf, filled, full, true, |_| *each.next().unwrap());
        prop_assert!((HEADER..=buf.len()).contains(&n));

        let got = decode(&buf[..n]).expect("a sequence of records");
        let mut want = Vec::new();
        let mut twice = false;
        for (event, verdict) in events.iter().zip(&verdicts) {
            let masked = |mask| (event.0, mask, event.2, event.3.clone());
            match *verdict {
                Verdict::Keep => want.push(event.clone()),
                Verdict::Remove => {}
                Verdict::As(mask) => want.push(masked(mask)),
                Verdict::After(mask) => {
                    twice = true;
                    want.push(masked(mask));
                    // Without room for both there is the copy alone.
                    if got.get(want.len()) == Some(event) {
                        want.push(event.clone());
                    } else {
                        prop_assert!(room < filled);
                    }
                }
            }
        }
        if full {
            prop_assert_eq!(n, filled, "a full buffer stays full");
        }
        if want.is_empty() || full && want.len() < got.len() {
            want.push((FILLER_WD, FILLER, 0, Vec::new()));
        }
        prop_assert_eq!(&want, &got);
        prop_assert!(twice || buf[filled..].iter().all(|&c| c == 0xaa), "no byte behind the records");
    }

    #[test]
    fn arbitrary_bytes_are_never_a_panic(
        mut buf in prop::collection::vec(any::<u8>(), 0..300),
        filled in 0..400usize,
        full in any::<bool>(),
        verdicts in prop::collection::vec(verdict(), 20),
    ) {
        let mut each = verdicts.iter().cycle();
        let n = compact(&mut buf, filled, full, true, |_| *each.next().unwrap());
        prop_assert!(n <= buf.len());
    }

    #[test]
    fn what_is_not_a_sequence_of_records_is_left_as_it_is(
        events in prop::collection::vec(event(), 0..3),
        tail in prop::collection::vec(any::<u8>(), 1..50),
    ) {
        prop_assume!(Record::read(&tail).is_none());
        let bytes = [encode(&events), tail].concat();
        let mut buf = bytes.clone();
        prop_assert_eq!(compact(&mut buf, bytes.len(), true, true, |_| Verdict::Remove), bytes.len());
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

    /// Nothing lost and nothing invented: what a program reads is what it would read bare, less what the rules
    /// take away, in the same order and with the same words.
    #[test]
    fn what_is_read_is_what_bare_reads_less_what_the_rules_remove(
        asked in 1..0x1000u32,
        strip in 0..0x1000u32,
        chmod in any::<bool>(),
        changes in any::<u64>(),
        events in prop::collection::vec(event(), 1..40),
    ) {
        let rules = Rules { strip, chmod, ..Rules::DEFAULT };
        let mask = reduce(strip, Fate::Plain, asked);
        // Wd by wd, so that the model can tell which were asked about.
        let watches = Known { asked: PLAIN, changes };
        // The kernel sends what the mask has.
        let events: Vec<_> = events.into_iter().filter(|e| e.1 & mask & 0xfff != 0).collect();
        prop_assume!(!events.is_empty());
        let want: Vec<_> = events
            .iter()
            .filter(|(wd, mask, _, name)| {
                let name = std::str::from_utf8(name).unwrap();
                let of_a_file = mask & (ISDIR | 0xc00) == 0 && !name.is_empty();
                !(of_a_file && is_a_database(name)
                    || chmod && mask & 0xfff == ATTRIB && changes >> wd & 1 == 0)
            })
            .cloned()
            .collect();
        prop_assert_eq!(read(&rules, &watches, &events), want);
    }

    #[test]
    fn every_settled_write_is_a_modify(
        asked in (1..0x1000u32).prop_map(|mask| mask | MODIFY),
        strip in (0..0x1000u32).prop_map(|mask| mask & !MODIFY),
        names in prop::collection::vec("[a-z]{1,20}", 1..10),
    ) {
        let rules = Rules { strip, ..settling() };
        prop_assert_eq!(reduce(strip, Fate::Settled, asked) & (MODIFY | CLOSE_WRITE), CLOSE_WRITE);
        let watches = Known { asked: Asked::of(strip, Fate::Settled, asked), changes: 0 };
        let event = |mask| move |name: &String| (1, mask, 0, name.clone().into_bytes());
        let written: Vec<_> = names.iter().map(event(CLOSE_WRITE)).collect();
        let mut seen = read(&rules, &watches, &written);
        // And is told of its end only if it asked.
        if asked & !strip & CLOSE_WRITE != 0 {
            let ends: Vec<_> = seen.iter().skip(1).step_by(2).cloned().collect();
            prop_assert_eq!(ends, written);
            seen = seen.into_iter().step_by(2).collect();
        }
        let modified: Vec<_> = names.iter().map(event(MODIFY)).collect();
        prop_assert_eq!(seen, modified);
    }
}

/// What is known of watches, as the tests say it.
struct Known {
    asked: Asked,
    /// A bit for each wd: the file was touched or is no more.
    changes: u64,
}

impl Watches for Known {
    fn asked(&self, _: &Record<'_>) -> Asked {
        self.asked
    }

    fn was_written(&self, _: &Record<'_>) -> bool {
        true
    }

    fn is_change(&self, record: &Record<'_>) -> bool {
        assert_ne!(record.mask & ATTRIB, 0, "only ATTRIB is asked about");
        self.changes >> record.wd & 1 == 1
    }
}

/// A watch that is not settled.
const PLAIN: Asked = Asked::from_bits(0);

/// The default names, without the code under test.
fn is_a_database(name: &str) -> bool {
    let side = ["-wal", "-shm", "-journal"];
    [".sqlite", ".sqlite3"]
        .iter()
        .any(|end| name.ends_with(end))
        || side.iter().any(|end| {
            name.strip_suffix(end)
                .is_some_and(|name| name.contains('.'))
        })
}

/// The default rules, with directories that settle: which ones does not matter to records.
fn settling() -> Rules<'static> {
    let mut texts = Texts::default();
    texts.values[3] = Some(b"/settled");
    Rules::parse(Engine::Library, &texts, &mut |error| panic!("{error}"))
}

/// What a program reads where the kernel has `events`, fillers left out.
fn read(rules: &Rules<'_>, watches: &Known, events: &[Event]) -> Vec<Event> {
    let mut buf = encode(events);
    let filled = buf.len();
    buf.resize(filled * 2, 0);
    let n = compact(&mut buf, filled, false, true, |record| {
        judge(rules, watches, record)
    });
    let mut events = decode(&buf[..n]).expect("a sequence of records");
    events.retain(|&(wd, ..)| wd != FILLER_WD);
    events
}

/// Reads one record of a watch that is not settled, of a file that was touched or not.
fn seen(rules: &Rules<'_>, touched: bool, mask: u32, name: &str) -> bool {
    let watches = Known {
        asked: PLAIN,
        changes: u64::from(touched) << 1,
    };
    let event = (1, mask, 0, name.as_bytes().to_vec());
    match &read(rules, &watches, std::slice::from_ref(&event))[..] {
        [] => false,
        events => {
            assert_eq!(events, [event]);
            true
        }
    }
}

#[test]
fn an_attribute_change_is_seen_if_it_is_a_touch_or_an_end() {
    for name in ["f", ""] {
        for mask in [ATTRIB, ATTRIB | ISDIR] {
            assert!(seen(&Rules::DEFAULT, true, mask, name));
            assert!(!seen(&Rules::DEFAULT, false, mask, name));
        }
    }
    // The kernel may say both at once: truncate(2) of a set-user-ID file.
    assert!(seen(&Rules::DEFAULT, false, ATTRIB | MODIFY, "f"));
    let unasked = Rules {
        chmod: false,
        ..Rules::DEFAULT
    };
    assert!(seen(&unasked, false, ATTRIB, "f"));
    // A file that was opened for writing and closed is nothing else.
    assert!(seen(&Rules::DEFAULT, false, CLOSE_WRITE, "lock"));
}

#[test]
fn a_name_never_removes_a_directory_or_a_notice() {
    use rules::event::{CREATE, DELETE_SELF, IGNORED};
    for mask in [CREATE | ISDIR, IGNORED, DELETE_SELF] {
        assert!(seen(&Rules::DEFAULT, false, mask, "x.sqlite"));
    }
    assert!(!seen(&Rules::DEFAULT, false, CREATE, "x.sqlite"));
}
