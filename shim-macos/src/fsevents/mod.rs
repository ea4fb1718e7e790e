//! FSEventStreamCreate: the stream is the program's own, and its callback is called through ours.
//!
//! ```text
//! create: the program's callback and context --[stream]--> ours, handed to the system
//! heard (a frame in assembly) --[pass]--> what is left of the events --> the program's callback
//!                                |  judge: one event
//!                                |  paths: the three forms of an event's path
//! ```

pub mod api;
mod heard;
mod judge;
mod pass;
mod paths;
mod stream;

use core::ffi::c_void;

use api::{Callback, Context, StreamRef};
use heard::heard;

/// # Safety
/// As FSEventStreamCreate.
pub unsafe extern "C" fn create(
    allocator: *const c_void,
    callback: Option<Callback>,
    context: *const Context,
    paths: *const c_void,
    since: u64,
    latency: f64,
    flags: u32,
) -> StreamRef {
    let system = |callback, context| {
        // SAFETY: the program's own arguments, or such as replace them.
        unsafe {
            api::FSEventStreamCreate(allocator, callback, context, paths, since, latency, flags)
        }
    };
    // SAFETY: the program's own arguments.
    unsafe { stream::wrapped(callback, context, flags, heard, system) }
}

/// # Safety
/// As FSEventStreamCreateRelativeToDevice.
#[allow(
    clippy::too_many_arguments,
    reason = "they are those of the function it replaces"
)]
pub unsafe extern "C" fn create_relative(
    allocator: *const c_void,
    callback: Option<Callback>,
    context: *const Context,
    device: i32,
    paths: *const c_void,
    since: u64,
    latency: f64,
    flags: u32,
) -> StreamRef {
    let system = |callback, context| {
        // SAFETY: as in `create`.
        unsafe {
            api::FSEventStreamCreateRelativeToDevice(
                allocator, callback, context, device, paths, since, latency, flags,
            )
        }
    };
    // SAFETY: the program's own arguments.
    unsafe { stream::wrapped(callback, context, flags, heard, system) }
}
