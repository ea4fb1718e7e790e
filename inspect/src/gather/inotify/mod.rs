//! Inotify instances and their watches, from fdinfo; the paths of watched inodes; which of our own looks they would
//! report; and whether the process is being woken.

pub(crate) mod activity;
pub(crate) mod coverage;
pub(crate) mod paths;
pub(crate) mod side_effects;
pub(crate) mod watches;
