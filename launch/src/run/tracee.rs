//! The memory of the thread whose call is judged.

use super::calls::Call;
use crate::sys::memory;
use std::ffi::CString;
use std::io;

/// The longest path the kernel takes (`PATH_MAX`), with its NUL.
const LONGEST: usize = 4096;

/// Enough bytes for nearly every path: reading a whole page takes twice as long.
const USUAL: usize = 256;

/// The path at `address` in the thread's memory, read as the kernel reads it: not past the page its NUL lies on.
///
/// # Errors
/// EFAULT if it is not all there, ENAMETOOLONG, EPERM where the memory may not be read.
pub fn read_path(tid: u32, address: u64) -> io::Result<CString> {
    let mut path = Vec::with_capacity(memory::PAGE);
    while path.len() < LONGEST {
        let start = address + path.len() as u64;
        let to_page_end = memory::PAGE - start as usize % memory::PAGE;
        let wanted = if path.is_empty() { USUAL } else { memory::PAGE };
        let wanted = wanted.min(to_page_end);
        let mut piece = [0; memory::PAGE];
        let piece = piece.get_mut(..wanted).unwrap_or_default();
        let length = memory::read_of(tid, start, piece)?;
        let piece = piece.get(..length).unwrap_or_default();
        if let Some(end) = piece.iter().position(|&c| c == 0) {
            path.extend_from_slice(piece.get(..end).unwrap_or_default());
            if path.len() >= LONGEST {
                break;
            }
            return Ok(CString::new(path)?);
        }
        if length < wanted {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        path.extend_from_slice(piece);
    }
    Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG))
}

/// Where a read puts what it reads, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Its address.
    pub address: u64,
    /// Its size in bytes.
    pub size: u64,
}

/// The buffers that the thread's `call` fills, one after the other. Only the first may be empty: the kernel passes over
/// empty ones behind it.
///
/// # Errors
/// EFAULT, EPERM; EINVAL where it is not a read.
pub fn buffers(tid: u32, call: Call) -> io::Result<Vec<Buffer>> {
    let (parts, count, small) = match call {
        Call::Read(address, size) => return Ok(vec![Buffer { address, size }]),
        // UIO_MAXIOV: the kernel refuses more.
        Call::ReadParts {
            parts,
            count: count @ 1..=1024,
            small,
        } => (parts, count, small),
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let word = if small { 4 } else { 8 };
    let mut buffers = Vec::new();
    for at in 0..count {
        let part = parts.wrapping_add(at * 2 * word);
        let (address, size) = (
            read_word(tid, part, small)?,
            read_word(tid, part + word, small)?,
        );
        if size > 0 || at == 0 {
            buffers.push(Buffer { address, size });
        }
    }
    Ok(buffers)
}

/// Writes `bytes` into the buffers, one after the other. False if not all of them could be written.
pub fn fill(tid: u32, buffers: &[Buffer], mut bytes: &[u8]) -> bool {
    for buffer in buffers {
        let room = usize::try_from(buffer.size).unwrap_or(usize::MAX);
        let (part, rest) = bytes.split_at(room.min(bytes.len()));
        if !memory::write_of(tid, buffer.address, part).is_ok_and(|count| count == part.len()) {
            return false;
        }
        bytes = rest;
    }
    bytes.is_empty()
}

fn read_word(tid: u32, address: u64, small: bool) -> io::Result<u64> {
    let mut word = [0; 8];
    let size = if small { 4 } else { 8 };
    let (bytes, _) = word.split_at_mut(size);
    match memory::read_of(tid, address, bytes)? {
        read if read == size => Ok(u64::from_le_bytes(word)),
        _ => Err(io::Error::from_raw_os_error(libc::EFAULT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_to_its_end_and_no_further() {
        let path = c"/a/b";
        let read = read_path(std::process::id(), path.as_ptr() as u64).unwrap();
        assert_eq!(read.as_c_str(), path);
        let long = CString::new(vec![b'x'; 4095]).unwrap();
        let read = read_path(std::process::id(), long.as_ptr() as u64).unwrap();
        assert_eq!(read, long);
    }

    #[test]
    fn a_read_goes_into_all_parts_with_room() {
        let parts: [u64; 8] = [8, 0, 4096, 64, 16, 0, 5, 5];
        let of = |address, count, small| {
            let call = Call::ReadParts {
                parts: address,
                count,
                small,
            };
            let found = buffers(std::process::id(), call).map_err(|e| e.kind())?;
            Ok::<_, io::ErrorKind>(
                found
                    .iter()
                    .map(|one| (one.address, one.size))
                    .collect::<Vec<_>>(),
            )
        };
        let found = of(parts.as_ptr() as u64, 4, false);
        assert_eq!(found.unwrap(), [(8, 0), (4096, 64), (5, 5)]);
        let parts: [u32; 4] = [8, 4, 4096, 64];
        let found = of(parts.as_ptr() as u64, 2, true);
        assert_eq!(found.unwrap(), [(8, 4), (4096, 64)]);
        assert!(of(16, 1, false).is_err() && of(parts.as_ptr() as u64, 0, true).is_err());
        assert!(of(parts.as_ptr() as u64, 1025, true).is_err());
    }

    #[test]
    fn what_is_no_path_has_the_kernels_errno() {
        let errno = |address| {
            read_path(std::process::id(), address)
                .unwrap_err()
                .raw_os_error()
        };
        assert_eq!(errno(16), Some(libc::EFAULT));
        let long = CString::new(vec![b'x'; 4096]).unwrap();
        assert_eq!(errno(long.as_ptr() as u64), Some(libc::ENAMETOOLONG));
    }
}
