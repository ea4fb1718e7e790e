//! The paths of control groups, as container runtimes, the kubelet and systemd create them.
//!
//! - systemd: `/system.slice/NAME.service`, `/user.slice/user-N.slice/session-N.scope`, and a user's own manager below
//!   `user@N.service` (systemd.slice(5)). Groups that a service creates below its own group still belong to it.
//! - runc with systemd: `SLICE/PREFIX-ID.scope`, where PREFIX is `docker`, `cri-containerd`, `crio`, `libpod` or
//!   `nerdctl` (docs/systemd.md of opencontainers/runc). A runtime that takes this argument for a path creates
//!   `SLICE:PREFIX:ID`.
//! - without systemd: `/docker/ID`, `/libpod_parent/libpod-ID`, `NAMESPACE/ID` of containerd.
//! - the kubelet: `kubepods-QOS-podUID.slice` with `_` for `-`, or `/kubepods/QOS/podUID`
//!   (pkg/kubelet/cm/cgroup_manager_linux.go of kubernetes).
//! - LXC: `/lxc.payload.NAME`, and `/lxc/NAME` before version 4.

use crate::gather::subject::proc_dir::DELETED;
use crate::model::{Name, Unit, UnitKind};

/// How many characters of a container's ID are shown, as by every runtime.
pub const SHORT: usize = 12;
/// How many characters a whole ID has: it is a SHA-256.
const WHOLE: usize = 64;

/// The unit of a process in this group.
pub fn unit(path: &[u8]) -> Option<Unit> {
    // The kernel marks a group that was removed while processes are in it (cgroups(7)).
    let path = path.strip_suffix(DELETED).unwrap_or(path);
    let parts: Vec<&[u8]> = path
        .split(|&b| b == b'/')
        .filter(|part| !part.is_empty())
        .collect();
    contained(&parts).or_else(|| of_systemd(&parts))
}

/// The innermost container. If there is none, the pod.
fn contained(parts: &[&[u8]]) -> Option<Unit> {
    let found = (0..parts.len())
        .rev()
        .find_map(|at| Some((at, container(parts, at)?)));
    let last = found.as_ref().map_or(parts.len(), |(at, _)| at + 1);
    // One component may name both: `SLICE:PREFIX:ID`.
    let pod_uid = parts.iter().take(last).rev().find_map(|part| pod(part));
    let (runtime, id) = match found {
        Some((_, Container { runtime, id })) => (runtime, Some(id)),
        None => (None, None),
    };
    let kind = match (&pod_uid, &id) {
        (Some(_), _) => UnitKind::Pod,
        (None, Some(_)) => UnitKind::Container,
        (None, None) => return None,
    };
    let short = id.map(|id| match id.len() {
        WHOLE => id.get(..SHORT).unwrap_or(id),
        _ => id,
    });
    let names: Vec<&[u8]> = pod_uid.as_deref().into_iter().chain(short).collect();
    Some(Unit {
        runtime,
        container_id: id.map(Name::from),
        pod_uid: pod_uid.as_deref().map(Name::from),
        ..Unit::systemd(kind, names.join(&b'/').into(), is_users(parts))
    })
}

struct Container<'a> {
    runtime: Option<&'static str>,
    id: &'a [u8],
}

fn container<'a>(parts: &[&'a [u8]], at: usize) -> Option<Container<'a>> {
    const PREFIXES: &[(&[u8], &str)] = &[
        (b"docker", "docker"),
        (b"cri-containerd", "containerd"),
        (b"nerdctl", "containerd"),
        (b"crio", "cri-o"),
        (b"libpod", "podman"),
    ];
    let part = *parts.get(at)?;
    let part = part.strip_suffix(b".scope").unwrap_or(part);
    if let Some(name) = part
        .strip_prefix(b"lxc.payload.")
        .filter(|name| !name.is_empty())
    {
        return Some(Container {
            runtime: Some("lxc"),
            id: name,
        });
    }
    let above = at.checked_sub(1).and_then(|at| parts.get(at)).copied();
    if is_id(part) {
        let runtime = match above {
            Some(b"docker") => Some("docker"),
            Some(b"k8s.io" | b"moby" | b"default") => Some("containerd"),
            _ => None,
        };
        return Some(Container { runtime, id: part });
    }
    if above == Some(b"lxc") && at == 1 {
        return Some(Container {
            runtime: Some("lxc"),
            id: part,
        });
    }
    let separator = |&b: &u8| b == b'-' || b == b':';
    let cut = part.iter().rposition(separator)?;
    let (before, id) = (part.get(..cut)?, part.get(cut + 1..)?);
    let (_, runtime) = PREFIXES.iter().find(|(prefix, _)| {
        // After the slice, or alone.
        before
            .strip_suffix(*prefix)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with(b":"))
    })?;
    is_id(id).then_some(Container {
        runtime: Some(runtime),
        id,
    })
}

fn is_id(text: &[u8]) -> bool {
    text.len() == WHOLE && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The UID in the name of a pod's group. Pods from the API have a UUID, the kubelet's own pods a digest of 32
/// characters.
fn pod(part: &[u8]) -> Option<Vec<u8>> {
    let part = part.split(|&b| b == b':').next().unwrap_or(part);
    let uid = match part.strip_suffix(b".slice") {
        Some(slice) => {
            let at = slice.windows(4).rposition(|window| window == b"-pod")?;
            slice.get(at + 4..)?
        }
        None => part.strip_prefix(b"pod")?,
    };
    let uid: Vec<u8> = uid
        .iter()
        .map(|&b| if b == b'_' { b'-' } else { b })
        .collect();
    let digits = uid.iter().filter(|b| b.is_ascii_hexdigit()).count();
    let dashes = uid.iter().filter(|&&b| b == b'-').count();
    (digits == 32 && digits + dashes == uid.len()).then_some(uid)
}

/// The innermost service or scope. If there is none, the innermost slice.
fn of_systemd(parts: &[&[u8]]) -> Option<Unit> {
    let innermost = |suffix: &[u8]| parts.iter().rposition(|part| part.ends_with(suffix));
    let is_manager = |at: &usize| {
        parts
            .get(*at)
            .is_some_and(|part| part.starts_with(b"user@"))
    };
    let (service, scope) = (innermost(b".service"), innermost(b".scope"));
    let (at, kind) = match (service, scope) {
        (Some(service), Some(scope)) if scope > service => (scope, UnitKind::Scope),
        (Some(service), _) => (service, UnitKind::Service),
        (None, Some(scope)) => (scope, UnitKind::Scope),
        (None, None) => (innermost(b".slice")?, UnitKind::Slice),
    };
    let (at, kind) = match parts.get(at) {
        // The manager itself.
        Some(&b"init.scope") => match service.filter(is_manager) {
            Some(manager) => (manager, UnitKind::Service),
            None => (at, kind),
        },
        _ => (at, kind),
    };
    let name = parts.get(at).copied()?;
    Some(Unit::systemd(kind, name.into(), is_users(parts.get(..at)?)))
}

/// Whether it is below a user's own service manager.
fn is_users(parts: &[&[u8]]) -> bool {
    parts
        .iter()
        .any(|part| part.starts_with(b"user@") && part.ends_with(b".service"))
}
