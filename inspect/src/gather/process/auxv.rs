//! The auxiliary vector (getauxval(3), /proc/PID/auxv): how the kernel started the program.
//!
//! It says what PT_INTERP and the mode bits of the file would say, but for the program that really runs, and without
//! opening the file. Opening it would be an event for everybody who watches its directory, perhaps the scanned process
//! too, and may hang on a dead network file system.

use crate::model::Linkage;

const AT_NULL: u64 = 0;
/// Where the program interpreter was loaded; 0 if the program has none (fs/binfmt_elf.c).
const AT_BASE: u64 = 7;
/// Not 0 if the program gained privileges, so that the loader ignores LD_PRELOAD (ld.so(8)).
const AT_SECURE: u64 = 23;
/// Far above every existing entry (include/uapi/linux/auxvec.h goes up to 51).
const LARGEST_TYPE: u64 = 0xffff;

/// What the vector says.
#[derive(Debug, PartialEq, Eq)]
pub struct Start {
    /// 32 or 64: the size of its words.
    pub bits: u8,
    /// Dynamic if there is a program interpreter.
    pub linkage: Linkage,
    /// Secure execution: set-user-ID, set-group-ID or file capabilities.
    pub secure: Option<bool>,
}

/// Reads a vector; `None` if it is empty (a kernel thread) or makes no sense.
pub fn parse(vector: &[u8]) -> Option<Start> {
    // With the wrong word size, types become absurd or the end is missing.
    let wide = vector
        .as_chunks::<8>()
        .0
        .iter()
        .map(|&w| u64::from_ne_bytes(w));
    let narrow = vector
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&w| u64::from(u32::from_ne_bytes(w)));
    judge(wide, 64).or_else(|| judge(narrow, 32))
}

fn judge(mut words: impl Iterator<Item = u64>, bits: u8) -> Option<Start> {
    let (mut base, mut secure) = (None, None);
    loop {
        let (kind, value) = (words.next()?, words.next()?);
        match kind {
            AT_NULL => break,
            AT_BASE => base = Some(value),
            AT_SECURE => secure = Some(value != 0),
            LARGEST_TYPE.. => return None,
            _ => {}
        }
    }
    let linkage = if base? == 0 {
        Linkage::Static
    } else {
        Linkage::Dynamic
    };
    Some(Start {
        bits,
        linkage,
        secure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wide(pairs: &[(u64, u64)]) -> Vec<u8> {
        pairs
            .iter()
            .flat_map(|&(k, v)| [k, v])
            .flat_map(u64::to_ne_bytes)
            .collect()
    }

    fn narrow(pairs: &[(u32, u32)]) -> Vec<u8> {
        pairs
            .iter()
            .flat_map(|&(k, v)| [k, v])
            .flat_map(u32::to_ne_bytes)
            .collect()
    }

    #[test]
    fn a_program_without_an_interpreter_is_static() {
        let start = parse(&wide(&[(6, 4096), (7, 0), (23, 0), (0, 0)])).unwrap();
        assert_eq!((start.bits, start.linkage), (64, Linkage::Static));
    }

    #[test]
    fn a_program_with_an_interpreter_is_dynamic_and_a_setuid_one_is_secure() {
        let start = parse(&wide(&[(7, 0x7f00_0000_0000), (23, 1), (0, 0)])).unwrap();
        assert_eq!(
            (start.linkage, start.secure),
            (Linkage::Dynamic, Some(true))
        );
    }

    #[test]
    fn the_words_of_a_32_bit_program_are_recognised() {
        let start = parse(&narrow(&[(6, 4096), (7, 0xf7fc_0000), (23, 0), (0, 0)])).unwrap();
        assert_eq!((start.bits, start.linkage), (32, Linkage::Dynamic));
    }

    #[test]
    fn a_kernel_thread_has_no_vector() {
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn this_test_is_a_dynamic_program() {
        let own = std::fs::read("/proc/self/auxv").unwrap();
        let bits = usize::BITS as u8;
        let linkage = Linkage::Dynamic;
        let secure = Some(false);
        assert_eq!(
            parse(&own),
            Some(Start {
                bits,
                linkage,
                secure
            })
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
        }
    }
}
