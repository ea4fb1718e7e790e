//! A Mach-O file (mach-o/loader.h, mach-o/fat.h, mach-o/fixup-chains.h).

mod chains;
mod file;
mod opcodes;
mod segment;
mod signature;
mod unwind;

pub use file::{ARM64, Dylib, File, Section, Symbol, X86_64, slices};
pub use segment::Segment;
pub use signature::Signature;
pub use unwind::encoding;

/// Something dyld writes when it loads the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fixup {
    /// Where, as an address of the file.
    pub at: u64,
    pub what: What,
}

/// What is written there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// An address of the file itself.
    Rebase(u64),
    /// That of an imported name.
    Bind {
        name: String,
        /// The number of its library, from 1.
        library: usize,
        /// It may be missing, and is null then.
        weak: bool,
        addend: u64,
    },
}

/// Numbers in a file, little-endian.
#[derive(Clone, Copy)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn part(self, at: usize, n: usize) -> Bytes<'a> {
        Bytes(&self.0[at..at + n])
    }
    pub fn from(self, at: usize) -> Bytes<'a> {
        Bytes(&self.0[at..])
    }
    pub fn half(self, at: usize) -> u16 {
        u16::from_le_bytes(self.0[at..at + 2].try_into().unwrap())
    }
    pub fn word(self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }
    pub fn index(self, at: usize) -> usize {
        self.word(at) as usize
    }
    pub fn long(self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())
    }
    /// The word the other way round, as in fat files and signatures.
    pub fn big(self, at: usize) -> u32 {
        self.word(at).swap_bytes()
    }
    /// Up to the NUL.
    pub fn text(self, at: usize) -> String {
        let end = self.0[at..].iter().position(|&b| b == 0);
        let end = at + end.unwrap_or(self.0.len() - at);
        String::from_utf8_lossy(&self.0[at..end]).into_owned()
    }
}
