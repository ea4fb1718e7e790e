//! Arbitrary bytes as a Mach-O file, as an ELF file, as entitlements in both forms, and as the words of a script.

#![no_main]

use inspect::reach::{Entitlements, Source, images, linkage, script_words};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    let whole = |bytes: &[u8]| Source::new(Cursor::new(bytes.to_vec()));
    let source = whole(bytes);
    if let Ok(Some(found)) = images(source.whole()) {
        assert!((1..=32).contains(&found.len()));
    }
    linkage(source.whole());
    // The same behind the headers that the format asks for, so that what lies behind them is reached.
    for head in HEADS {
        let source = whole(&[head, bytes].concat());
        let _ = images(source.whole());
        linkage(source.whole());
    }
    if let Ok(Some(found)) = images(whole(&signed(bytes)).whole()) {
        assert!(found.iter().all(|image| image.signature.is_some()));
    }
    // No entitlement comes from bytes that do not name one.
    let none = |found: Entitlements| !found.allows_dyld_variables && !found.disables_library_validation;
    if !bytes.windows(18).any(|part| part == b"com.apple.security") {
        assert!(none(Entitlements::of_xml(bytes)));
        assert!(none(Entitlements::of_der(bytes)));
    }
    if let Some(words) = script_words(bytes) {
        assert!(words.iter().all(|word| !word.is_empty()));
    }
});

const HEADS: [&[u8]; 5] = [
    b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0\x02\0\0\0",
    b"\xfe\xed\xfa\xce\0\0\0\x12\0\0\0\0\0\0\0\x02",
    b"\xca\xfe\xba\xbe\0\0\0\x02",
    b"\xca\xfe\xba\xbf\0\0\0\x01",
    b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0",
];

/// A file for arm64 with one load command, that of a signature whose content is `bytes`.
fn signed(bytes: &[u8]) -> Vec<u8> {
    let words = [0xfeed_facfu32, 0x0100_000c, 0, 2, 1, 16, 0, 0, 0x1d, 16, 48];
    let length = bytes.len() as u32 + 4;
    let head = words.into_iter().chain([length]);
    let mut file: Vec<u8> = head.flat_map(u32::to_le_bytes).collect();
    file.extend(b"\xfa\xde\x0c\xc0");
    file.extend(bytes);
    file
}
