//! The memory of the thread whose call is judged.

use super::calls::Call;
use crate::sys::memory;
use std::ffi::CString;
use std::io;

/// The longest path the kernel takes (`PATH_MAX`), with its NUL.
const LONGEST: usize = 4096;

/// As much as nearly every path has, in bytes: to read a whole page takes twice as long.
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

/// Where a read puts what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Its address.
    pub address: u64,
    /// Its size in bytes.
    pub size: u64,
}

/// Where the thread's `call` puts what it reads: of several parts the first that has room, as a read may be short.
///
/// # Errors
/// EFAULT, EPERM; EINVAL where it is not a read.
pub fn buffer(tid: u32, call: Call) -> io::Result<Buffer> {
    let (parts, count, small) = match call {
        Call::Read(address, size) => return Ok(Buffer { address, size }),
        Call::ReadParts {
            parts,
            count,
            small,
        } => (parts, count, small),
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let word = if small { 4 } else { 8 };
    // UIO_MAXIOV: the kernel refuses more.
    for at in 0..count.min(1024) {
        let part = parts.wrapping_add(at * 2 * word);
        let (address, size) = (
            read_word(tid, part, small)?,
            read_word(tid, part + word, small)?,
        );
        if size > 0 {
            return Ok(Buffer { address, size });
        }
    }
    Err(io::ErrorKind::InvalidInput.into())
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
    fn the_first_part_with_room_is_where_a_read_goes() {
        let parts: [u64; 6] = [8, 0, 4096, 64, 5, 5];
        let of = |address, count, small| {
            let call = Call::ReadParts {
                parts: address,
                count,
                small,
            };
            buffer(std::process::id(), call).map_err(|e| e.kind())
        };
        let found = Ok(Buffer {
            address: 4096,
            size: 64,
        });
        assert_eq!(of(parts.as_ptr() as u64, 3, false), found);
        let parts: [u32; 4] = [8, 0, 4096, 64];
        assert_eq!(of(parts.as_ptr() as u64, 2, true), found);
        assert!(of(parts.as_ptr() as u64, 1, true).is_err() && of(16, 1, false).is_err());
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
