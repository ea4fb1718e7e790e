//! Whether dyld would end a program because it may not load this library: told from its file.
//!
//! dyld ends it where the library has no slice for it, and where the program insists on libraries of its own signer. One
//! that ignores the variable (a hardened runtime without the entitlement for it, Apple's own) is not ended. In doubt it is
//! not either: this is called before every start.

use core::ffi::CStr;

use super::file::File;
use super::signature::Signature;

const MH_MAGIC_64: u32 = 0xfeed_facf;
const FAT_MAGIC: u32 = 0xcafe_babe;
const LC_CODE_SIGNATURE: u32 = 0x1d;
const ARM64: u32 = 0x0100_000c;
const X86_64: u32 = 0x0100_0007;
/// The upper byte has other bits.
const SUBTYPE: u32 = 0x00ff_ffff;
const ARM64E: u32 = 2;

/// What is read of a script's first line (IMG_SHSIZE of xnu).
const FIRST_LINE: usize = 512;

pub fn would_be_ended(path: &CStr) -> bool {
    let mut line = [0u8; FIRST_LINE];
    let Some(file) = File::open(path) else {
        return false;
    };
    let n = file.read(0, &mut line);
    match line.get(..n) {
        Some([b'#', b'!', rest @ ..]) => {
            let mut interpreter = [0u8; FIRST_LINE];
            let word = rest.trim_ascii_start();
            let end = word.iter().position(u8::is_ascii_whitespace);
            let word = word.get(..end.unwrap_or(word.len())).unwrap_or(b"");
            for (to, from) in interpreter.iter_mut().zip(word) {
                *to = *from;
            }
            let path = CStr::from_bytes_until_nul(&interpreter).ok();
            path.and_then(File::open)
                .is_some_and(|file| file.is_ended())
        }
        _ => file.is_ended(),
    }
}

impl File {
    fn is_ended(&self) -> bool {
        self.slice()
            .is_some_and(|at| self.ends_at(at) == Some(true))
    }

    /// Where the slice begins that is executed.
    fn slice(&self) -> Option<u64> {
        let [magic, n] = self.words(0)?;
        if magic == MH_MAGIC_64 {
            return Some(0);
        }
        // A fat file's numbers are big-endian. Java's classes begin with the same, and have a version there.
        if magic.swap_bytes() != FAT_MAGIC || n.swap_bytes() > 32 {
            return None;
        }
        let mut best: Option<(u32, u64)> = None;
        for i in 0..n.swap_bytes() {
            let [cpu, subtype, at] = self.words(8 + 20 * u64::from(i))?;
            let grade = grade(cpu.swap_bytes(), subtype.swap_bytes() & SUBTYPE);
            if grade > best.map_or(0, |best| best.0) {
                best = Some((grade, at.swap_bytes().into()));
            }
        }
        best.map(|best| best.1)
    }

    /// Whether the program whose header is at `at` would be ended; `None` if it cannot be read.
    fn ends_at(&self, at: u64) -> Option<bool> {
        let [magic, cpu, subtype, _, commands] = self.words(at)?;
        if magic != MH_MAGIC_64 {
            return None;
        }
        if cpu == ARM64 && subtype & SUBTYPE == ARM64E {
            return Some(true);
        }
        let mut command = at + 32;
        for _ in 0..commands.min(1000) {
            let [kind, size] = self.words(command)?;
            if kind == LC_CODE_SIGNATURE {
                let [offset] = self.words(command + 8)?;
                let signature = Signature::read(self, at + u64::from(offset))?;
                return Some(signature.refuses());
            }
            command += u64::from(size.max(8));
        }
        // Without a signature it asks for none.
        Some(false)
    }
}

/// How much the system prefers an architecture; 0 for one that it does not execute.
fn grade(cpu: u32, subtype: u32) -> u32 {
    let own = if cfg!(target_arch = "x86_64") {
        X86_64
    } else {
        ARM64
    };
    match (cpu, subtype) {
        (ARM64, ARM64E) => 3 + u32::from(cpu == own) * 4,
        (ARM64, _) => 2 + u32::from(cpu == own) * 4,
        (X86_64, _) => 1 + u32::from(cpu == own) * 4,
        _ => 0,
    }
}
