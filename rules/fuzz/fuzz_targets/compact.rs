//! Records of arbitrary bytes against a model: what bare would have delivered, less what the rules remove,
//! comes out; what is not a sequence of records stays as it is; and never a panic or a byte outside the buffer.
//!
//! Input: whether the caller's buffer is full, what each watch is, which rules hold, then the records.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::event::{
    ALL_EVENTS, ATTRIB, CLOSE_WRITE, DELETE_SELF, IGNORED, ISDIR, MODIFY, MOVE_SELF, Q_OVERFLOW,
    UNMOUNT,
};
use rules::record::{FILLER_WD, HEADER, Record, Watches, compact, judge};
use rules::watch::{Asked, Fate};
use rules::{Engine, Rules, Texts};

/// What is known of watches: a bit of each byte for each wd.
#[derive(Clone, Copy)]
struct Known {
    settled: u8,
    changes: u8,
}

impl Known {
    fn asked(self, wd: i32) -> Asked {
        let both = [MODIFY, MODIFY | CLOSE_WRITE][usize::from(wd & 8 != 0)];
        let fate = [Fate::Plain, Fate::Settled][usize::from(self.settled >> (wd & 7) & 1)];
        Asked::of(0, fate, both)
    }

    fn change(self, wd: i32) -> bool {
        self.changes >> (wd & 7) & 1 == 1
    }
}

impl Watches for Known {
    fn asked(&self, record: &Record<'_>) -> Asked {
        Known::asked(*self, record.wd)
    }

    fn was_written(&self, record: &Record<'_>) -> bool {
        self.change(record.wd)
    }

    fn is_change(&self, record: &Record<'_>) -> bool {
        self.change(record.wd)
    }
}

/// wd, mask, cookie, padded name.
type Raw<'b> = (i32, u32, u32, &'b [u8]);

/// The records of `bytes`, if they are records to the end: as the kernel's format is documented, not as the
/// code under test reads it.
fn records(mut bytes: &[u8]) -> Option<Vec<Raw<'_>>> {
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

/// The masks of what is left of a record.
fn model(rules: &Rules<'_>, known: Known, (wd, mask, _, name): Raw<'_>) -> Vec<u32> {
    if mask & (Q_OVERFLOW | UNMOUNT | IGNORED) != 0 {
        return vec![mask];
    }
    let name = name.split(|&c| c == 0).next().unwrap_or_default();
    let of_a_file = mask & (ISDIR | DELETE_SELF | MOVE_SELF) == 0 && !name.is_empty();
    if of_a_file && name.ends_with(b".sqlite") {
        return Vec::new();
    }
    let asked = known.asked(wd);
    if mask & CLOSE_WRITE != 0 && asked.settled() {
        let modify = known.change(wd).then_some(mask & !CLOSE_WRITE | MODIFY);
        let own = asked.close_write().then_some(mask);
        if modify.is_some() || own.is_none() {
            return modify.into_iter().chain(own).collect();
        }
    }
    let left = mask & ALL_EVENTS & !rules.strip;
    let hidden = left == 0 || left == ATTRIB && rules.chmod && !known.change(wd);
    if hidden { Vec::new() } else { vec![mask] }
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
    let strip: [Option<&[u8]>; 4] = [None, Some(b"none"), Some(b"+attrib"), Some(b"close,modify")];
    let mut texts = Texts::default();
    texts.values[0] = strip[usize::from(flags >> 2 & 3)];
    texts.values[2] = Some(b"*.sqlite");
    texts.values[3] = (flags & 16 == 0).then_some(b"/settled");
    let rules = Rules::parse(Engine::Library, &texts, &mut |error| panic!("{error}"));

    // Of exactly this size, so that the sanitizer sees every byte past its end.
    let room = if full { 0 } else { bytes.len() };
    let mut buf = vec![0xaa; bytes.len() + room].into_boxed_slice();
    buf[..bytes.len()].copy_from_slice(bytes);
    let mut judged = 0;
    let n = compact(&mut buf, bytes.len(), full, hooked, |record| {
        judged += 1;
        judge(&rules, &known, record)
    });
    assert!(n <= buf.len());
    if judged == 0 {
        assert!(n == bytes.len() && buf[..n] == *bytes);
        return;
    }

    let all = records(bytes).expect("only a sequence of records is judged");
    assert_eq!(all.len(), judged);
    let got = records(&buf[..n]).expect("a sequence of records");
    let mut want = Vec::new();
    for record in all {
        let mut masks = model(&rules, known, record);
        // In a full buffer a second record has room only where others were removed.
        let second = got.get(want.len() + 1);
        if full && masks.len() == 2 && second != Some(&(record.0, masks[1], record.2, record.3)) {
            masks.pop();
        }
        want.extend(
            masks
                .into_iter()
                .map(|mask| (record.0, mask, record.2, record.3)),
        );
    }
    let size: usize = want.iter().map(|record| HEADER + record.3.len()).sum();
    let gap = if full { bytes.len() - size } else { 0 };
    let name = vec![0; gap.saturating_sub(HEADER)];
    if gap > 0 || want.is_empty() {
        want.push((FILLER_WD, if hooked { 0 } else { IGNORED }, 0, &name));
    }
    assert_eq!(got, want);
});
