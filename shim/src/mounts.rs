//! Which mounts have a server behind them: /proc/self/mountinfo, read without memory for its lines.
//!
//! Format (Documentation/filesystems/proc.rst, 3.5): `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 ...`. The
//! third word is the device, the one behind the lone `-` the type.

use rules::file_system::may_hang;

use crate::sys;

/// Longer words are neither a device nor a type.
const WORD: usize = 32;

/// True if a mount with this device is of a file system that may hang. A device that no mount has is a part of one
/// that has: a subvolume of btrfs, a layer of an overlay. `None` if the mounts cannot be read.
#[cold]
#[inline(never)]
pub fn has_server(device: u64) -> Option<bool> {
    let fd = sys::open(c"/proc/self/mountinfo", libc::O_RDONLY, 0).ok()?;
    let mut buf = [0; 1024];
    let mut line = Line::default();
    let found = loop {
        match sys::read(fd, &mut buf) {
            None => break None,
            Some([]) => break Some(false),
            Some(bytes) if bytes.iter().any(|&c| line.take(c, device)) => break Some(true),
            Some(_) => {}
        }
    };
    sys::close(fd);
    found
}

/// How far a line has been read.
#[derive(Default)]
struct Line {
    /// Words that ended before this one.
    words: usize,
    word: [u8; WORD],
    length: usize,
    /// The device was the one asked for.
    same: bool,
    /// The last word was the lone `-`.
    dash: bool,
}

impl Line {
    /// Takes the next byte. True if it ends the type of a mount with that device, and the type may hang.
    fn take(&mut self, c: u8, device: u64) -> bool {
        if c != b' ' && c != b'\n' {
            if let Some(to) = self.word.get_mut(self.length) {
                *to = c;
            }
            self.length += 1;
            return false;
        }
        let word = self.word.get(..self.length).unwrap_or(b"");
        if self.words == 2 {
            self.same = number(word) == Some(device);
        }
        let found = self.dash && self.same && may_hang(word);
        self.dash = word == b"-";
        self.words += 1;
        self.length = 0;
        if c == b'\n' {
            *self = Line::default();
        }
        found
    }
}

/// `major:minor`, decimal.
fn number(word: &[u8]) -> Option<u64> {
    let mut parts = word.split(|&c| c == b':').map(|digits| {
        digits.iter().try_fold(0u32, |number, c| {
            let digit = u32::from(c.checked_sub(b'0').filter(|&digit| digit < 10)?);
            number.checked_mul(10)?.checked_add(digit)
        })
    });
    Some(libc::makedev(parts.next()??, parts.next()??))
}
