//! Events of kqueue: their layout and numbers (bsd/sys/event.h).

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kevent {
    pub ident: u64,
    pub filter: i16,
    pub flags: u16,
    pub fflags: u32,
    pub data: i64,
    pub udata: u64,
}

impl Kevent {
    /// The change that removes this note.
    pub fn removal(self) -> Kevent {
        Kevent {
            flags: DELETE,
            ..self
        }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kevent64 {
    pub base: Kevent,
    pub ext: [u64; 2],
}

pub const VNODE: i16 = -4;
pub const READ: i16 = -1;

pub const ADD: u16 = 0x1;
pub const DELETE: u16 = 0x2;
pub const ENABLE: u16 = 0x4;
pub const DISABLE: u16 = 0x8;
pub const ONESHOT: u16 = 0x10;
pub const CLEAR: u16 = 0x20;
pub const RECEIPT: u16 = 0x40;
pub const DISPATCH: u16 = 0x80;
pub const UDATA_SPECIFIC: u16 = 0x100;
pub const ERROR: u16 = 0x4000;

pub const N_DELETE: u32 = 0x1;
pub const N_WRITE: u32 = 0x2;
pub const N_EXTEND: u32 = 0x4;
pub const N_ATTRIB: u32 = 0x8;
pub const N_LINK: u32 = 0x10;
pub const N_RENAME: u32 = 0x20;
pub const N_REVOKE: u32 = 0x40;

/// kevent64 does not wait with this flag.
pub const IMMEDIATE: u32 = 0x1;
