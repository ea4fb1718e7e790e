//! The memory of the thread whose call is judged.

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
