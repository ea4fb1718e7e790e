//! The text of /proc/PID/fdinfo/FD, as pure functions over bytes.
//!
//! Source: fs/proc/fd.c (`seq_show`) and fs/notify/fdinfo.c (`inotify_fdinfo`).

/// The lines that every fdinfo begins with. `None` for a line that is missing or unreadable.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Open flags, octal in the text; O_CLOEXEC is OR-ed in.
    pub flags: Option<i32>,
    /// The mount it was opened through, as in mountinfo.
    pub mount: Option<i32>,
    /// The kernel's inode number (Linux 5.14).
    pub inode: Option<u64>,
}

/// Reads the header. Unknown lines are skipped.
pub fn header(text: &[u8]) -> Header {
    let mut header = Header::default();
    for line in text.split(|&b| b == b'\n') {
        if let Some(value) = line.strip_prefix(b"flags:") {
            header.flags = number(value.trim_ascii(), 8).and_then(|n| i32::try_from(n).ok());
        } else if let Some(value) = line.strip_prefix(b"mnt_id:") {
            header.mount = number(value.trim_ascii(), 10).and_then(|n| i32::try_from(n).ok());
        } else if let Some(value) = line.strip_prefix(b"ino:") {
            header.inode = number(value.trim_ascii(), 10);
        }
    }
    header
}

/// Whether a read of the file blocks, according to the flags in `text`. `None` if it has none.
pub fn waits(text: &[u8]) -> Option<bool> {
    header(text)
        .flags
        .map(|flags| flags & libc::O_NONBLOCK == 0)
}

/// One `inotify ...` line. Every number in it is hexadecimal, including the watch descriptor (proc(5) says decimal, but
/// the kernel prints `%x`).
#[derive(Debug, PartialEq, Eq)]
pub struct WatchLine<'a> {
    /// The watch descriptor.
    pub wd: i32,
    /// The watched inode.
    pub inode: u64,
    /// The device of its superblock, in the kernel's internal encoding.
    pub sdev: u32,
    /// The mask.
    pub mask: u32,
    /// The file handle, if the file system has one.
    pub handle: Option<HandleText<'a>>,
}

/// A file handle as printed.
#[derive(Debug, PartialEq, Eq)]
pub struct HandleText<'a> {
    /// `fhandle-type`.
    pub kind: i32,
    /// `f_handle`: two hexadecimal digits a byte.
    pub digits: &'a [u8],
}

impl HandleText<'_> {
    /// Appends the handle's bytes to `to`.
    pub fn decode_into(&self, to: &mut Vec<u8>) {
        // The digits were checked when the line was read.
        let pairs = self.digits.as_chunks::<2>().0.iter();
        to.extend(pairs.map(|&[high, low]| digit(high) << 4 | digit(low)));
    }
}

/// Whether a line describes a watch.
pub fn is_watch(line: &[u8]) -> bool {
    line.starts_with(b"inotify ")
}

/// Reads one line. `None` if it does not describe a watch, or if wd, ino, sdev or mask is missing or unreadable.
pub fn watch(line: &[u8]) -> Option<WatchLine<'_>> {
    let mut rest = line.strip_prefix(b"inotify ")?;
    let (mut wd, mut inode, mut sdev, mut mask) = (None, None, None, None);
    let (mut length, mut kind, mut digits) = (None, None, None);
    while !rest.is_empty() {
        let (field, next) = split(rest, b' ');
        rest = next;
        let (key, value) = split(field, b':');
        match key {
            b"wd" => wd = number(value, 16).and_then(|n| i32::try_from(n).ok()),
            b"ino" => inode = number(value, 16),
            b"sdev" => sdev = number(value, 16).and_then(|n| u32::try_from(n).ok()),
            b"mask" => mask = number(value, 16).and_then(|n| u32::try_from(n).ok()),
            b"fhandle-bytes" => length = number(value, 16),
            b"fhandle-type" => kind = number(value, 16).and_then(|n| i32::try_from(n).ok()),
            b"f_handle" => digits = Some(value),
            _ => {}
        }
    }
    Some(WatchLine {
        wd: wd?,
        inode: inode?,
        sdev: sdev?,
        mask: mask?,
        handle: handle(length, kind, digits),
    })
}

/// What is before the first `mark` and what is after it. Without a `mark`, everything and nothing.
fn split(text: &[u8], mark: u8) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&b| b == mark).unwrap_or(text.len());
    let (before, after) = text.split_at(end);
    (before, after.get(1..).unwrap_or_default())
}

/// A handle counts only if it is complete: a truncated one would name another file.
fn handle(length: Option<u64>, kind: Option<i32>, digits: Option<&[u8]>) -> Option<HandleText<'_>> {
    let digits = digits?;
    let whole = usize::try_from(length?).ok()?.checked_mul(2)? == digits.len();
    let kind = kind?;
    (whole && digits.iter().all(|&b| digit(b) < 16)).then_some(HandleText { kind, digits })
}

/// The value of a hexadecimal digit, or 255 for any other character.
fn digit(byte: u8) -> u8 {
    const VALUES: [u8; 256] = {
        let mut values = [255; 256];
        let mut value = 0;
        while value < 16 {
            values[b"0123456789abcdef"[value] as usize] = value as u8;
            values[b"0123456789ABCDEF"[value] as usize] = value as u8;
            value += 1;
        }
        values
    };
    VALUES[usize::from(byte)]
}

/// A number without sign or prefix. `None` if it is empty, has any other character or needs more than 64 bits.
fn number(text: &[u8], base: u8) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, &b| {
        let value = digit(b);
        if value >= base {
            return None;
        }
        sum.checked_mul(base.into())?.checked_add(value.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &[u8] = b"inotify wd:1f ino:c6860b sdev:fe00000 mask:3ee ignored_mask:0 \
        fhandle-bytes:8 fhandle-type:1 f_handle:0b86c600a1b2c3d4";

    #[test]
    fn a_watch_descriptor_above_nine_is_read_as_hex() {
        assert_eq!(watch(LINE).unwrap().wd, 31);
        assert_eq!(watch(b"inotify wd:10 ino:1 sdev:1 mask:2").unwrap().wd, 16);
        assert_eq!(watch(b"inotify wd:a ino:1 sdev:1 mask:2").unwrap().wd, 10);
    }

    #[test]
    fn the_inode_device_and_mask_are_read_as_hex() {
        let watch = watch(LINE).unwrap();
        assert_eq!(watch.inode, 13_010_443);
        assert_eq!(watch.sdev, 0xfe0_0000);
        assert_eq!(watch.mask, 0x3ee);
    }

    #[test]
    fn an_inode_takes_all_64_bits() {
        let line = b"inotify wd:1 ino:ffffffffffffffff sdev:1 mask:2 ignored_mask:0 ";
        assert_eq!(watch(line).unwrap().inode, u64::MAX);
    }

    #[test]
    fn a_handle_is_decoded_to_its_bytes() {
        let handle = watch(LINE).unwrap().handle.unwrap();
        let mut bytes = Vec::new();
        handle.decode_into(&mut bytes);
        assert_eq!(handle.kind, 1);
        assert_eq!(bytes, [0x0b, 0x86, 0xc6, 0, 0xa1, 0xb2, 0xc3, 0xd4]);
    }

    #[test]
    fn a_handle_length_is_hex_too() {
        let line = [
            &b"inotify wd:1 ino:1 sdev:1 mask:2 ignored_mask:0 fhandle-bytes:10 fhandle-type:81 f_handle:"[..],
            &[b'a'; 32],
        ]
        .concat();
        let handle = watch(&line).unwrap().handle.unwrap();
        assert_eq!((handle.kind, handle.digits.len()), (0x81, 32));
    }

    #[test]
    fn a_watch_without_a_handle_is_read() {
        let line = b"inotify wd:1 ino:2 sdev:3 mask:2 ignored_mask:0 ";
        assert_eq!(watch(line).unwrap().handle, None);
    }

    #[test]
    fn a_handle_that_is_truncated_or_not_hex_counts_as_missing() {
        let cut = LINE.get(..LINE.len() - 1).unwrap();
        assert_eq!(watch(cut).unwrap().handle, None);
        let wrong = [cut, b"x"].concat();
        assert_eq!(watch(&wrong).unwrap().handle, None);
    }

    #[test]
    fn unknown_mask_bits_are_kept() {
        let line = b"inotify wd:1 ino:2 sdev:3 mask:800afff ignored_mask:0";
        assert_eq!(watch(line).unwrap().mask, 0x800_afff);
    }

    #[test]
    fn a_line_truncated_before_its_mask_is_not_a_watch() {
        let end = LINE.windows(5).position(|w| w == b"mask:").unwrap();
        for cut in 0..end + 5 {
            assert_eq!(watch(&LINE[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn numbers_too_large_for_their_field_make_it_unknown() {
        assert_eq!(watch(b"inotify wd:80000000 ino:1 sdev:1 mask:2"), None);
        assert_eq!(
            watch(b"inotify wd:1 ino:1ffffffffffffffff sdev:1 mask:2"),
            None
        );
    }

    #[test]
    fn flags_are_octal_and_the_rest_of_the_header_decimal() {
        let text = b"pos:\t0\nflags:\t02100002\nmnt_id:\t27\nino:\t131\nlock:\t1: x\n";
        let wanted = Header {
            flags: Some(0o2_100_002),
            mount: Some(27),
            inode: Some(131),
        };
        assert_eq!(header(text), wanted);
        assert_eq!(header(b"pos:\t0\nflags:\t9\n"), Header::default());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = header(&bytes);
            let _ = watch(&bytes);
            if let Some(found) = watch(&[b"inotify wd:1 ino:1 sdev:1 mask:1 ", &bytes[..]].concat())
                && let Some(handle) = found.handle
            {
                let mut to = Vec::new();
                handle.decode_into(&mut to);
                prop_assert_eq!(to.len() * 2, handle.digits.len());
            }
        }

        #[test]
        fn what_the_kernel_prints_is_read_back(wd in 1..i32::MAX, ino: u64, sdev: u32, mask: u32) {
            let line = format!("inotify wd:{wd:x} ino:{ino:x} sdev:{sdev:x} mask:{mask:x} ignored_mask:0 ");
            let seen = watch(line.as_bytes()).unwrap();
            prop_assert_eq!((seen.wd, seen.inode, seen.sdev, seen.mask), (wd, ino, sdev, mask));
        }
    }
}
