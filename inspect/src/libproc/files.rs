//! Descriptors: their list, and files among them.

use super::bytes::Bytes;
use super::layout::{MAXPATHLEN, PipeFdInfo, ProcFdInfo, VinfoStat, VnodeFdInfoWithPath};
use crate::model::{Descriptor, Device, Identity, Kind, Name};
use std::mem::offset_of;

/// What a descriptor is, in the list: PROX_FDTYPE_* (bsd/sys/proc_info.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FdType {
    File,
    Socket,
    Kqueue,
    Pipe,
    /// Shared memory, semaphores, fseventsd's own, channels.
    Other,
}

/// FWRITE (bsd/sys/fcntl.h): the kernel's own form of the flags of open(2).
const FWRITE: u32 = 2;
/// S_IFMT and what it masks (bsd/sys/stat.h).
const S_IFMT: u16 = 0o170_000;

/// The descriptors of PROC_PIDLISTFDS, lowest number first.
pub fn list(answer: &[u8]) -> Vec<(i32, FdType)> {
    let each = Bytes(answer).each(size_of::<ProcFdInfo>());
    let one = |bytes: Bytes<'_>| {
        let fd = bytes.i32(offset_of!(ProcFdInfo, proc_fd))?;
        let kind = match bytes.u32(offset_of!(ProcFdInfo, proc_fdtype))? {
            1 => FdType::File,
            2 => FdType::Socket,
            5 => FdType::Kqueue,
            6 => FdType::Pipe,
            _ => FdType::Other,
        };
        Some((fd, kind))
    };
    let mut all: Vec<_> = each.filter_map(one).collect();
    all.sort_unstable_by_key(|&(fd, _)| fd);
    all
}

/// A file, of a vnode_fdinfowithpath; `None` if the bytes are too few.
pub fn file(fd: i32, answer: &[u8]) -> Option<Descriptor> {
    if answer.len() < size_of::<VnodeFdInfoWithPath>() {
        return None;
    }
    let bytes = Bytes(answer);
    let flags = bytes.u32(offset_of!(VnodeFdInfoWithPath, pfi.fi_openflags))?;
    let stat = offset_of!(VnodeFdInfoWithPath, pvip.vip_vi.vi_stat);
    let mode = bytes.u16(stat + offset_of!(VinfoStat, vst_mode))?;
    let links = bytes.u16(stat + offset_of!(VinfoStat, vst_nlink))?;
    let path = bytes.text(offset_of!(VnodeFdInfoWithPath, pvip.vip_path), MAXPATHLEN);
    let kind = match mode & S_IFMT {
        0o100_000 => Kind::File,
        0o040_000 => Kind::Directory,
        0o020_000 => Kind::CharDevice,
        0o060_000 => Kind::BlockDevice,
        0o010_000 => Kind::Pipe,
        0o140_000 => Kind::Socket,
        _ => Kind::Unknown,
    };
    let is_file = kind == Kind::File;
    let blocks = bytes.size(stat + offset_of!(VinfoStat, vst_blocks));
    Some(Descriptor {
        target: path.map(Name::from).unwrap_or_default(),
        deleted: is_file && links == 0,
        writable: Some(flags & FWRITE != 0),
        bytes: bytes
            .size(stat + offset_of!(VinfoStat, vst_size))
            .filter(|_| is_file),
        // Blocks of 512 bytes (stat(2)).
        space: blocks.map(|n| n.saturating_mul(512)).filter(|_| is_file),
        identity: Some(identity(
            bytes.u32(stat + offset_of!(VinfoStat, vst_dev))?,
            bytes.u64(stat + offset_of!(VinfoStat, vst_ino))?,
        )),
        ..Descriptor::of_kind(fd, kind)
    })
}

/// A pipe, of a pipe_fdinfo: both ends have the same name.
pub fn pipe(fd: i32, answer: &[u8]) -> Option<Descriptor> {
    let bytes = Bytes(answer);
    let own = bytes.u64(offset_of!(PipeFdInfo, pipe_handle))?;
    let peer = bytes.u64(offset_of!(PipeFdInfo, pipe_peerhandle))?;
    Some(Descriptor {
        target: format!("pipe:[{:x}]", own.min(peer)).as_str().into(),
        ..Descriptor::of_kind(fd, Kind::Pipe)
    })
}

/// What a file is known by. A Mac's dev_t has the major number in its highest byte (bsd/sys/types.h).
pub fn identity(device: u32, inode: u64) -> Identity {
    let (major, minor) = (device >> 24, device & 0xf_ffff);
    Identity::plain(Device(major << 20 | minor), inode)
}
