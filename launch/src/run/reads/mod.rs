//! Judging what is read: for programs the library does not reach.
//!
//! ```text
//! inotify_init --> a true instance, made here and placed at one of the highest numbers below 1024 [hand_over]
//! read of such a number --> read here, on a copy obtained for that read --> judged --> written into the caller's buffer
//!                                                                             |               [read, look]
//!            more ignored writes than anybody wants to be woken for? <--------+               [burst, settle]
//!            under a pause? kept until it ends, as what is true then <--------+            [withheld, withhold]
//! ```
//!
//! Copies of instances are not kept where they can be obtained ([`super::copies`]): a copy would keep an instance alive after
//! its program has closed it. Only reads that do not wait are judged, and an instance gets that when a watch is placed on it:
//! a process that waits in the kernel for its call to be answered cannot be frozen (`docker pause`, suspend), and programs that
//! block in reads are dynamic and have the library. All others have masks alone.
//!
//! Where anything goes wrong the kernel carries the call out, and the program reads what it would have read.

mod burst;
mod hand_over;
mod instance;
mod look;
mod mounts;
mod read;
mod registry;
mod released;
mod settle;
mod undelivered;
mod withheld;
mod withhold;

pub use instance::{Shared, now};
pub use registry::{Reads, new as new_instance};
pub use released::{Most, Released};
pub use withheld::Pause;
