//! Records of arbitrary bytes against a model: what bare would have delivered, less what the rules remove,
//! comes out; what is no sequence of records stays as it is; and never a panic or a byte outside the buffer.
//!
//! Input: whether the caller's buffer is full, what each watch is, which rules hold, then the records.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::event::{
    ALL_EVENTS, ATTRIB, CLOSE_WRITE, DELETE_SELF, IGNORED, ISDIR, MODIFY, MOVE_SELF, Q_OVERFLOW,
    UNMOUNT,
};
use rules::record::{FILLER_WD, HEADER, Record, Watches, compact, judge};
use rules::{Engine, Rules, Texts};

/// What is known of watches: a bit of each byte for each wd.
#[derive(Clone, Copy)]
struct Known {
    settled: u8,
    changes: u8,
}

impl Watches for Known {
    fn settled(&self, record: &Record<'_>) -> bool {
        self.settled >> (record.wd & 7) & 1 == 1
    }

    fn is_change(&self, record: &Record<'_>) -> bool {
        self.changes >> (record.wd & 7) & 1 == 1
    }
}

/// The records of `bytes`, if they are records to the end: as the kernel's format is documented, not as the
/// code under test reads it.
fn records(mut bytes: &[u8]) -> Option<Vec<(i32, u32, u32, &[u8])>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let size = HEADER + word(12)? as usize;
        let name = bytes.get(HEADER..size)?;
        records.push((word(0)? as i32, word(4)?, word(8)?, name));
        bytes = &bytes[size..];
    }
    Some(records)
}

/// What is left of a record: its mask, or nothing.
fn model(
    rules: &Rules<'_>,
    known: Known,
    (wd, mask, _, name): (i32, u32, u32, &[u8]),
) -> Option<u32> {
    if mask & (Q_OVERFLOW | UNMOUNT | IGNORED) != 0 {
        return Some(mask);
    }
    let name = name.split(|&c| c == 0).next().unwrap_or_default();
    let of_a_file = mask & (ISDIR | DELETE_SELF | MOVE_SELF) == 0 && !name.is_empty();
    if of_a_file && name.ends_with(b".sqlite") && name.len() >= 7 {
        return None;
    }
    let bit = |bits: u8| bits >> (wd & 7) & 1 == 1;
    if mask & CLOSE_WRITE != 0 && !rules.settle.is_empty() && bit(known.settled) {
        return Some(mask & !CLOSE_WRITE | MODIFY);
    }
    let left = mask & ALL_EVENTS & !rules.strip;
    (left != 0 && !(left == ATTRIB && rules.chmod && !bit(known.changes))).then_some(mask)
}

fuzz_target!(|input: &[u8]| {
    let [flags, settled, changes, bytes @ ..] = input else {
        return;
    };
    let (full, hooked) = (flags & 1 == 1, flags & 2 == 2);
    let known = Known {
        settled: *settled,
        changes: *changes,
    };
    let mut texts = Texts::default();
    texts.values[0] = [
        None,
        Some(b"none".as_slice()),
        Some(b"+attrib"),
        Some(b"close,modify"),
    ][usize::from(flags >> 2 & 3)];
    texts.values[2] = Some(b"*.sqlite");
    texts.values[3] = (flags & 16 == 0).then_some(b"/settled");
    let rules = Rules::parse(Engine::Library, &texts, &mut |error| panic!("{error}"));

    // Of exactly this size, so that the sanitizer sees every byte past its end.
    let mut buf = bytes.to_vec().into_boxed_slice();
    let mut judged = 0;
    let n = compact(&mut buf, full, hooked, |record| {
        judged += 1;
        judge(&rules, &known, record)
    });
    assert!(n <= buf.len());
    if judged == 0 {
        assert!(n == bytes.len() && *buf == *bytes);
        return;
    }

    let all = records(bytes).expect("only a sequence of records is judged");
    assert_eq!(all.len(), judged);
    let mut want: Vec<_> = all
        .into_iter()
        .filter_map(|record| Some((record.0, model(&rules, known, record)?, record.2, record.3)))
        .collect();
    let gap = bytes.len()
        - want
            .iter()
            .map(|record| HEADER + record.3.len())
            .sum::<usize>();
    let filler = if hooked { 0 } else { IGNORED };
    let name = vec![0; gap.saturating_sub(HEADER)];
    if gap > 0 && full {
        want.push((FILLER_WD, filler, 0, &name));
    } else if want.is_empty() {
        want.push((FILLER_WD, filler, 0, &[]));
    }
    assert_eq!(records(&buf[..n]).expect("a sequence of records"), want);
});
