//! /proc/PID/cgroup: the container, pod or systemd unit that a process is in.
//!
//! A line is `ID:CONTROLLERS:PATH` (cgroups(7)). Version 2 has one line, `0::PATH`. Version 1 has one for each
//! hierarchy, in any order, including systemd's own, `name=systemd`. The path is relative to this program's own cgroup
//! namespace, so the path of a group outside it may begin with `/..`.

mod names;
mod path;

pub use crate::gather::process::unit::names::Names;

use crate::model::{Unit, UnitKind};

/// The unit of a process by the text of the file, from the most informative line. `None` if no line is understood.
pub fn of_text(text: &[u8]) -> Option<Unit> {
    let units = paths(text).filter_map(path::unit);
    // Among several of one kind, the first counts, because systemd's own names come first.
    units.reduce(|best, other| if other.kind < best.kind { other } else { best })
}

/// The path of the control group, if it belongs to a service and not to a container (systemd.service(5)).
/// `user@1000.service` is a whole login, not a service.
pub fn service(text: &[u8]) -> Option<Vec<u8>> {
    let is_service = |path: &&[u8]| {
        let unit = path::unit(path).filter(|unit| unit.kind == UnitKind::Service);
        path.ends_with(b".service")
            && unit.is_some_and(|unit| !unit.name.as_bytes().starts_with(b"user@"))
    };
    paths(text).find(is_service).map(<[u8]>::to_vec)
}

/// The service a process is in.
pub fn service_of(text: &[u8]) -> Option<Unit> {
    path::unit(&service(text)?)
}

/// The paths, systemd's hierarchies first.
fn paths(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = move |systemds: bool| {
        text.split(|&b| b == b'\n').filter_map(move |line| {
            let mut fields = line.splitn(3, |&b| b == b':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            let is_systemds = controllers.is_empty() || controllers == b"name=systemd";
            (is_systemds == systemds).then_some(path)
        })
    };
    lines(true).chain(lines(false))
}

#[cfg(test)]
mod tests;
