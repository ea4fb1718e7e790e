//! Where a container runtime or a service manager keeps a process.

use super::Name;
use serde::Serialize;
use std::fmt;

/// What a process belongs to, by its control group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unit {
    /// What it is.
    pub kind: UnitKind,
    /// Its name, such as `nginx.service`. For a container its name, or the first 12 characters of its ID. For a pod
    /// `POD/CONTAINER`, or as much of it as is known.
    pub name: Name,
    /// `docker`, `containerd`, `cri-o`, `podman` or `lxc`, if the control group tells.
    pub runtime: Option<&'static str>,
    /// The container's ID.
    pub container_id: Option<Name>,
    /// The pod's UID.
    pub pod_uid: Option<Name>,
    /// The pod's namespace, if it is known.
    pub namespace: Option<Name>,
    /// Whether it belongs to a user's own service manager.
    pub of_user: bool,
}

/// The kind of a unit. What says the most about a process comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum UnitKind {
    /// A container of a Kubernetes pod.
    Pod,
    /// Another container.
    Container,
    /// A service of systemd.
    Service,
    /// A scope of systemd: a session, or a program of a desktop.
    Scope,
    /// A slice of systemd: a process that is in no unit below it.
    Slice,
}

impl UnitKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            UnitKind::Pod => "pod",
            UnitKind::Container => "container",
            UnitKind::Service => "service",
            UnitKind::Scope => "scope",
            UnitKind::Slice => "slice",
        }
    }
}

impl Unit {
    /// One of systemd's.
    pub fn systemd(kind: UnitKind, name: Name, of_user: bool) -> Unit {
        Unit {
            kind,
            name,
            runtime: None,
            container_id: None,
            pod_uid: None,
            namespace: None,
            of_user,
        }
    }

    /// Whether it is one of the many a runtime makes, of which a process alone says little.
    pub fn is_container(&self) -> bool {
        matches!(self.kind, UnitKind::Pod | UnitKind::Container)
    }
}

impl fmt::Display for Unit {
    /// `pod web-0/nginx`, `docker web`, `nginx.service`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            UnitKind::Pod => write!(f, "pod {}", self.name),
            UnitKind::Container => {
                write!(f, "{} {}", self.runtime.unwrap_or("container"), self.name)
            }
            _ => write!(f, "{}", self.name),
        }
    }
}
