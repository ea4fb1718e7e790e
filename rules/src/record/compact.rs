//! A buffer of records after the rules: what is removed is closed up, and never leaves a read empty.

use crate::event::IGNORED;

use super::format::{HEADER, Record};
use super::judge::Verdict;

/// The watch of a filler, the record a program gets where it would get none: an empty read, EAGAIN
/// and EINTR each end several watchers, and this wd is the one all of them skip.
pub const FILLER_WD: i32 = -1;

/// The mask of a filler. None for a watch known to be placed through the hook: busybox inotifyd ends
/// when it has counted as many IGNORED as it has directories. IGNORED for one placed unseen:
/// pyinotify, which places all of its watches so, warns of anything else that it does not know.
const fn filler_mask(known: bool) -> u32 {
    if known { 0 } else { IGNORED }
}

/// Judges the records in the first `filled` bytes of `buf`, which are all that the kernel wrote, and compacts them
/// in place; returns how many bytes are records now. What is behind them in `buf` is room for
/// [`Verdict::After`] and else not touched.
///
/// Where they are not a sequence of records to the end, all of it stays as it is. When nothing is left,
/// a filler is, so the result is never 0 for `filled` of 16 or more. Where the caller's buffer was `full` it stays
/// full, by a filler at its end: a program that asks for exactly the bytes FIONREAD announced may read until it
/// has them (busybox inotifyd), and a readv goes on to its next part.
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
    use crate::record::format::raw;

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
}
