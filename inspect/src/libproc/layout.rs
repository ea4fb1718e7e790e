//! The structures in which a Mac's kernel answers proc_info, as its headers declare them: bsd/sys/proc_info.h,
//! proc_info_private.h and event_private.h of xnu-11417. Only their layout counts: a field is read at its offset. The
//! numbers that are asserted were computed by hand from the headers, and on a Mac libc's own declarations are compared.

#![allow(dead_code, reason = "these are layouts: no value of them is ever made")]

use std::mem::{offset_of, size_of};

/// MAXCOMLEN (bsd/sys/param.h).
const MAXCOMLEN: usize = 16;
/// MAXPATHLEN (bsd/sys/param.h).
pub const MAXPATHLEN: usize = 1024;
/// SOCK_MAXADDRLEN (bsd/sys/socket.h).
const SOCK_MAXADDRLEN: usize = 255;

/// PROC_PIDTBSDINFO.
#[repr(C)]
pub struct ProcBsdInfo {
    pub pbi_flags: u32,
    pub pbi_status: u32,
    pub pbi_xstatus: u32,
    pub pbi_pid: u32,
    pub pbi_ppid: u32,
    pub pbi_uid: u32,
    pub pbi_gid: u32,
    pub pbi_ruid: u32,
    pub pbi_rgid: u32,
    pub pbi_svuid: u32,
    pub pbi_svgid: u32,
    pub rfu_1: u32,
    pub pbi_comm: [u8; MAXCOMLEN],
    pub pbi_name: [u8; 2 * MAXCOMLEN],
    pub pbi_nfiles: u32,
    pub pbi_pgid: u32,
    pub pbi_pjobc: u32,
    pub e_tdev: u32,
    pub e_tpgid: u32,
    pub pbi_nice: i32,
    pub pbi_start_tvsec: u64,
    pub pbi_start_tvusec: u64,
}

/// PROC_PIDT_SHORTBSDINFO, which is told of every process to everybody.
#[repr(C)]
pub struct ProcBsdShortInfo {
    pub pbsi_pid: u32,
    pub pbsi_ppid: u32,
    pub pbsi_pgid: u32,
    pub pbsi_status: u32,
    pub pbsi_comm: [u8; MAXCOMLEN],
    pub pbsi_flags: u32,
    pub pbsi_uid: u32,
    pub pbsi_gid: u32,
    pub pbsi_ruid: u32,
    pub pbsi_rgid: u32,
    pub pbsi_svuid: u32,
    pub pbsi_svgid: u32,
    pub pbsi_rfu: u32,
}

/// One of PROC_PIDLISTFDS.
#[repr(C)]
pub struct ProcFdInfo {
    pub proc_fd: i32,
    pub proc_fdtype: u32,
}

/// What every answer about a descriptor begins with.
#[repr(C)]
pub struct ProcFileInfo {
    pub fi_openflags: u32,
    pub fi_status: u32,
    pub fi_offset: i64,
    pub fi_type: i32,
    pub fi_guardflags: u32,
}

/// stat(2) with fields of a fixed size.
#[repr(C)]
pub struct VinfoStat {
    pub vst_dev: u32,
    pub vst_mode: u16,
    pub vst_nlink: u16,
    pub vst_ino: u64,
    pub vst_uid: u32,
    pub vst_gid: u32,
    pub vst_atime: i64,
    pub vst_atimensec: i64,
    pub vst_mtime: i64,
    pub vst_mtimensec: i64,
    pub vst_ctime: i64,
    pub vst_ctimensec: i64,
    pub vst_birthtime: i64,
    pub vst_birthtimensec: i64,
    pub vst_size: i64,
    pub vst_blocks: i64,
    pub vst_blksize: i32,
    pub vst_flags: u32,
    pub vst_gen: u32,
    pub vst_rdev: u32,
    pub vst_qspare: [i64; 2],
}

/// A file.
#[repr(C)]
pub struct VnodeInfo {
    pub vi_stat: VinfoStat,
    pub vi_type: i32,
    pub vi_pad: i32,
    pub vi_fsid: [i32; 2],
}

/// A file and its path.
#[repr(C)]
pub struct VnodeInfoPath {
    pub vip_vi: VnodeInfo,
    pub vip_path: [u8; MAXPATHLEN],
}

/// PROC_PIDFDVNODEPATHINFO.
#[repr(C)]
pub struct VnodeFdInfoWithPath {
    pub pfi: ProcFileInfo,
    pub pvip: VnodeInfoPath,
}

/// PROC_PIDVNODEPATHINFO: the working directory and the root.
#[repr(C)]
pub struct ProcVnodePathInfo {
    pub pvi_cdir: VnodeInfoPath,
    pub pvi_rdir: VnodeInfoPath,
}

/// The Internet's part of a socket. An IPv4 address is the last word of its 16 bytes.
#[repr(C)]
pub struct InSockInfo {
    pub insi_fport: i32,
    pub insi_lport: i32,
    pub insi_gencnt: u64,
    pub insi_flags: u32,
    pub insi_flow: u32,
    pub insi_vflag: u8,
    pub insi_ip_ttl: u8,
    pub rfu_1: u32,
    pub insi_faddr: [u32; 4],
    pub insi_laddr: [u32; 4],
    pub insi_v4: u8,
    pub insi_v6: InSockInfo6,
}

/// What IPv6 adds.
#[repr(C)]
pub struct InSockInfo6 {
    pub in6_hlim: u8,
    pub in6_cksum: i32,
    pub in6_ifindex: u16,
    pub in6_hops: i16,
}

/// TCP's part.
#[repr(C)]
pub struct TcpSockInfo {
    pub tcpsi_ini: InSockInfo,
    pub tcpsi_state: i32,
    pub tcpsi_timer: [i32; 4],
    pub tcpsi_mss: i32,
    pub tcpsi_flags: u32,
    pub rfu_1: u32,
    pub tcpsi_tp: u64,
}

/// The part of a unix socket: the addresses begin with a length and a family of a byte each.
#[repr(C)]
pub struct UnSockInfo {
    pub unsi_conn_so: u64,
    pub unsi_conn_pcb: u64,
    pub unsi_addr: [u8; SOCK_MAXADDRLEN],
    pub unsi_caddr: [u8; SOCK_MAXADDRLEN],
}

/// The use of a socket's buffer.
#[repr(C)]
pub struct SockbufInfo {
    pub sbi_cc: u32,
    pub sbi_hiwat: u32,
    pub sbi_mbcnt: u32,
    pub sbi_mbmax: u32,
    pub sbi_lowat: u32,
    pub sbi_flags: i16,
    pub sbi_timeo: i16,
}

/// A socket.
#[repr(C)]
pub struct SocketInfo {
    pub soi_stat: VinfoStat,
    pub soi_so: u64,
    pub soi_pcb: u64,
    pub soi_type: i32,
    pub soi_protocol: i32,
    pub soi_family: i32,
    pub soi_options: i16,
    pub soi_linger: i16,
    pub soi_state: i16,
    pub soi_qlen: i16,
    pub soi_incqlen: i16,
    pub soi_qlimit: i16,
    pub soi_timeo: i16,
    pub soi_error: u16,
    pub soi_oobmark: u32,
    pub soi_rcv: SockbufInfo,
    pub soi_snd: SockbufInfo,
    pub soi_kind: i32,
    pub rfu_1: u32,
    /// The largest of the parts, which are a union.
    pub soi_proto: UnSockInfo,
}

/// PROC_PIDFDSOCKETINFO.
#[repr(C)]
pub struct SocketFdInfo {
    pub pfi: ProcFileInfo,
    pub psi: SocketInfo,
}

/// PROC_PIDFDPIPEINFO.
#[repr(C)]
pub struct PipeFdInfo {
    pub pfi: ProcFileInfo,
    pub pipe_stat: VinfoStat,
    pub pipe_handle: u64,
    pub pipe_peerhandle: u64,
    pub pipe_status: i32,
    pub rfu_1: i32,
}

/// A note as kevent_qos(2) has it (bsd/sys/event_private.h).
#[repr(C)]
pub struct KeventQos {
    pub ident: u64,
    pub filter: i16,
    pub flags: u16,
    pub qos: i32,
    pub udata: u64,
    pub fflags: u32,
    pub xflags: u32,
    pub data: i64,
    pub ext: [u64; 4],
}

/// One of PROC_PIDFDKQUEUE_EXTINFO. `kqext_sfflags` is what was asked for; `fflags` what has happened since it was last
/// handed over (bsd/kern/kern_event.c, `kevent_extinfo_emit`).
#[repr(C)]
pub struct KeventExtInfo {
    pub kqext_kev: KeventQos,
    pub kqext_sdata: u64,
    pub kqext_status: i32,
    pub kqext_sfflags: i32,
    pub kqext_reserved: [u64; 2],
}

const _: () = {
    assert!(size_of::<ProcBsdInfo>() == 136);
    assert!(offset_of!(ProcBsdInfo, pbi_comm) == 48 && offset_of!(ProcBsdInfo, pbi_name) == 64);
    assert!(offset_of!(ProcBsdInfo, e_tdev) == 108);
    assert!(offset_of!(ProcBsdInfo, pbi_start_tvsec) == 120);
    assert!(offset_of!(ProcBsdInfo, pbi_start_tvusec) == 128);
    assert!(size_of::<ProcBsdShortInfo>() == 64);
    assert!(offset_of!(ProcBsdShortInfo, pbsi_comm) == 16);
    assert!(offset_of!(ProcBsdShortInfo, pbsi_uid) == 36);
    assert!(size_of::<ProcFdInfo>() == 8 && size_of::<ProcFileInfo>() == 24);
    assert!(size_of::<VinfoStat>() == 136 && offset_of!(VinfoStat, vst_ino) == 8);
    assert!(offset_of!(VinfoStat, vst_size) == 88 && offset_of!(VinfoStat, vst_blocks) == 96);
    assert!(size_of::<VnodeInfo>() == 152 && size_of::<VnodeInfoPath>() == 1176);
    assert!(size_of::<VnodeFdInfoWithPath>() == 1200);
    assert!(offset_of!(VnodeFdInfoWithPath, pvip.vip_path) == 176);
    assert!(size_of::<ProcVnodePathInfo>() == 2352);
    assert!(size_of::<InSockInfo>() == 80 && offset_of!(InSockInfo, insi_vflag) == 24);
    assert!(offset_of!(InSockInfo, insi_faddr) == 32 && offset_of!(InSockInfo, insi_laddr) == 48);
    assert!(size_of::<TcpSockInfo>() == 120 && offset_of!(TcpSockInfo, tcpsi_state) == 80);
    assert!(size_of::<UnSockInfo>() == 528 && offset_of!(UnSockInfo, unsi_addr) == 16);
    assert!(offset_of!(SocketInfo, soi_so) == 136 && offset_of!(SocketInfo, soi_type) == 152);
    assert!(offset_of!(SocketInfo, soi_options) == 164 && offset_of!(SocketInfo, soi_rcv) == 184);
    assert!(offset_of!(SocketInfo, soi_kind) == 232 && offset_of!(SocketInfo, soi_proto) == 240);
    assert!(size_of::<SocketInfo>() == 768 && size_of::<SocketFdInfo>() == 792);
    assert!(size_of::<PipeFdInfo>() == 184 && offset_of!(PipeFdInfo, pipe_handle) == 160);
    assert!(size_of::<KeventQos>() == 72 && size_of::<KeventExtInfo>() == 104);
    assert!(offset_of!(KeventExtInfo, kqext_sfflags) == 84);
};

#[cfg(target_os = "macos")]
const _: () = {
    assert!(size_of::<ProcBsdInfo>() == size_of::<libc::proc_bsdinfo>());
    assert!(offset_of!(ProcBsdInfo, e_tdev) == offset_of!(libc::proc_bsdinfo, e_tdev));
    assert!(
        offset_of!(ProcBsdInfo, pbi_start_tvsec) == offset_of!(libc::proc_bsdinfo, pbi_start_tvsec)
    );
    assert!(size_of::<ProcBsdShortInfo>() == size_of::<libc::proc_bsdshortinfo>());
    assert!(size_of::<ProcFdInfo>() == size_of::<libc::proc_fdinfo>());
    assert!(size_of::<VinfoStat>() == size_of::<libc::vinfo_stat>());
    assert!(offset_of!(VinfoStat, vst_size) == offset_of!(libc::vinfo_stat, vst_size));
    assert!(size_of::<VnodeInfoPath>() == size_of::<libc::vnode_info_path>());
    assert!(offset_of!(VnodeInfoPath, vip_path) == offset_of!(libc::vnode_info_path, vip_path));
    assert!(size_of::<ProcVnodePathInfo>() == size_of::<libc::proc_vnodepathinfo>());
    assert!(MAXPATHLEN == libc::PATH_MAX as usize);
};
