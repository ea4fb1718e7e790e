//! Text put together on the stack, for the libraries: they have no allocator and no `core::fmt`.

/// A line in a buffer of fixed size; what does not fit is left out.
pub struct Line<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl<'b> Line<'b> {
    /// An empty line in `buf`.
    pub fn new(buf: &'b mut [u8]) -> Line<'b> {
        Line { buf, len: 0 }
    }

    /// Text as it is.
    #[inline(never)]
    pub fn text(&mut self, text: &[u8]) -> &mut Self {
        for &c in text {
            if let Some(to) = self.buf.get_mut(self.len) {
                *to = c;
                self.len += 1;
            }
        }
        self
    }

    /// In decimal digits.
    pub fn number(&mut self, number: u32) -> &mut Self {
        let mut digits = [0u8; 10];
        let mut left = number;
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
            used += 1;
            if left == 0 {
                break;
            }
        }
        self.text(digits.get(10 - used..).unwrap_or(b""))
    }

    /// As `0x2f`.
    pub fn hex(&mut self, number: u32) -> &mut Self {
        self.text(b"0x");
        let mut shift = 28u32.saturating_sub(number.leading_zeros() / 4 * 4);
        loop {
            self.nibble((number >> shift) as u8);
            if shift == 0 {
                return self;
            }
            shift -= 4;
        }
    }

    fn nibble(&mut self, value: u8) -> &mut Self {
        let value = value & 15;
        self.text(&[if value < 10 {
            b'0' + value
        } else {
            b'a' + value - 10
        }])
    }

    /// A name in quotes, with what is not printable ASCII or UTF-8 text as `\xNN`, cut when long.
    pub fn quoted(&mut self, name: &[u8]) -> &mut Self {
        const LIMIT: usize = 160;
        self.text(b"\"");
        for &c in name.iter().take(LIMIT) {
            match c {
                b'"' | b'\\' => self.text(&[b'\\', c]),
                // UTF-8 bytes are escaped as well: bidirectional controls are among them.
                0x20..=0x7e => self.text(&[c]),
                _ => self.text(b"\\x").nibble(c >> 4).nibble(c),
            };
        }
        self.text(if name.len() > LIMIT { b"\"..." } else { b"\"" })
    }

    /// What was put together.
    pub fn bytes(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or(b"")
    }
}
