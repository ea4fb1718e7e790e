//! The limits of the system.

use serde::Serialize;

/// The limits of inotify(7), or lower limits of the user namespace fdscan runs in.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InotifyLimits {
    /// Watches that one user may have.
    pub max_user_watches: Option<u64>,
    /// Inotify instances that one user may have.
    pub max_user_instances: Option<u64>,
    /// Events that one instance may queue.
    pub max_queued_events: Option<u64>,
    /// That of watches is the user namespace's (`user.max_inotify_watches`).
    #[serde(skip)]
    pub watches_of_namespace: bool,
    /// That of instances is (`user.max_inotify_instances`).
    #[serde(skip)]
    pub instances_of_namespace: bool,
}
