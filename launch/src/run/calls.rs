//! The system calls a filter can trap: their numbers in each kind of calls, and what a trapped one asks for.
//!
//! Numbers: arch/x86/entry/syscalls/syscall_{64,32}.tbl, scripts/syscall.tbl, arch/arm64/tools/syscall_32.tbl.

use libc::{c_int, seccomp_data};

/// One kind of system calls: its `AUDIT_ARCH_*` (include/uapi/linux/audit.h), and its numbers.
pub struct Calls {
    /// The architecture.
    pub arch: u32,
    /// More than one set where kinds of calls share an architecture.
    pub sets: &'static [Numbers],
}

/// The numbers of one kind of calls.
#[derive(Debug)]
pub struct Numbers {
    /// inotify_add_watch(2)
    pub add_watch: u32,
    /// inotify_rm_watch(2)
    pub rm_watch: u32,
    /// inotify_init(2), where there is one.
    pub init: Option<u32>,
    /// inotify_init1(2)
    pub init1: u32,
    /// read(2)
    pub read: u32,
    /// readv(2)
    pub readv: u32,
    /// preadv2(2)
    pub preadv2: u32,
    /// dup(2)
    pub dup: u32,
    /// fcntl(2) and fcntl64(2)
    pub fcntl: &'static [u32],
    /// Pointers and sizes in memory have 32 bits.
    pub small: bool,
}

/// x32 calls have this bit (arch/x86/include/uapi/asm/unistd.h) and come with the architecture of 64-bit ones.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 1 << 30;

/// The kinds of calls this kernel has.
#[cfg(target_arch = "x86_64")]
pub const CALLS: &[Calls] = &[
    Calls {
        arch: 0xc000_003e,
        sets: &[
            Numbers {
                add_watch: 254,
                rm_watch: 255,
                init: Some(253),
                init1: 294,
                read: 0,
                readv: 19,
                preadv2: 327,
                dup: 32,
                fcntl: &[72],
                small: false,
            },
            Numbers {
                add_watch: X32 | 254,
                rm_watch: X32 | 255,
                init: Some(X32 | 253),
                init1: X32 | 294,
                read: X32,
                readv: X32 | 515,
                preadv2: X32 | 546,
                dup: X32 | 32,
                fcntl: &[X32 | 72],
                small: true,
            },
        ],
    },
    Calls {
        arch: 0x4000_0003,
        sets: &[Numbers {
            add_watch: 292,
            rm_watch: 293,
            init: Some(291),
            init1: 332,
            read: 3,
            readv: 145,
            preadv2: 378,
            dup: 41,
            fcntl: &[55, 221],
            small: true,
        }],
    },
];

/// The kinds of calls this kernel has.
#[cfg(target_arch = "aarch64")]
pub const CALLS: &[Calls] = &[
    Calls {
        arch: 0xc000_00b7,
        sets: &[Numbers {
            add_watch: 27,
            rm_watch: 28,
            init: None,
            init1: 26,
            read: 63,
            readv: 65,
            preadv2: 286,
            dup: 23,
            fcntl: &[25],
            small: false,
        }],
    },
    Calls {
        arch: 0x4000_0028,
        sets: &[Numbers {
            add_watch: 317,
            rm_watch: 318,
            init: Some(316),
            init1: 360,
            read: 3,
            readv: 145,
            preadv2: 392,
            dup: 41,
            fcntl: &[55, 221],
            small: true,
        }],
    },
];

/// What a trapped call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// inotify_add_watch(2)
    AddWatch,
    /// inotify_rm_watch(2)
    RemoveWatch,
    /// A new instance, with these flags of inotify_init1(2).
    Init(c_int),
    /// What a descriptor has to read, into a buffer: its address and size.
    Read(u64, u64),
    /// The same, into several: the address and number of their `struct iovec`, which are `small` for 32-bit programs.
    ReadParts {
        /// Where the array is.
        parts: u64,
        /// How many there are.
        count: u64,
        /// Pointers and sizes in it have 32 bits.
        small: bool,
    },
    /// Another number for a descriptor: no lower than this, and close-on-exec or not.
    Duplicate(c_int, bool),
    /// A call that is left to the kernel.
    Other,
}

/// What this call asks for.
pub fn call(data: &seccomp_data) -> Call {
    let number = data.nr as u32;
    let kinds = CALLS.iter().filter(|calls| calls.arch == data.arch);
    let mut sets = kinds.flat_map(|calls| calls.sets);
    let found = sets.find_map(|set| set.call(number, &data.args));
    found.unwrap_or(Call::Other)
}

impl Numbers {
    fn call(&self, number: u32, args: &[u64; 6]) -> Option<Call> {
        let &[_, second, third, offset, offset_high, flags] = args;
        Some(match number {
            n if n == self.add_watch => Call::AddWatch,
            n if n == self.rm_watch => Call::RemoveWatch,
            n if Some(n) == self.init => Call::Init(0),
            n if n == self.init1 => Call::Init(args[0] as c_int),
            n if n == self.read => Call::Read(second, third),
            n if n == self.readv => self.parts(second, third),
            // At the current position and without flags it is the same as readv.
            n if n == self.preadv2 => {
                let here = offset as u32 == u32::MAX
                    && (offset_high as u32 == u32::MAX || offset == u64::MAX);
                match here && flags == 0 {
                    true => self.parts(second, third),
                    false => Call::Other,
                }
            }
            n if n == self.dup => Call::Duplicate(0, false),
            n if self.fcntl.contains(&n) => match second as c_int {
                libc::F_DUPFD => Call::Duplicate(third as c_int, false),
                libc::F_DUPFD_CLOEXEC => Call::Duplicate(third as c_int, true),
                _ => Call::Other,
            },
            _ => return None,
        })
    }

    fn parts(&self, parts: u64, count: u64) -> Call {
        Call::ReadParts {
            parts,
            count,
            small: self.small,
        }
    }
}
