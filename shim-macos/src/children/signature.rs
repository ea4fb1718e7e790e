//! What a program's signature says of libraries of others (osfmk/kern/cs_blobs.h). Its numbers are big-endian.

use super::file::File;

const SUPERBLOB: u32 = 0xfade_0cc0;
const CODE_DIRECTORY: u32 = 0xfade_0c02;
const ENTITLEMENTS: u32 = 0xfade_7171;

/// CS_REQUIRE_LV: libraries of the same signer only.
const REQUIRES_VALIDATION: u32 = 0x2000;
/// CS_RUNTIME: so too, and the variable is ignored, unless the entitlements say otherwise.
const HARDENED: u32 = 0x1_0000;

/// Entitlements are a property list of this size or less: of a larger one nothing is believed.
const ROOM: usize = 4096;

#[derive(Default)]
pub struct Signature {
    flags: u32,
    /// com.apple.security.cs.allow-dyld-environment-variables.
    allows_variable: bool,
    /// com.apple.security.cs.disable-library-validation.
    allows_libraries: bool,
}

impl Signature {
    pub fn read(file: &File, at: u64) -> Option<Signature> {
        let [magic, _, n] = file.words(at)?.map(u32::swap_bytes);
        if magic != SUPERBLOB {
            return None;
        }
        let mut signature = Signature::default();
        for i in 0..n.min(32) {
            let [_, offset] = file.words(at + 12 + 8 * u64::from(i))?.map(u32::swap_bytes);
            let blob = at + u64::from(offset);
            let [magic, size] = file.words(blob)?.map(u32::swap_bytes);
            match magic {
                CODE_DIRECTORY => {
                    let [flags] = file.words(blob + 12)?.map(u32::swap_bytes);
                    signature.flags |= flags;
                }
                ENTITLEMENTS => {
                    let mut buf = [0u8; ROOM];
                    let text = buf.get_mut(..(size as usize).checked_sub(8)?)?;
                    let n = file.read(blob + 8, text);
                    let text = text.get(..n)?;
                    let has = |name| has(text, name);
                    signature.allows_variable =
                        has(b"<key>com.apple.security.cs.allow-dyld-environment-variables</key>");
                    signature.allows_libraries =
                        has(b"<key>com.apple.security.cs.disable-library-validation</key>");
                }
                _ => {}
            }
        }
        Some(signature)
    }

    /// Whether it takes the variable and refuses the library.
    pub fn refuses(&self) -> bool {
        let takes = self.flags & HARDENED == 0 || self.allows_variable;
        takes && self.flags & (HARDENED | REQUIRES_VALIDATION) != 0 && !self.allows_libraries
    }
}

/// Whether `key` is in the list and true.
fn has(text: &[u8], key: &[u8]) -> bool {
    let mut places = (0..text.len()).filter_map(|at| text.get(at..)?.strip_prefix(key));
    places.any(|rest| rest.trim_ascii_start().starts_with(b"<true/>"))
}
