//! Fields of what the kernel wrote. Both architectures of a Mac are little-endian.

/// The bytes of one structure, or of several.
#[derive(Clone, Copy)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    pub fn u16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub fn i16(self, at: usize) -> Option<i16> {
        self.array(at).map(i16::from_le_bytes)
    }

    pub fn u32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub fn i32(self, at: usize) -> Option<i32> {
        self.array(at).map(i32::from_le_bytes)
    }

    pub fn u64(self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }

    /// A size, which the kernel has as a signed number.
    pub fn size(self, at: usize) -> Option<u64> {
        u64::try_from(self.array(at).map(i64::from_le_bytes)?).ok()
    }

    /// A port, in network order in the first half of an int.
    pub fn port(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    /// An address, in network order.
    pub fn address<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.array(at)
    }

    /// Text up to its NUL, or `most` bytes; `None` if it is empty.
    pub fn text(self, at: usize, most: usize) -> Option<&'a [u8]> {
        let rest = self.0.get(at..)?;
        let text = rest.get(..most).unwrap_or(rest);
        let text = text.split(|&byte| byte == 0).next()?;
        (!text.is_empty()).then_some(text)
    }

    /// Structures of `size` bytes, one after the other. What is left over is none.
    pub fn each(self, size: usize) -> impl Iterator<Item = Bytes<'a>> {
        self.0.chunks_exact(size).map(Bytes)
    }
}
