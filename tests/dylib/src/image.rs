//! A library in memory, as dyld leaves it: mapped, bound, protected, initialised.

use std::ptr::null_mut;

use crate::macho::{File, Fixup, What};

#[cfg(target_arch = "x86_64")]
pub const CPU: u32 = 0x0100_0007;
#[cfg(target_arch = "aarch64")]
pub const CPU: u32 = 0x0100_000c;

/// A loaded library. It stays, as one that dyld inserted does.
pub struct Image {
    base: usize,
    low: u64,
    /// The pairs of `__interpose`: ours, and what it stands in place of.
    pub pairs: Vec<(usize, usize)>,
    initialisers: Vec<usize>,
}

impl Image {
    /// `resolve` finds what stands behind an imported name.
    pub fn load(file: &File<'_>, resolve: &dyn Fn(&str) -> usize) -> Image {
        assert_eq!(file.cpu, CPU);
        let low = file.segments.iter().map(|s| s.address).min().unwrap();
        let high = file
            .segments
            .iter()
            .map(|s| s.address + s.size)
            .max()
            .unwrap();
        let mut image = Image {
            base: mapping((high - low) as usize),
            low,
            pairs: vec![],
            initialisers: vec![],
        };
        for segment in &file.segments {
            let bytes = &file.bytes[segment.offset..segment.offset + segment.in_file];
            let to = image.at(segment.address) as *mut u8;
            // SAFETY: the mapping has room for every segment.
            unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        }
        for fixup in &file.fixups {
            image.fix(fixup, resolve);
        }
        for segment in &file.segments {
            image.protect(segment.address, segment.size, segment.protection);
        }
        image.pairs = image
            .words(file, "__interpose")
            .chunks(2)
            .map(|p| (p[0], p[1]))
            .collect();
        image.initialisers = image.words(file, "__mod_init_func");
        // The form that goes with chains: offsets.
        for offset in image.halves(file, "__init_offsets") {
            image.initialisers.push(image.base + offset as usize);
        }
        image
    }

    /// Runs the initialisers.
    pub fn initialise(&self) {
        assert!(!self.initialisers.is_empty());
        for at in &self.initialisers {
            // SAFETY: the library says that a function is there.
            let function = unsafe { std::mem::transmute::<usize, extern "C" fn()>(*at) };
            function();
        }
    }

    /// Where an address of the file lies.
    pub fn at(&self, address: u64) -> usize {
        self.base + (address - self.low) as usize
    }

    fn fix(&self, fixup: &Fixup, resolve: &dyn Fn(&str) -> usize) {
        let value = match &fixup.what {
            What::Rebase(address) => self.at(*address),
            What::Bind { name, addend, .. } => resolve(name).wrapping_add(*addend as usize),
        };
        // SAFETY: the slot lies in a segment, and nothing is protected yet.
        unsafe { (self.at(fixup.at) as *mut usize).write_unaligned(value) };
    }

    fn protect(&self, address: u64, size: u64, mach: u32) {
        let bits = [
            (1, libc::PROT_READ),
            (2, libc::PROT_WRITE),
            (4, libc::PROT_EXEC),
        ];
        let on = bits.iter().filter(|(theirs, _)| mach & theirs != 0);
        let protection = on.fold(0, |all, (_, ours)| all | ours);
        let size = (size as usize).next_multiple_of(4096);
        // SAFETY: a part of the image's own mapping.
        let done = unsafe { libc::mprotect(self.at(address) as _, size, protection) };
        assert_eq!(done, 0);
    }

    fn words(&self, file: &File<'_>, section: &str) -> Vec<usize> {
        let Some(section) = file.section(section) else {
            return vec![];
        };
        let at = self.at(section.address) as *const usize;
        // SAFETY: the section lies in the image.
        unsafe { std::slice::from_raw_parts(at, section.size as usize / 8) }.to_vec()
    }

    fn halves(&self, file: &File<'_>, section: &str) -> Vec<u32> {
        let Some(section) = file.section(section) else {
            return vec![];
        };
        let at = self.at(section.address) as *const u32;
        // SAFETY: the section lies in the image.
        unsafe { std::slice::from_raw_parts(at, section.size as usize / 4) }.to_vec()
    }
}

fn mapping(size: usize) -> usize {
    let (protection, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
    );
    // SAFETY: a new mapping.
    let at = unsafe { libc::mmap(null_mut(), size, protection, flags, -1, 0) };
    assert_ne!(at, libc::MAP_FAILED);
    at as usize
}
