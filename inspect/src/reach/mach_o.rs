//! Mach-O files: the slices, and what of each decides about libraries (mach-o/loader.h, mach-o/fat.h).

use super::entitlements::Entitlements;
use super::source::Part;
use crate::model::{Name, SliceSignature};
use object::macho::{
    self, CS_ADHOC, CS_HASHTYPE_SHA1, CS_HASHTYPE_SHA256, CS_HASHTYPE_SHA256_TRUNCATED,
    CS_HASHTYPE_SHA384, CS_REQUIRE_LV, CS_RESTRICT, CS_RUNTIME, CSMAGIC_EMBEDDED_DER_ENTITLEMENTS,
    CSMAGIC_EMBEDDED_ENTITLEMENTS, CSSLOT_CODEDIRECTORY, CSSLOT_DER_ENTITLEMENTS,
    CSSLOT_ENTITLEMENTS, CpuSubtype, CpuType, MachHeader32, MachHeader64,
};
use object::read::ReadRef;
use object::read::macho::{
    CodeDirectory, CodeSignature, FatArch, LoadCommandData, MachHeader, MachOFatFile, Section,
    Segment,
};
use object::{BigEndian, Endianness};

/// The most slices of a file. A Java class begins with the same four bytes, and there its version follows: 45 and more.
const SLICES: u32 = 32;

/// The most entries of a signature's index. codesign(1) writes fewer than ten.
const BLOBS: usize = 64;

/// One slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The processor it is for.
    pub cpu: Cpu,
    /// What it is.
    pub role: Role,
    /// It has a section that restricts it: `__RESTRICT,__restrict`.
    pub restrict_section: bool,
    /// Its signature.
    pub signature: Option<SliceSignature>,
}

/// A processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cpu {
    /// Intel's, 64-bit.
    X86_64,
    /// Apple's.
    Arm64,
    /// Apple's with pointer authentication, as Apple's own programs use it.
    Arm64e,
    /// One that no Mac of today runs.
    Other(u32),
}

impl Cpu {
    fn of(kind: CpuType, variant: CpuSubtype) -> Cpu {
        // The highest byte holds features (CPU_SUBTYPE_MASK).
        match (kind, variant.0 & 0x00ff_ffff) {
            (macho::CPU_TYPE_X86_64, _) => Cpu::X86_64,
            (macho::CPU_TYPE_ARM64, 2) => Cpu::Arm64e,
            (macho::CPU_TYPE_ARM64, _) => Cpu::Arm64,
            _ => Cpu::Other(kind.0),
        }
    }

    /// As lipo(1) calls it.
    pub fn name(self) -> String {
        match self {
            Cpu::X86_64 => "x86_64".into(),
            Cpu::Arm64 => "arm64".into(),
            Cpu::Arm64e => "arm64e".into(),
            Cpu::Other(kind) => match CpuType(kind) {
                macho::CPU_TYPE_X86 => "i386".into(),
                macho::CPU_TYPE_ARM => "arm".into(),
                macho::CPU_TYPE_POWERPC => "ppc".into(),
                macho::CPU_TYPE_POWERPC64 => "ppc64".into(),
                _ => format!("cputype {kind}"),
            },
        }
    }
}

/// What a Mach-O file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A program.
    Program,
    /// A library that programs are linked with.
    Library,
    /// Something else: an add-on, an object file, debug symbols.
    Other,
}

/// The slices of a file; `None` if it is not Mach-O.
///
/// # Errors
/// What is wrong with it, as the end of a sentence: the kernel does not start it either.
pub fn images(file: Part<'_>) -> Result<Option<Vec<Image>>, &'static str> {
    match file.head(4) {
        [0xca, 0xfe, 0xba, 0xbe] => fat::<macho::FatArch32>(file),
        [0xca, 0xfe, 0xba, 0xbf] => fat::<macho::FatArch64>(file),
        _ => Ok(thin(file)?.map(|image| vec![image])),
    }
}

fn fat<Arch: FatArch>(file: Part<'_>) -> Result<Option<Vec<Image>>, &'static str> {
    let header = file.read_at::<macho::FatHeader>(0);
    if header.is_ok_and(|header| header.nfat_arch.get(BigEndian) > SLICES) {
        return Ok(None);
    }
    let table =
        MachOFatFile::<Arch>::parse(file).map_err(|_| "its table of slices is incomplete")?;
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    let mut images = Vec::new();
    for arch in table.arches() {
        let (start, size) = arch.file_range();
        let part = file
            .part(start, size)
            .ok_or("a slice ends behind its end")?;
        // fatfile_validate_fatarches of xnu's bsd/kern/mach_fat.c refuses such a file.
        let overlaps = |&(from, to): &(u64, u64)| start < to && from < start + size;
        if ranges.iter().any(overlaps) {
            return Err("its slices overlap");
        }
        ranges.push((start, start + size));
        images.push(thin(part)?.ok_or("a slice is not Mach-O")?);
    }
    if images.is_empty() {
        return Err("it has no slice");
    }
    Ok(Some(images))
}

fn thin(file: Part<'_>) -> Result<Option<Image>, &'static str> {
    match file.head(4) {
        [0xcf, 0xfa, 0xed, 0xfe] | [0xfe, 0xed, 0xfa, 0xcf] => {
            image::<MachHeader64<Endianness>>(file).map(Some)
        }
        [0xce, 0xfa, 0xed, 0xfe] | [0xfe, 0xed, 0xfa, 0xce] => {
            image::<MachHeader32<Endianness>>(file).map(Some)
        }
        _ => Ok(None),
    }
}

fn image<Header: MachHeader<Endian = Endianness>>(file: Part<'_>) -> Result<Image, &'static str> {
    let header = Header::parse(file, 0).map_err(|_| "its header is incomplete")?;
    let endian = header
        .endian()
        .map_err(|_| "its byte order cannot be told")?;
    let damaged = |_| "its load commands are incomplete";
    let mut commands = header.load_commands(endian, file, 0).map_err(damaged)?;
    let mut image = Image {
        cpu: Cpu::of(header.cputype(endian), header.cpusubtype(endian)),
        role: match header.filetype(endian) {
            macho::MH_EXECUTE => Role::Program,
            macho::MH_DYLIB => Role::Library,
            _ => Role::Other,
        },
        restrict_section: false,
        signature: None,
    };
    while let Some(command) = commands.next().map_err(damaged)? {
        if command.cmd() == macho::LC_CODE_SIGNATURE {
            let place: &macho::LinkeditDataCommand<Endianness> = command
                .data()
                .map_err(|_| "its load command for the signature is too short")?;
            let found = place
                .code_signature(endian, file)
                .map_err(|_| "its signature is incomplete")?;
            image.signature = Some(signature(&found)?);
        }
        image.restrict_section |= is_restricted::<Header>(command, endian).map_err(damaged)?;
    }
    Ok(image)
}

fn is_restricted<Header: MachHeader<Endian = Endianness>>(
    command: LoadCommandData<'_, Endianness>,
    endian: Endianness,
) -> object::read::Result<bool> {
    let Some((segment, rest)) = Header::Segment::from_command(command)? else {
        return Ok(false);
    };
    let sections = segment.sections(endian, rest)?;
    Ok(segment.name() == b"__RESTRICT" && sections.iter().any(|s| s.name() == b"__restrict"))
}

/// What decides about libraries. Of several code directories the kernel takes the one with the strongest hash
/// (cs_validate_csblob, bsd/kern/ubc_subr.c).
fn signature(found: &CodeSignature<'_>) -> Result<SliceSignature, &'static str> {
    if found.index().len() > BLOBS {
        return Err("its signature has too many parts");
    }
    let mut best: Option<CodeDirectory<'_>> = None;
    let mut entitlements: [Option<Entitlements>; 2] = [None, None];
    for blob in found.blobs() {
        let blob = blob.map_err(|_| "its signature is incomplete")?;
        let slot = blob.slot();
        if slot == CSSLOT_CODEDIRECTORY || slot.is_alternate_codedirectory() {
            let one = blob
                .code_directory()
                .map_err(|_| "its code directory is incomplete")?;
            if rank(one) > rank(best) {
                best = one;
            }
        } else if slot == CSSLOT_ENTITLEMENTS && blob.magic() == CSMAGIC_EMBEDDED_ENTITLEMENTS {
            entitlements[0].get_or_insert_with(|| Entitlements::of_xml(blob.contents()));
        } else if slot == CSSLOT_DER_ENTITLEMENTS
            && blob.magic() == CSMAGIC_EMBEDDED_DER_ENTITLEMENTS
        {
            entitlements[1].get_or_insert_with(|| Entitlements::of_der(blob.contents()));
        }
    }
    let best = best.ok_or("its signature has no code directory")?;
    let flags = best.header().flags.get(BigEndian);
    let team = best.team_id().map_err(|_| "its team cannot be read")?;
    // Which of the two forms counts depends on the version of macOS: what is not in both is not relied on.
    let given: Vec<Entitlements> = entitlements.into_iter().flatten().collect();
    let has = |of: fn(&Entitlements) -> bool| !given.is_empty() && given.iter().all(of);
    Ok(SliceSignature {
        ad_hoc: flags.contains(CS_ADHOC),
        hardened_runtime: flags.contains(CS_RUNTIME),
        library_validation: flags.contains(CS_REQUIRE_LV),
        restricted: flags.contains(CS_RESTRICT),
        platform: best.header().platform != 0,
        team: team.map(Name::from),
        allows_dyld_variables: has(|e| e.allows_dyld_variables),
        disables_library_validation: has(|e| e.disables_library_validation),
    })
}

/// hashPriorities of bsd/kern/ubc_subr.c.
fn rank(directory: Option<CodeDirectory<'_>>) -> u8 {
    match directory.map(|directory| directory.header().hash_type) {
        None => 0,
        Some(CS_HASHTYPE_SHA1) => 2,
        Some(CS_HASHTYPE_SHA256_TRUNCATED) => 3,
        Some(CS_HASHTYPE_SHA256) => 4,
        Some(CS_HASHTYPE_SHA384) => 5,
        Some(_) => 1,
    }
}
