//! Records of arbitrary bytes: never a panic, never a byte outside the buffer, and what was a
//! sequence of records is one afterwards.
//!
//! Input: how much room is behind the records, what becomes of each, then the records.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::event::{ATTRIB, CLOSE_WRITE, IGNORED, MODIFY};
use rules::memory::Memory;
use rules::record::{FILLER_WD, HEADER, Record, Verdict, compact, judge};
use rules::watch::{Fate, place};
use rules::{Engine, Rules, Texts};

static MEMORY: Memory = Memory::new();

/// True if `bytes` are records the kernel could have written, or fillers, to the end.
fn is_sequence(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let size = match Record::read(bytes) {
            Some(record) => record.size,
            None => match filler(bytes) {
                Some(size) => size,
                None => return false,
            },
        };
        bytes = &bytes[size..];
    }
    true
}

fn filler(bytes: &[u8]) -> Option<usize> {
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let size = HEADER + word(12)? as usize;
    (word(0)? as i32 == FILLER_WD && [0, IGNORED].contains(&word(4)?) && size <= bytes.len())
        .then_some(size)
}

fuzz_target!(|input: &[u8]| {
    let [room, verdicts, records @ ..] = input else {
        return;
    };
    // Of exactly this size, so that the sanitizer sees every byte past its end.
    let mut buf = vec![0xaa; records.len() + usize::from(*room)].into_boxed_slice();
    buf[..records.len()].copy_from_slice(records);
    let sequence = is_sequence(records);
    let known = verdicts & 1 == 0;

    let mut turn = *verdicts;
    let mut copy = buf.clone();
    let n = compact(&mut copy, records.len(), known, |record| {
        turn = turn.rotate_left(2);
        match turn & 3 {
            0 => Verdict::Keep,
            1 => Verdict::Remove,
            // An overflow belongs to no watch, and no verdict gives it another mask.
            _ if record.wd == -1 => Verdict::Keep,
            2 => Verdict::As(ATTRIB),
            _ => Verdict::After(ATTRIB),
        }
    });
    assert!(n <= copy.len());
    assert!(!sequence || is_sequence(&copy[..n]));
    assert!(n >= HEADER || records.len() < HEADER);

    // Settled, translated and plain watches, which asked for CLOSE_WRITE or not; others are not known.
    let mut texts = Texts::default();
    texts.values[3] = (verdicts & 2 == 0).then_some(b"/settled");
    let rules = Rules::parse(Engine::Library, &texts, &mut |error| panic!("{error}"));
    for (wd, fate, mask) in [
        (1, Fate::Settled, MODIFY),
        (2, Fate::Settled, MODIFY | CLOSE_WRITE),
        (3, Fate::Plain, MODIFY | ATTRIB),
        (4, Fate::Plain, MODIFY | ATTRIB | CLOSE_WRITE),
        (5, Fate::Plain, MODIFY),
    ] {
        MEMORY.place(3, wd, place(rules.strip, fate, mask).asked, false);
    }
    let n = compact(&mut buf, records.len(), known, |record| {
        judge(&rules, &MEMORY, 3, record)
    });
    assert!(n <= buf.len());
    assert!(!sequence || is_sequence(&buf[..n]));
});
