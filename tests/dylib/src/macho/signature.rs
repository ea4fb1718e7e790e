//! The signature: a hash of every page (osfmk/kern/cs_blobs.h). All numbers are big-endian.

use sha2::{Digest, Sha256};

use super::{Bytes, File};

const SUPERBLOB: u32 = 0xfade_0cc0;
const CODE_DIRECTORY: u32 = 0xfade_0c02;

/// A code directory, and whether the file is the one that was signed.
#[derive(Debug)]
pub struct Signature {
    pub identifier: String,
    /// `CS_ADHOC` is 2, `CS_LINKER_SIGNED` 0x20000, `CS_RUNTIME` 0x10000.
    pub flags: u32,
    pub pages: usize,
    /// Numbers of the pages whose hash is another one.
    pub wrong: Vec<usize>,
    /// It covers all that lies before it.
    pub covers_all: bool,
}

impl Signature {
    pub fn of(file: &File<'_>) -> Option<Signature> {
        let (at, size) = file.signature?;
        let blob = Bytes(file.bytes).part(at, size);
        assert_eq!(blob.big(0), SUPERBLOB);
        let directory = (0..blob.big(8) as usize)
            .map(|i| blob.from(blob.big(16 + 8 * i) as usize))
            .find(|blob| blob.big(0) == CODE_DIRECTORY)?;
        let (hashes, identifier) = (directory.big(16) as usize, directory.big(20) as usize);
        let (pages, limit) = (directory.big(28) as usize, directory.big(32) as usize);
        let [hash_size, hash_type, _, page_bits] = directory.part(36, 4).0 else {
            return None;
        };
        // CS_HASHTYPE_SHA256
        assert_eq!((*hash_size, *hash_type), (32, 2));
        let page = 1 << page_bits;
        let signed = &file.bytes[..limit];
        let wrong = signed.chunks(page).enumerate();
        let wrong = wrong.filter(|(i, page)| {
            Sha256::digest(page).as_slice() != directory.part(hashes + 32 * i, 32).0
        });
        Some(Signature {
            identifier: directory.text(identifier),
            flags: directory.big(12),
            pages,
            wrong: wrong.map(|(i, _)| i).collect(),
            covers_all: limit == at && pages == limit.div_ceil(page),
        })
    }
}
