//! inotify records in a buffer: read, judged, compacted in place.
//!
//! Format: struct inotify_event of include/uapi/linux/inotify.h, native byte order: wd i32, mask u32,
//! cookie u32, len u32, then `len` bytes of a NUL-padded name. The kernel rounds len up to a multiple
//! of 16 (fs/notify/inotify/inotify_user.c, round_event_name_len).

use crate::event::{
    ALL_EVENTS, ATTRIB, CLOSE_WRITE, DELETE_SELF, IGNORED, ISDIR, MODIFY, MOVE_SELF, MOVED_FROM,
    MOVED_TO, Q_OVERFLOW, UNMOUNT,
};
use crate::rule::{Log, Rules};
use crate::watch::Asked;

/// Bytes before a record's name.
pub const HEADER: usize = 16;

/// Longer names do not exist: 255 characters, at most 4 bytes each (vfat, cifs), rounded up.
const NAME_LIMIT: usize = 1024;

/// Bits the kernel sets in a record.
const RECORD_BITS: u32 = ALL_EVENTS | UNMOUNT | Q_OVERFLOW | IGNORED | ISDIR;

/// The watch of a filler, the record a program gets where it would get none: an empty read, EAGAIN
/// and EINTR each end several watchers, and this wd is the one all of them skip.
pub const FILLER_WD: i32 = -1;

/// The mask of a filler. None for a watch known to be placed through the hook: busybox inotifyd ends
/// when it has counted as many IGNORED as it has directories. IGNORED for one placed unseen:
/// pyinotify, which places all of its watches so, warns of anything else that it does not know.
const fn filler_mask(known: bool) -> u32 {
    if known { 0 } else { IGNORED }
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'b> {
    /// The watch; -1 only with Q_OVERFLOW.
    pub wd: i32,
    /// What happened.
    pub mask: u32,
    /// Joins the two halves of a rename; 0 in all other records.
    pub cookie: u32,
    /// The name within the watched directory, without its padding; empty for the watched inode itself.
    pub name: &'b [u8],
    /// Bytes it takes in the buffer.
    pub size: usize,
}

impl<'b> Record<'b> {
    /// The record at the beginning of `bytes`; `None` if there is none that the kernel could have
    /// written there.
    pub fn read(bytes: &'b [u8]) -> Option<Record<'b>> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *header;
        let mask = u32::from_ne_bytes([e, f, g, h]);
        // First: it is what tells records from other files' bytes.
        if mask & !RECORD_BITS != 0 || mask == 0 {
            return None;
        }
        let wd = i32::from_ne_bytes([a, b, c, d]);
        if wd < 1 && !(wd == -1 && mask == Q_OVERFLOW) {
            return None;
        }
        let cookie = u32::from_ne_bytes([i, j, k, l]);
        if cookie != 0 && mask & (MOVED_FROM | MOVED_TO) == 0 {
            return None;
        }
        let len = u32::from_ne_bytes([m, n, o, p]) as usize;
        if len > NAME_LIMIT || !len.is_multiple_of(HEADER) {
            return None;
        }
        let padded = rest.get(..len)?;
        let end = padded.iter().position(|&c| c == 0).unwrap_or(len);
        Some(Record {
            wd,
            mask,
            cookie,
            name: padded.get(..end)?,
            size: HEADER + len,
        })
    }
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
    /// It stays with this mask.
    As(u32),
    /// It stays, and a copy with this mask comes before it; without room for two there is the copy alone.
    After(u32),
}

/// What is known of an instance's watches. It is asked only where a record depends on it.
pub trait Watches {
    /// What the record's watch was asked for.
    fn asked(&self, record: &Record<'_>) -> Asked;

    /// True if the record's ATTRIB is a touch or the end of a file, or cannot be judged
    /// ([`crate::attrib::is_change`]).
    fn is_change(&self, record: &Record<'_>) -> bool;
}

/// Decides one record.
pub fn judge(rules: &Rules<'_>, watches: &impl Watches, record: &Record<'_>) -> Verdict {
    let Record { mask, name, .. } = *record;
    if mask & (Q_OVERFLOW | UNMOUNT | IGNORED) != 0 {
        return Verdict::Keep;
    }
    if mask & (ISDIR | DELETE_SELF | MOVE_SELF) == 0 && !name.is_empty() && ignored(rules, name) {
        return Verdict::Remove;
    }
    if mask & CLOSE_WRITE != 0 && !rules.settle.is_empty() {
        let asked = watches.asked(record);
        let modify = mask & !CLOSE_WRITE | MODIFY;
        match (asked.settled(), asked.close_write()) {
            (false, _) => {}
            (true, false) => return Verdict::As(modify),
            (true, true) => return Verdict::After(modify),
        }
    }
    match mask & ALL_EVENTS & !rules.strip {
        0 => Verdict::Remove,
        ATTRIB if rules.chmod && !watches.is_change(record) => Verdict::Remove,
        _ => Verdict::Keep,
    }
}

/// True if events naming this file are removed. The log's own name is always one: a decision that
/// is logged must not become an event that is logged.
pub fn ignored(rules: &Rules<'_>, name: &[u8]) -> bool {
    if let Log::File(path) = rules.log
        && path.rsplit(|&c| c == b'/').next() == Some(name)
    {
        return true;
    }
    rules.ignore.match_name(name)
}

/// Judges the records in the first `filled` bytes of `buf`, which are all that the kernel wrote, and compacts them
/// in place; returns how many bytes are records now. What is behind them in `buf` is room for
/// [`Verdict::After`] and else not touched.
///
/// Where they are not a sequence of records to the end, all of it stays as it is. When nothing is left,
/// a filler is, so the result is never 0 for `filled` of 16 or more. Where the caller's buffer was `full` it stays
/// full, by a filler at its end: who asked for just the bytes that FIONREAD announced may read until it has
/// them (busybox inotifyd), and a readv goes on to its next part.
///
/// `known` says that the watches were placed through the hook. It decides how a filler looks.
pub fn compact(
    buf: &mut [u8],
    filled: usize,
    full: bool,
    known: bool,
    mut judge: impl FnMut(&Record<'_>) -> Verdict,
) -> usize {
    let mut end = filled.min(buf.len());
    if !buf.get(..end).is_some_and(is_sequence) {
        return end;
    }
    let mut from = 0;
    let mut to = 0;
    while let Some(record) = buf.get(from..end).and_then(Record::read) {
        let size = record.size;
        let verdict = judge(&record);
        if let Verdict::After(_) = verdict
            && from - to < size
        {
            // What is left moves up, once: there is a second record for each of it at the most.
            let step = (end - from).min(buf.len() - end);
            shift(buf, from, end - from, from + step);
            from += step;
            end += step;
        }
        if verdict != Verdict::Remove {
            shift(buf, from, size, to);
            if let Verdict::As(mask) | Verdict::After(mask) = verdict {
                set_mask(buf, to, mask);
            }
            to += size;
        }
        // The record itself still stands where it was if there is room for both.
        if let Verdict::After(_) = verdict
            && to <= from
        {
            shift(buf, from, size, to);
            to += size;
        }
        from += size;
    }
    let gap = match to {
        _ if full => filled.saturating_sub(to),
        0 => HEADER.min(filled),
        _ => 0,
    };
    to + fill(buf, to, gap, filler_mask(known))
}

/// True if `bytes` are records that the kernel could have written, to the end.
fn is_sequence(mut bytes: &[u8]) -> bool {
    while let Some(record) = Record::read(bytes) {
        bytes = bytes.get(record.size..).unwrap_or_default();
    }
    bytes.is_empty()
}

/// Writes one record of `size` bytes at `at` that every watcher skips, and returns its size: 0 if
/// `size` is less than a record's.
fn fill(buf: &mut [u8], at: usize, size: usize, mask: u32) -> usize {
    let Some((header, name)) = buf
        .get_mut(at..)
        .and_then(|b| b.get_mut(..size))
        .and_then(|b| b.split_first_chunk_mut::<HEADER>())
    else {
        return 0;
    };
    put(header, 0, FILLER_WD as u32);
    put(header, 4, mask);
    put(header, 8, 0);
    put(header, 12, name.len() as u32);
    name.fill(0);
    size
}

fn set_mask(buf: &mut [u8], at: usize, mask: u32) {
    if let Some(header) = buf
        .get_mut(at..)
        .and_then(|b| b.first_chunk_mut::<HEADER>())
    {
        put(header, 4, mask);
    }
}

fn put(header: &mut [u8; HEADER], at: usize, value: u32) {
    for (byte, new) in header.iter_mut().skip(at).zip(value.to_ne_bytes()) {
        *byte = new;
    }
}

/// `copy_within` that cannot panic; the callers keep both ranges inside the buffer.
fn shift(buf: &mut [u8], from: usize, len: usize, to: usize) {
    let n = buf.len();
    if from != to && len <= n && from <= n - len && to <= n - len {
        buf.copy_within(from..from + len, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::*;
    use crate::rule::{Engine, Texts};
    use crate::watch::Fate;
    use std::vec::Vec;

    fn raw(wd: i32, mask: u32, cookie: u32, len: u32, name: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [wd as u32, mask, cookie, len] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(name);
        bytes
    }

    fn is_read(wd: i32, mask: u32, cookie: u32, len: u32, name: &[u8]) -> bool {
        Record::read(&raw(wd, mask, cookie, len, name)).is_some()
    }

    #[test]
    fn what_the_kernel_writes_is_a_record() {
        for (bit, name) in EVENTS {
            assert!(is_read(1, *bit, 0, 0, b""), "{name}");
            assert!(is_read(1, *bit | ISDIR, 0, 0, b""), "{name}");
        }
        for mask in [IGNORED, UNMOUNT, ATTRIB | MODIFY] {
            assert!(is_read(i32::MAX, mask, 0, 0, b""));
        }
        assert!(is_read(-1, Q_OVERFLOW, 0, 0, b""));
        assert!(is_read(1, MOVED_FROM, 9, 16, &[b'a'; 16]));
        assert!(is_read(1, MOVED_TO, 9, 16, &[b'a'; 16]));
        assert!(is_read(1, CREATE, 0, 1024, &[b'a'; 1024]));
    }

    #[test]
    fn what_it_never_writes_is_none() {
        for wd in [0, -1, -2, i32::MIN] {
            assert!(!is_read(wd, MODIFY, 0, 0, b""), "{wd}");
        }
        for wd in [0, -2] {
            assert!(!is_read(wd, Q_OVERFLOW, 0, 0, b""), "{wd}");
        }
        assert!(!is_read(-1, Q_OVERFLOW | MODIFY, 0, 0, b""));
        assert!(!is_read(1, 0, 0, 0, b""));
        for bit in [0x1000, 0x1_0000, ONLYDIR, EXCL_UNLINK, MASK_ADD, ONESHOT] {
            assert!(!is_read(1, MODIFY | bit, 0, 0, b""), "{bit:#x}");
        }
        // Renames have a cookie, and nothing else has.
        for mask in [MODIFY, CREATE | ISDIR, MOVE_SELF] {
            assert!(!is_read(1, mask, 9, 0, b""), "{mask:#x}");
        }
        assert!(!is_read(1, CREATE, 0, 15, &[b'a'; 15]));
        assert!(!is_read(1, CREATE, 0, 1040, &[b'a'; 1040]));
        assert!(
            !is_read(1, CREATE, 0, 32, &[b'a'; 16]),
            "its end is missing"
        );
        assert!(Record::read(&raw(1, MODIFY, 0, 0, b"")[..15]).is_none());
    }

    #[test]
    fn a_record_has_its_words_and_its_name_without_padding() {
        let bytes = raw(
            7,
            MOVED_TO,
            9,
            16,
            b"name\0\0\0\0\0\0\0\0\0\0\0\0and what follows",
        );
        assert_eq!(
            Record::read(&bytes),
            Some(Record {
                wd: 7,
                mask: MOVED_TO,
                cookie: 9,
                name: b"name",
                size: 32,
            })
        );
        let unpadded = raw(7, CREATE, 0, 16, &[b'a'; 16]);
        assert_eq!(Record::read(&unpadded).unwrap().name, [b'a'; 16]);
    }

    /// busybox inotifyd counts IGNORED, pyinotify warns of a mask it does not know.
    #[test]
    fn a_filler_looks_as_its_reader_needs_it() {
        for (known, mask) in [(true, 0), (false, IGNORED)] {
            let mut bytes = raw(7, CREATE, 0, 16, &[b'a'; 16]);
            let n = compact(&mut bytes, 32, false, known, |_| Verdict::Remove);
            assert_eq!(bytes[..n], raw(FILLER_WD, mask, 0, 0, b""));
            // In a buffer that is full it takes all of the room.
            let mut bytes = raw(7, CREATE, 0, 16, &[b'a'; 16]);
            assert_eq!(
                compact(&mut bytes, 32, true, known, |_| Verdict::Remove),
                32
            );
            assert_eq!(bytes, raw(FILLER_WD, mask, 0, 16, &[0; 16]));
        }
    }

    #[test]
    fn a_second_record_takes_the_room_there_is_and_no_more() {
        let two = [
            raw(1, CLOSE_WRITE, 0, 16, &[b'a'; 16]),
            raw(1, CLOSE_WRITE, 0, 16, &[b'b'; 16]),
        ];
        let modify = |name| raw(1, MODIFY, 0, 16, &[name; 16]);
        for (room, want) in [
            (
                64,
                [modify(b'a'), two[0].clone(), modify(b'b'), two[1].clone()].concat(),
            ),
            (32, [modify(b'a'), two[0].clone(), modify(b'b')].concat()),
            (16, [modify(b'a'), modify(b'b')].concat()),
        ] {
            let mut bytes = two.concat();
            bytes.resize(64 + room, 0xaa);
            let n = compact(&mut bytes, 64, false, true, |_| Verdict::After(MODIFY));
            assert_eq!(bytes[..n], want, "room for {room}");
        }
    }

    /// A watch of which nothing is known but what it was asked for.
    struct Settled(bool);

    impl Watches for Settled {
        fn asked(&self, _: &Record<'_>) -> Asked {
            let fate = if self.0 { Fate::Settled } else { Fate::Plain };
            Asked::of(0, fate, MODIFY)
        }

        fn is_change(&self, _: &Record<'_>) -> bool {
            false
        }
    }

    fn judged(rules: &Rules<'_>, settled: bool, mask: u32, name: &[u8]) -> Verdict {
        let record = Record {
            wd: 1,
            mask,
            cookie: 0,
            name,
            size: HEADER,
        };
        judge(rules, &Settled(settled), &record)
    }

    fn rules(place: usize, text: &'static [u8]) -> Rules<'static> {
        let mut texts = Texts::default();
        texts.values[place] = Some(text);
        Rules::parse(Engine::Library, &texts, &mut |error| panic!("{error}"))
    }

    #[test]
    fn what_says_that_something_has_ended_is_always_kept() {
        let all = rules(0, b"all_events");
        for mask in [Q_OVERFLOW, UNMOUNT, IGNORED, IGNORED | ISDIR] {
            assert_eq!(
                judged(&all, true, mask, b"x.sqlite"),
                Verdict::Keep,
                "{mask:#x}"
            );
        }
        for mask in [DELETE_SELF, MOVE_SELF, CREATE | ISDIR] {
            let verdict = judged(&Rules::DEFAULT, false, mask, b"x.sqlite");
            assert_eq!(verdict, Verdict::Keep, "{mask:#x}");
        }
    }

    /// A watch that was placed unseen has bits that would have been taken out.
    #[test]
    fn what_is_stripped_is_removed_on_reading_too() {
        for mask in [OPEN, ACCESS, CLOSE_NOWRITE | ISDIR] {
            assert_eq!(judged(&Rules::DEFAULT, false, mask, b"f"), Verdict::Remove);
        }
        assert_eq!(
            judged(&Rules::DEFAULT, false, OPEN | MODIFY, b"f"),
            Verdict::Keep
        );
    }

    #[test]
    fn only_a_close_of_a_settled_watch_becomes_a_modify() {
        let settle = rules(3, b"/settled");
        assert_eq!(
            judged(&settle, true, CLOSE_WRITE, b"f"),
            Verdict::As(MODIFY)
        );
        assert_eq!(judged(&settle, false, CLOSE_WRITE, b"f"), Verdict::Keep);
        assert_eq!(judged(&settle, true, CREATE, b"f"), Verdict::Keep);
        assert_eq!(
            judged(&Rules::DEFAULT, true, CLOSE_WRITE, b"f"),
            Verdict::Keep
        );
    }

    #[test]
    fn the_log_s_own_name_is_ignored_and_its_path_s_other_names_are_not() {
        let log = rules(5, b"/var/log/watchfix.txt");
        assert!(ignored(&log, b"watchfix.txt"));
        for name in [&b"log"[..], b"var", b"", b"/var/log/watchfix.txt"] {
            assert!(!ignored(&log, name));
        }
        assert!(!ignored(&Rules::DEFAULT, b"watchfix.txt"));
    }
}
