//! What CoreServices and CoreFoundation declare (FSEvents.h, CFArray.h, CFDictionary.h, CFString.h).
//!
//! Both are linked strongly: a program may load them late (node, bun and deno do), and dyld takes no pair whose second
//! half is not there when the program starts.

use core::ffi::{c_char, c_void};

pub type StreamRef = *mut c_void;
pub type Retain = unsafe extern "C" fn(*const c_void) -> *const c_void;
pub type Release = unsafe extern "C" fn(*const c_void);
pub type Describe = unsafe extern "C" fn(*const c_void) -> *const c_void;

/// FSEventStreamCallback. It may unwind: that of notify is declared so, and one in C++ or Objective-C can.
pub type Callback = unsafe extern "C-unwind" fn(
    stream: *const c_void,
    info: *mut c_void,
    n: usize,
    paths: *mut c_void,
    flags: *const u32,
    ids: *const u64,
);

/// FSEventStreamContext. FSEvents.h packs its structures to two bytes, so a program's may lie anywhere.
#[repr(C, packed(2))]
#[derive(Clone, Copy)]
pub struct Context {
    pub version: isize,
    pub info: *mut c_void,
    pub retain: Option<Retain>,
    pub release: Option<Release>,
    pub describe: Option<Describe>,
}

// kFSEventStreamCreateFlag...
pub const USE_CF_TYPES: u32 = 0x1;
pub const FILE_EVENTS: u32 = 0x10;

// kFSEventStreamEventFlag...
/// From MustScanSubDirs to Unmount: what was lost, ids, history, roots and mounts.
pub const OF_THE_SYSTEM: u32 = 0xff;
pub const CREATED: u32 = 0x100;
pub const REMOVED: u32 = 0x200;
pub const INODE_META_MOD: u32 = 0x400;
pub const RENAMED: u32 = 0x800;
pub const MODIFIED: u32 = 0x1000;
pub const FINDER_INFO_MOD: u32 = 0x2000;
pub const CHANGE_OWNER: u32 = 0x4000;
pub const XATTR_MOD: u32 = 0x8000;
pub const IS_DIR: u32 = 0x2_0000;
pub const CLONED: u32 = 0x40_0000;

/// kCFStringEncodingUTF8.
pub const UTF_8: u32 = 0x0800_0100;

/// What is only pointed to.
#[repr(C)]
pub struct Opaque([u8; 0]);

#[link(name = "CoreServices", kind = "framework")]
unsafe extern "C" {
    pub fn FSEventStreamCreate(
        allocator: *const c_void,
        callback: Option<Callback>,
        context: *const Context,
        paths: *const c_void,
        since: u64,
        latency: f64,
        flags: u32,
    ) -> StreamRef;
    pub fn FSEventStreamCreateRelativeToDevice(
        allocator: *const c_void,
        callback: Option<Callback>,
        context: *const Context,
        device: i32,
        paths: *const c_void,
        since: u64,
        latency: f64,
        flags: u32,
    ) -> StreamRef;
}

#[link(name = "CoreFoundation", kind = "framework")]
unsafe extern "C" {
    pub static kCFTypeArrayCallBacks: Opaque;
    pub fn CFArrayCreate(
        allocator: *const c_void,
        values: *const *const c_void,
        n: isize,
        callbacks: *const Opaque,
    ) -> *const c_void;
    pub fn CFArrayGetValueAtIndex(array: *const c_void, at: isize) -> *const c_void;
    pub fn CFDictionaryGetValue(dictionary: *const c_void, key: *const c_void) -> *const c_void;
    pub fn CFDictionaryGetTypeID() -> usize;
    pub fn CFGetTypeID(of: *const c_void) -> usize;
    pub fn CFRelease(of: *const c_void);
    pub fn CFStringCreateWithCString(
        allocator: *const c_void,
        text: *const c_char,
        encoding: u32,
    ) -> *const c_void;
    pub fn CFStringGetFileSystemRepresentation(
        string: *const c_void,
        to: *mut c_char,
        room: isize,
    ) -> u8;
    pub fn CFStringGetTypeID() -> usize;
}
