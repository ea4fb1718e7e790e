//! The load commands.

use super::segment::Segment;
use super::{Bytes, Fixup, chains, opcodes};

/// `CPU_TYPE_X86_64` and `CPU_TYPE_ARM64`.
pub const X86_64: u32 = 0x0100_0007;
pub const ARM64: u32 = 0x0100_000c;

const MH_MAGIC_64: u32 = 0xfeed_facf;
const FAT_MAGIC: u32 = 0xcafe_babe;

/// The files in a fat file, with the address each begins at and its alignment.
pub fn slices(fat: &[u8]) -> Vec<(&[u8], usize, u32)> {
    let bytes = Bytes(fat);
    assert_eq!(bytes.big(0), FAT_MAGIC);
    let entries = (0..bytes.big(4) as usize).map(|i| bytes.part(8 + 20 * i, 20));
    entries
        .map(|entry| {
            let (at, size) = (entry.big(8) as usize, entry.big(12) as usize);
            let slice = &fat[at..at + size];
            // The head says the same as the file in it.
            assert_eq!(entry.big(0), Bytes(slice).word(4));
            assert_eq!(entry.big(4), Bytes(slice).word(8));
            (slice, at, entry.big(16))
        })
        .collect()
}

#[derive(Clone)]
pub struct Section {
    pub segment: String,
    pub name: String,
    pub address: u64,
    pub size: u64,
}

pub struct Dylib {
    pub name: String,
    pub weak: bool,
}

pub struct Symbol {
    pub name: String,
    /// `None` if it is imported.
    pub address: Option<u64>,
    pub exported: bool,
}

/// One file for one architecture.
pub struct File<'a> {
    pub bytes: &'a [u8],
    pub cpu: u32,
    /// `MH_DYLIB` is 6.
    pub kind: u32,
    pub segments: Vec<Segment>,
    pub sections: Vec<Section>,
    pub dylibs: Vec<Dylib>,
    /// `LC_ID_DYLIB`.
    pub own_name: Option<String>,
    pub symbols: Vec<Symbol>,
    pub fixups: Vec<Fixup>,
    /// How the fixups are written: opcodes, or chains.
    pub chained: bool,
    /// Platform and oldest system, as 0x000b0000 for 11.0.
    pub built_for: Option<(u32, u32)>,
    /// Where the signature lies.
    pub signature: Option<(usize, usize)>,
}

impl<'a> File<'a> {
    /// The slice of a fat file for `cpu`.
    pub fn of(fat: &'a [u8], cpu: u32) -> File<'a> {
        let mut all = slices(fat)
            .into_iter()
            .map(|(slice, ..)| File::parse(slice));
        all.find(|file| file.cpu == cpu).expect("a slice for it")
    }

    pub fn parse(bytes: &'a [u8]) -> File<'a> {
        let b = Bytes(bytes);
        assert_eq!(b.word(0), MH_MAGIC_64);
        let mut file = File {
            bytes,
            cpu: b.word(4),
            kind: b.word(12),
            segments: vec![],
            sections: vec![],
            dylibs: vec![],
            own_name: None,
            symbols: vec![],
            fixups: vec![],
            chained: false,
            built_for: None,
            signature: None,
        };
        let (mut opcodes, mut chains) = (None, None);
        let mut at = 32;
        for _ in 0..b.index(16) {
            let command = b.part(at, b.index(at + 4));
            at += command.0.len();
            match command.word(0) {
                0x19 => file.segment(command),
                0x2 => file.symbols(command),
                // LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB
                kind @ (0xc | 0x8000_0018) => file.dylibs.push(Dylib {
                    name: command.text(command.index(8)),
                    weak: kind != 0xc,
                }),
                0xd => file.own_name = Some(command.text(command.index(8))),
                // LC_DYLD_INFO, LC_DYLD_INFO_ONLY
                0x22 | 0x8000_0022 => opcodes = Some(command),
                0x8000_0034 => chains = Some(command),
                0x32 => file.built_for = Some((command.word(8), command.word(12))),
                0x1d => file.signature = Some((command.index(8), command.index(12))),
                _ => {}
            }
        }
        file.chained = chains.is_some();
        let data = |command: Bytes<'a>, at: usize| b.part(command.index(at), command.index(at + 4));
        if let Some(command) = opcodes {
            let own = opcodes::rebases(data(command, 8), &file.segments, b);
            let binds = opcodes::binds(data(command, 16), &file.segments, false);
            let lazy = opcodes::binds(data(command, 32), &file.segments, true);
            file.fixups = [own, binds, lazy].concat();
        }
        if let Some(command) = chains {
            file.fixups = chains::fixups(data(command, 8), &file.segments, b);
        }
        file
    }

    fn segment(&mut self, command: Bytes<'_>) {
        let segment = Segment {
            name: command.part(0, 24).text(8),
            address: command.long(24),
            size: command.long(32),
            offset: command.long(40) as usize,
            in_file: command.long(48) as usize,
            protection: command.word(60),
        };
        for i in 0..command.index(64) {
            let section = command.part(72 + 80 * i, 80);
            self.sections.push(Section {
                segment: segment.name.clone(),
                name: section.part(0, 16).text(0),
                address: section.long(32),
                size: section.long(40),
            });
        }
        self.segments.push(segment);
    }

    fn symbols(&mut self, command: Bytes<'_>) {
        let b = Bytes(self.bytes);
        let (symbols, n, strings) = (command.index(8), command.index(12), command.index(16));
        for i in 0..n {
            let symbol = b.part(symbols + 16 * i, 16);
            // N_TYPE is 0x0e (N_SECT where it is defined), N_EXT 1, N_STAB 0xe0.
            let kind = symbol.0[4];
            if kind & 0xe0 == 0 {
                let defined = kind & 0x0e == 0x0e;
                self.symbols.push(Symbol {
                    name: b.text(strings + symbol.index(0)),
                    address: defined.then(|| symbol.long(8)),
                    exported: defined && kind & 1 == 1,
                });
            }
        }
    }

    pub fn section(&self, name: &str) -> Option<Section> {
        self.sections.iter().find(|s| s.name == name).cloned()
    }

    /// The names the library has an import for, without those only the linker needs.
    pub fn imports(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .symbols
            .iter()
            .filter(|s| s.address.is_none())
            .map(|s| s.name.clone())
            .collect();
        names.sort();
        names
    }
}
