//! Reading long files of /proc line by line, with one buffer.

use crate::sys;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The size of the first read: most files of /proc are shorter, and every page of a buffer costs a fault.
const FEW: usize = 8 * 1024;
/// The size of each further read. More does not help: the kernel formats a whole fdinfo file before it returns the
/// first byte.
const CHUNK: usize = 64 * 1024;

/// Calls `visit` for every line of `file`, without its newline. A last line without one is visited too.
///
/// `buffer` is scratch space that can be used for the next file; it grows to the longest line.
///
/// # Errors
/// The kernel's errno; the lines before it were visited.
pub fn each_line(
    file: &File,
    buffer: &mut Vec<u8>,
    mut visit: impl FnMut(&[u8]),
) -> io::Result<()> {
    if buffer.len() < FEW {
        buffer.resize(FEW, 0);
    }
    let (mut kept, mut offset) = (0, 0u64);
    loop {
        if kept == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let room = buffer.get_mut(kept..).unwrap_or_default();
        let length = match file.read_at(room, offset) {
            Ok(0) => break,
            Ok(length) => length,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        offset += length as u64;
        let filled = kept + length;
        let consumed = visit_whole_lines(buffer.get(..filled).unwrap_or_default(), &mut visit);
        buffer.copy_within(consumed..filled, 0);
        kept = filled - consumed;
        if filled == buffer.len() && filled < CHUNK {
            buffer.resize(CHUNK, 0);
        }
    }
    if kept > 0 {
        visit(buffer.get(..kept).unwrap_or_default());
    }
    Ok(())
}

/// Visits every line that ends in `text` and returns how many bytes they took.
fn visit_whole_lines(text: &[u8], visit: &mut impl FnMut(&[u8])) -> usize {
    let mut rest = text;
    while let Some(end) = sys::find_byte(rest, b'\n') {
        let (line, next) = rest.split_at(end);
        visit(line);
        rest = next.get(1..).unwrap_or_default();
    }
    text.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines_of(content: &[u8]) -> Vec<Vec<u8>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let mut lines = Vec::new();
        each_line(&file, &mut Vec::new(), |line| lines.push(line.to_vec())).unwrap();
        lines
    }

    #[test]
    fn a_last_line_without_a_newline_is_a_line() {
        assert_eq!(lines_of(b"a\n\nbc"), [&b"a"[..], b"", b"bc"]);
    }

    #[test]
    fn a_line_longer_than_the_buffer_is_whole() {
        let long = vec![b'x'; CHUNK * 2 + 7];
        let content = [b"a\n", &long[..], b"\nb\n"].concat();
        assert_eq!(lines_of(&content), [b"a".to_vec(), long, b"b".to_vec()]);
    }
}
