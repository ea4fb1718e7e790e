//! ELF files: how they are linked (elf(5)).

use super::source::Part;
use object::Endianness;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::ReadRef;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// DF_1_PIE, in DT_FLAGS_1: a program, not a library.
const PIE: u64 = 0x0800_0000;

/// How it is linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// By nothing but itself.
    Static,
    /// By a loader, which can preload a library.
    Dynamic {
        /// The size of its words.
        bits: u8,
        /// The loader.
        loader: String,
        /// It is a Go program: it makes its system calls itself, and a library sees none of them.
        go: bool,
    },
    /// It is not a program but a library.
    Library,
}

impl Kind {
    /// In words.
    pub fn text(&self) -> &'static str {
        match self {
            Kind::Static => "static: no library can be preloaded into it",
            Kind::Dynamic { go: true, .. } => {
                "dynamic, in Go: it makes its system calls itself, and no library sees them"
            }
            Kind::Dynamic { bits: 64, .. } => "dynamic, 64-bit",
            Kind::Dynamic { .. } => "dynamic, 32-bit",
            Kind::Library => "a library, not a program",
        }
    }
}

/// Whether it is an ELF file at all.
pub fn is_elf(file: Part<'_>) -> bool {
    file.head(4) == elf::ELFMAG
}

/// How an ELF file is linked; `None` if that cannot be read.
pub fn kind(file: Part<'_>) -> Option<Kind> {
    match file.head(5) {
        [_, _, _, _, 2] => linkage::<FileHeader64<Endianness>>(file, 64),
        [_, _, _, _, 1] => linkage::<FileHeader32<Endianness>>(file, 32),
        _ => None,
    }
}

fn linkage<Header: FileHeader<Endian = Endianness>>(file: Part<'_>, bits: u8) -> Option<Kind> {
    let header = Header::parse(file).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, file).ok()?;
    // The linker of Go notes the build (elfwritegobuildid of cmd/link/internal/ld/elf.go).
    let is_of_go = |segment: &Header::ProgramHeader| {
        let notes = segment.notes(endian, file).ok().flatten();
        notes.is_some_and(|mut notes| {
            std::iter::from_fn(|| notes.next().ok().flatten()).any(|note| note.name() == b"Go")
        })
    };
    for segment in segments {
        if segment.p_type(endian) == elf::PT_INTERP {
            let room = segment.p_filesz(endian).into().min(4096);
            let loader = file.read_bytes_at(segment.p_offset(endian).into(), room);
            let loader = loader.ok()?.split(|&c| c == 0).next().unwrap_or_default();
            return Some(Kind::Dynamic {
                bits,
                loader: OsStr::from_bytes(loader).display().to_string(),
                go: segments.iter().any(is_of_go),
            });
        }
    }
    let shared = header.e_type(endian) == elf::ET_DYN;
    let dynamic = segments
        .iter()
        .find_map(|s| s.dynamic(endian, file).ok().flatten());
    // A static program may have this type as well (-static-pie); it begins somewhere, and has no name for others.
    let is_library = |dynamic: &[Header::Dyn]| {
        let has = |tag| dynamic.iter().any(|entry| entry.d_tag(endian) == tag);
        let is_program = dynamic.iter().any(|entry| {
            entry.d_tag(endian) == elf::DT_FLAGS_1 && entry.d_val(endian).into() & PIE != 0
        });
        !is_program && (has(elf::DT_SONAME) || header.e_entry(endian).into() == 0)
    };
    match dynamic {
        Some(dynamic) if shared && is_library(dynamic) => Some(Kind::Library),
        _ => Some(Kind::Static),
    }
}
