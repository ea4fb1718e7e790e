//! /proc/PID/cgroup: the container, the pod or the unit of systemd a process is in.
//!
//! A line is `ID:CONTROLLERS:PATH` (cgroups(7)): of version 2 there is one, `0::PATH`; of version 1 one for each
//! hierarchy, in any order, among them systemd's own, `name=systemd`. The path is as seen from this program's own cgroup
//! namespace: of others it may begin with `/..`.

mod names;
mod path;

pub use crate::gather::process::unit::names::Names;

use crate::model::{Unit, UnitKind};

/// What a process is in, by the text of the file: of all lines, what says most. `None` if that is nothing known.
pub fn of_text(text: &[u8]) -> Option<Unit> {
    let units = paths(text).filter_map(path::unit);
    // Of several of one kind the first counts: systemd's own names come first.
    units.reduce(|best, other| if other.kind < best.kind { other } else { best })
}

/// The path of the control group, if it is a service's and no container's (systemd.service(5)). `user@1000.service` is a
/// whole login, not a service.
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
