//! Programs as far as their files say what dyld does with them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub const HARDENED: u32 = 0x1_0000;
pub const VALIDATION: u32 = 0x2000;
pub const VARIABLE: &str = "com.apple.security.cs.allow-dyld-environment-variables";
pub const LIBRARIES: &str = "com.apple.security.cs.disable-library-validation";

/// A program for one architecture: a header, a command the library has no use for, and a signature.
pub fn thin(cpu: u32, subtype: u32, signed: Option<(u32, &[(&str, bool)])>) -> Vec<u8> {
    let words = |words: &[u32]| {
        words
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let big = |words: &[u32]| {
        words
            .iter()
            .flat_map(|w| w.to_be_bytes())
            .collect::<Vec<u8>>()
    };
    let commands = 1 + u32::from(signed.is_some());
    // MH_EXECUTE is 2; LC_UUID is 0x1b.
    let mut file = words(&[
        0xfeed_facf,
        cpu,
        subtype,
        2,
        commands,
        40,
        0,
        0,
        0x1b,
        24,
        0,
        0,
        0,
        0,
    ]);
    let Some((flags, entitlements)) = signed else {
        return file;
    };
    let at = 4096u32;
    file.extend(words(&[0x1d, 16, at, 1000]));
    file.resize(at as usize, 0);
    let list = |(name, is): &(&str, bool)| format!("\t<key>{name}</key>\n\t<{is}/>\n");
    let list = entitlements.iter().map(list).collect::<String>();
    let list = format!("<plist version=\"1.0\">\n<dict>\n{list}</dict>\n</plist>\n");
    let directory = big(&[0xfade_0c02, 44, 0x20400, flags, 0, 0, 0, 0, 0, 0, 0]);
    let blob = [
        big(&[0xfade_7171, 8 + list.len() as u32]),
        list.into_bytes(),
    ]
    .concat();
    let offset = 28 + directory.len() as u32;
    file.extend(big(&[0xfade_0cc0, 0, 2, 0, 28, 5, offset]));
    file.extend(directory);
    file.extend(blob);
    file
}

/// One for several.
pub fn fat(slices: &[(u32, u32, Vec<u8>)]) -> Vec<u8> {
    let mut file: Vec<u8> = [0xcafe_babe, slices.len() as u32]
        .iter()
        .flat_map(|w| w.to_be_bytes())
        .collect();
    let mut body = vec![];
    for (cpu, subtype, slice) in slices {
        let entry = [
            *cpu,
            *subtype,
            4096 + body.len() as u32,
            slice.len() as u32,
            12,
        ];
        file.extend(entry.iter().flat_map(|w| w.to_be_bytes()));
        body.extend(slice);
    }
    file.resize(4096, 0);
    [file, body].concat()
}

pub fn program_file(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
