//! Reads the kernel's data, in one room (module) for each subject. Nothing here judges; findings do.
//!
//! All of it is specific to Linux: /proc, system calls and the formats of SQLite's files. The layers above (the model,
//! findings, outputs) know none of that.
//!
//! The way of a PID: `survey` opens it as a `subject`, asks each room in turn, and hands the completed process to the
//! findings. A room uses only the rooms before it in this list: subject, process, descriptors, accounts, system,
//! inotify, sqlite, servers, claims, change, survey.
//!
//! The rooms that parse bytes from untrusted sources are public, for `inspect/fuzz`.

pub(crate) mod accounts;
pub(crate) mod change;
pub mod claims;
pub mod descriptors;
pub(crate) mod inotify;
pub(crate) mod process;
pub(crate) mod servers;
pub mod sqlite;
pub(crate) mod subject;
pub(crate) mod survey;
pub(crate) mod system;

pub use crate::formats::claims::verdicts::TTL as CLAIM_TTL;
pub use accounts::charged::Accounts;
pub use accounts::limits::{inotify as inotify_limits, of_process as fd_limits};
pub use accounts::usage::{Counted, usage as user_usage};
pub use accounts::users::Users;
pub use change::fingerprint::Fingerprint;
pub use change::sample::Sampler;
pub use change::window::{LogWindow, Window};
pub use claims::judge_paths as claims_at;
pub use descriptors::census::is_writable;
pub use inotify::activity::Monitors;
pub use inotify::paths::{Opener, may_be_healed};
pub use inotify::side_effects::LOOKS;
pub use inotify::watches::{masks_of, without_paths};
pub use process::access::{MissingPermission, missing as missing_access};
pub use process::healed::healed;
pub use process::paused::paused;
pub use process::processes::Processes;
pub use process::records::directory as records_directory;
pub use process::status::{
    comm_of, command_of, has_ended_since, identity, is_gone_since, start_of,
};
pub use process::supervisor::supervisor_of;
pub use process::thread::{Thread, thread};
pub use servers::by_name::{NamedProcesses, called};
pub use servers::descendants::{descendants, is_descendant, watching, watching_below};
pub use servers::listeners::{OnPort, on_port};
pub use servers::supervisors::{Restarter, restarter};
pub use sqlite::{again as database_again, database, owners_of};
pub use subject::aliases::Alias;
pub use subject::gaps::{Gaps, errno_text, is_gone};
pub use subject::identity::identity_of;
pub use subject::mounts::{has_server, is_below};
pub use subject::options::Options;
pub use subject::own_files::{
    aliases, devices_below, is_file, resolved, sees_as_we_do, unanswered,
};
pub use survey::pass::{Pass, pass};
pub use survey::process::Session;
pub use survey::process_handle::{ProcessHandle, is_same_file, own_watches, watches_of};
pub use survey::selection::{Named, Selection};
pub use system::installed::{library_places, local_system, package_places, without_dots};
pub use system::kernel::{host_name, system};
