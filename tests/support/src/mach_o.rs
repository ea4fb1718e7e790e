//! Mach-O files as small as they can be, with the signature a test asks for (mach-o/loader.h, mach-o/fat.h, and
//! osfmk/kern/cs_blobs.h of xnu). They have no code: what decides about libraries is all there.

/// One slice.
#[derive(Debug, Clone)]
pub struct MachO {
    /// The processor and its variant.
    pub cpu: (u32, u32),
    /// MH_EXECUTE 2, MH_DYLIB 6, MH_BUNDLE 8.
    pub file_type: u32,
    /// A section: the names of its segment and its own.
    pub section: (&'static str, &'static str),
    /// Its code directories: the slot, the type of its hashes, its flags. None: it is not signed.
    pub directories: Vec<(u32, u8, u32)>,
    /// The platform of the code directories: not 0 for Apple's own.
    pub platform: u8,
    /// The entitlements as XML, and as DER.
    pub entitlements: (Option<Vec<u8>>, Option<Vec<u8>>),
}

impl MachO {
    /// Intel's processor.
    pub const X86_64: (u32, u32) = (0x0100_0007, 3);
    /// Apple's.
    pub const ARM64: (u32, u32) = (0x0100_000c, 0);
    /// Apple's with pointer authentication; the highest byte says by which rules.
    pub const ARM64E: (u32, u32) = (0x0100_000c, 0x8000_0002);
    /// Intel's, 32-bit.
    pub const I386: (u32, u32) = (7, 3);

    /// CS_ADHOC
    pub const ADHOC: u32 = 0x2;
    /// CS_RESTRICT
    pub const RESTRICT: u32 = 0x800;
    /// CS_REQUIRE_LV
    pub const LIBRARY_VALIDATION: u32 = 0x2000;
    /// CS_RUNTIME
    pub const RUNTIME: u32 = 0x1_0000;

    /// `com.apple.security.cs.allow-dyld-environment-variables`
    pub const DYLD: &str = "allow-dyld-environment-variables";
    /// `com.apple.security.cs.disable-library-validation`
    pub const VALIDATION: &str = "disable-library-validation";

    /// A program that is not signed.
    pub fn program(cpu: (u32, u32)) -> MachO {
        MachO {
            cpu,
            file_type: 2,
            section: ("__TEXT", "__text"),
            directories: Vec::new(),
            platform: 0,
            entitlements: (None, None),
        }
    }

    /// A library, signed ad hoc.
    pub fn library(cpu: (u32, u32)) -> MachO {
        MachO {
            file_type: 6,
            ..MachO::program(cpu).signed(MachO::ADHOC)
        }
    }

    /// Signed with these flags.
    pub fn signed(mut self, flags: u32) -> MachO {
        self.directories.push((0, 2, flags));
        self
    }

    /// With these of the entitlements `com.apple.security.cs.*`, as codesign(1) writes them.
    pub fn entitled(mut self, names: &[&str]) -> MachO {
        let pairs: String = names
            .iter()
            .map(|name| format!("\t<key>com.apple.security.cs.{name}</key>\n\t<true/>\n"))
            .collect();
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
             \"https://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n{pairs}</dict>\n</plist>\n"
        );
        let pairs = names.iter().flat_map(|name| {
            let key = der(0x0c, format!("com.apple.security.cs.{name}").as_bytes());
            der(0x30, &[key, der(1, &[0xff])].concat())
        });
        let pairs = der(0xb0, &pairs.collect::<Vec<u8>>());
        let der = der(0x70, &[vec![2, 1, 1], pairs].concat());
        self.entitlements = (Some(xml.into_bytes()), Some(der));
        self
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let name = |text: &str| {
            let mut name = [0; 16];
            name[..text.len()].copy_from_slice(text.as_bytes());
            name
        };
        let signature = self.signature();
        let mut commands = Vec::new();
        // LC_SEGMENT_64 with one section.
        commands.extend(words(&[0x19, 72 + 80]));
        commands.extend(name(self.section.0));
        commands.extend([0; 32]);
        commands.extend(words(&[7, 5, 1, 0]));
        commands.extend(name(self.section.1));
        commands.extend(name(self.section.0));
        commands.extend([0; 48]);
        let end = 32 + commands.len() + 16;
        let mut count = 1;
        if let Some(signature) = &signature {
            // LC_CODE_SIGNATURE
            commands.extend(words(&[0x1d, 16, end as u32, signature.len() as u32]));
            count += 1;
        }
        let (cpu, variant) = self.cpu;
        let mut file = words(&[0xfeed_facf, cpu, variant, self.file_type, count]);
        file.extend(words(&[commands.len() as u32, 0, 0]));
        file.extend(commands);
        file.extend(signature.unwrap_or_default());
        file
    }

    fn signature(&self) -> Option<Vec<u8>> {
        if self.directories.is_empty() {
            return None;
        }
        let directory = |&(slot, hash, flags): &(u32, u8, u32)| {
            let (ident, team) = (52, 52 + 5);
            let mut body = words_be(&[0x2_0200, flags, 0, ident, 0, 0, 0]);
            body.extend([32, hash, self.platform, 12]);
            body.extend(words_be(&[0, 0, if flags & 2 != 0 { 0 } else { team }]));
            body.extend(b"tool\0TEAM000001\0");
            (slot, 0xfade_0c02, body)
        };
        let mut blobs: Vec<(u32, u32, Vec<u8>)> = self.directories.iter().map(directory).collect();
        let (xml, der) = self.entitlements.clone();
        blobs.extend(xml.map(|xml| (5, 0xfade_7171, xml)));
        blobs.extend(der.map(|der| (7, 0xfade_7172, der)));
        let mut index = Vec::new();
        let mut bodies = Vec::new();
        let head = 12 + 8 * blobs.len();
        for (slot, magic, body) in &blobs {
            index.extend(words_be(&[*slot, (head + bodies.len()) as u32]));
            bodies.extend(words_be(&[*magic, 8 + body.len() as u32]));
            bodies.extend(body);
        }
        let length = (head + bodies.len()) as u32;
        let mut all = words_be(&[0xfade_0cc0, length, blobs.len() as u32]);
        all.extend(index);
        all.extend(bodies);
        Some(all)
    }
}

/// A file with several slices.
pub fn fat(slices: &[MachO]) -> Vec<u8> {
    let mut table = words_be(&[0xcafe_babe, slices.len() as u32]);
    let mut bodies = Vec::new();
    let head = 8 + 20 * slices.len();
    for slice in slices {
        let bytes = slice.bytes();
        let (cpu, variant) = slice.cpu;
        let start = (head + bodies.len()) as u32;
        table.extend(words_be(&[cpu, variant, start, bytes.len() as u32, 0]));
        bodies.extend(bytes);
    }
    table.extend(bodies);
    table
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn words_be(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A value in DER, of less than 64 KiB.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut value = vec![tag];
    match length {
        0..=0x7f => value.push(length as u8),
        _ => value.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    value.extend(content);
    value
}
