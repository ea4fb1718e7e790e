//! A Mac's processes: the backend beside `gather`, behind the same model.
//!
//! The kernel answers in structures (`layout`), which are read as bytes: so all of it but the calls themselves, which are
//! in `macos`, runs in tests on any system. Whoever answers is a [`Kernel`].

mod arguments;
mod bytes;
mod claims;
#[cfg(test)]
mod constructed;
mod descriptors;
mod files;
mod jobs;
mod kernel;
mod layout;
mod notes;
mod process;
mod servers;
mod sockets;
mod sqlite;
mod survey;
#[cfg(test)]
mod tests;

pub use kernel::Kernel;
#[cfg(target_os = "macos")]
pub use kernel::Question;
#[cfg(target_os = "macos")]
pub use layout::{
    KeventExtInfo, MAXPATHLEN, PipeFdInfo, ProcBsdInfo, ProcBsdShortInfo, ProcFdInfo,
    ProcVnodePathInfo, SocketFdInfo, VnodeFdInfoWithPath,
};
pub use survey::process;
