//! The names that people use for containers and pods, as far as this machine keeps them in known places. No runtime is
//! asked, and no path that a container chose is followed.
//!
//! - The kubelet keeps a link `POD_NAMESPACE_CONTAINER-ID.log` in /var/log/containers for each container, and a
//!   directory `NAMESPACE_POD_UID` in /var/log/pods for each pod (pkg/kubelet/kuberuntime of kubernetes). Only the
//!   names are read.
//! - Docker writes `"Name":"/web"` into /var/lib/docker/containers/ID/config.v2.json, which root can read.
//! - conmon, which monitors a container of Podman, has `-c ID -n NAME` among its arguments.

use crate::gather::process::processes::Processes;
use crate::gather::process::status::command_of;
use crate::gather::subject::own_files::with_own_view;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view;
use crate::gather::subject::view::FinalLink;
use crate::model::{Name, Unit, UnitKind};
use crate::sys;
use std::collections::HashMap;
use std::io::Read;
use std::ops::ControlFlow;
use std::os::fd::AsFd;

const CONTAINER_LOGS: &[u8] = b"/var/log/containers";
const POD_LOGS: &[u8] = b"/var/log/pods";
const DOCKER: &str = "/var/lib/docker/containers";

/// The most bytes that are read. A container's configuration has a few KiB.
const MOST_BYTES: u64 = 1 << 20;

/// The names looked up so far.
#[derive(Debug, Default)]
pub struct Names {
    pods: Option<Pods>,
    podman: Option<HashMap<Vec<u8>, Vec<u8>>>,
    docker: HashMap<Name, Option<Name>>,
}

/// The names that the kubelet gives its logs.
#[derive(Debug, Default)]
struct Pods {
    /// By the ID of a container: the pod, its namespace and the container.
    containers: HashMap<Vec<u8>, [Vec<u8>; 3]>,
    /// By the UID of a pod: the pod and its namespace.
    pods: HashMap<Vec<u8>, [Vec<u8>; 2]>,
}

impl Names {
    /// The unit that a process is in, by name. `None` if it is in no known unit, or if that cannot be read.
    pub fn of(&mut self, dir: &ProcDir) -> Option<Unit> {
        let mut unit = crate::gather::process::unit::of_text(&dir.read("cgroup").ok()?)?;
        self.complete(&mut unit);
        Some(unit)
    }

    /// Replaces a unit's ID by the names that are known. Without a name it keeps its ID.
    fn complete(&mut self, unit: &mut Unit) {
        match (unit.kind, unit.runtime) {
            (UnitKind::Pod, _) => self.pod(unit),
            (UnitKind::Container, Some("podman")) => self.podman(unit),
            (UnitKind::Container, Some("docker")) => self.docker(unit),
            _ => {}
        }
    }

    fn pod(&mut self, unit: &mut Unit) {
        let pods = self.pods.get_or_insert_with(Pods::read);
        let known = |name: &Option<Name>| name.as_ref().map(|name| name.as_bytes().to_vec());
        let id = known(&unit.container_id);
        if let Some([pod, namespace, container]) =
            id.as_ref().and_then(|id| pods.containers.get(id))
        {
            unit.name = [pod, &b"/"[..], container].concat().into();
            unit.namespace = Some(namespace.clone().into());
        } else if let Some([pod, namespace]) =
            known(&unit.pod_uid).and_then(|uid| pods.pods.get(&uid))
        {
            // The container that only holds the pod's namespaces has no log.
            let short = unit.name.base();
            unit.name = match id {
                Some(_) => [pod, &b"/"[..], short].concat().into(),
                None => pod.clone().into(),
            };
            unit.namespace = Some(namespace.clone().into());
        }
    }

    fn podman(&mut self, unit: &mut Unit) {
        let names = self.podman.get_or_insert_with(of_conmons);
        let name = unit
            .container_id
            .as_ref()
            .and_then(|id| names.get(id.as_bytes()));
        if let Some(name) = name {
            unit.name = name.clone().into();
        }
    }

    fn docker(&mut self, unit: &mut Unit) {
        let Some(id) = &unit.container_id else {
            return;
        };
        let name = self
            .docker
            .entry(id.clone())
            .or_insert_with(|| of_docker(id));
        if let Some(name) = name {
            unit.name = name.clone();
        }
    }
}

impl Pods {
    fn read() -> Pods {
        let mut pods = Pods::default();
        for name in entries(CONTAINER_LOGS) {
            pods.containers.extend(container_log(&name));
        }
        for name in entries(POD_LOGS) {
            pods.pods.extend(pod_log(&name));
        }
        pods
    }
}

/// The names in a directory of this machine. Empty if it does not exist or does not answer.
fn entries(path: &[u8]) -> Vec<Vec<u8>> {
    let list = with_own_view(|view| {
        let found = view::named(view, path, FinalLink::Follow).ok()?;
        let directory =
            sys::open_at(found.as_fd(), b".", libc::O_RDONLY | libc::O_DIRECTORY).ok()?;
        let mut list = Vec::new();
        sys::each_entry(directory.as_fd(), &mut Vec::new(), |entry| {
            list.push(entry.name.to_vec());
            ControlFlow::Continue(())
        })
        .ok()?;
        Some(list)
    });
    list.unwrap_or_default()
}

/// `POD_NAMESPACE_CONTAINER-ID.log`: none of the three names has a `_` (RFC 1123).
fn container_log(name: &[u8]) -> Option<(Vec<u8>, [Vec<u8>; 3])> {
    let name = name.strip_suffix(b".log")?;
    let cut = name.iter().rposition(|&b| b == b'-')?;
    let mut names = name.get(..cut)?.split(|&b| b == b'_').map(<[u8]>::to_vec);
    let names = [names.next()?, names.next()?, names.next()?];
    Some((name.get(cut + 1..)?.to_vec(), names))
}

/// `NAMESPACE_POD_UID`.
fn pod_log(name: &[u8]) -> Option<(Vec<u8>, [Vec<u8>; 2])> {
    let mut names = name.split(|&b| b == b'_').map(<[u8]>::to_vec);
    let (namespace, pod, uid) = (names.next()?, names.next()?, names.next()?);
    Some((uid, [pod, namespace]))
}

fn of_docker(id: &Name) -> Option<Name> {
    let path = format!("{DOCKER}/{id}/config.v2.json");
    let text = with_own_view(|view| {
        let found = view::named(view, path.as_bytes(), FinalLink::Follow).ok()?;
        let file = view::open_regular(found.as_fd(), 0).ok()?;
        let mut text = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut text).ok()?;
        Some(text)
    })?;
    docker_name(&text)
}

fn docker_name(text: &[u8]) -> Option<Name> {
    let config: serde_json::Value = serde_json::from_slice(text).ok()?;
    let name = config.get("Name")?.as_str()?.trim_start_matches('/');
    (!name.is_empty()).then(|| name.into())
}

/// The names of Podman's containers by their IDs.
fn of_conmons() -> HashMap<Vec<u8>, Vec<u8>> {
    let pids = Processes::open().and_then(|mut all| all.pids());
    let conmon = |pid| {
        let (words, comm) = command_of(pid)?;
        (comm?.as_bytes() == b"conmon")
            .then(|| conmon_name(&words))
            .flatten()
    };
    pids.unwrap_or_default()
        .into_iter()
        .filter_map(conmon)
        .collect()
}

fn conmon_name(words: &[Name]) -> Option<(Vec<u8>, Vec<u8>)> {
    let after = |flag: &[u8]| {
        let at = words.iter().position(|word| word.as_bytes() == flag)?;
        Some(words.get(at + 1)?.as_bytes().to_vec())
    };
    Some((after(b"-c")?, after(b"-n")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_kubelets_logs_contain_pod_namespace_and_container() {
        let id = "3f05ee050f82c0145f1d88c94269c39dff0f07dbf8bba20aafd54b3a75dcaecc";
        let log = format!("web-7d4b9c-x2x_shop-prod_nginx-proxy-{id}.log");
        let (of, names) = container_log(log.as_bytes()).unwrap();
        assert_eq!(of, id.as_bytes());
        assert_eq!(
            names,
            [&b"web-7d4b9c-x2x"[..], b"shop-prod", b"nginx-proxy"]
        );
        let (uid, names) =
            pod_log(b"shop-prod_web-7d4b9c-x2x_8ca306fa-3c03-47fa-97dd-19979c345572").unwrap();
        assert_eq!(uid, b"8ca306fa-3c03-47fa-97dd-19979c345572");
        assert_eq!(names, [&b"web-7d4b9c-x2x"[..], b"shop-prod"]);
        for other in [&b"x.log"[..], b"a_b-1.log", b"a_b_c.log", b""] {
            assert_eq!(container_log(other), None);
        }
        assert_eq!(pod_log(b"a_b"), None);
    }

    #[test]
    fn a_container_name_of_docker_begins_with_a_slash() {
        assert_eq!(
            docker_name(br#"{"ID":"x","Name":"/web"}"#),
            Some("web".into())
        );
        for other in [&br#"{"Name":7}"#[..], b"{", b"[]", br#"{"Name":"/"}"#] {
            assert_eq!(docker_name(other), None);
        }
    }

    #[test]
    fn the_arguments_of_conmon_name_its_container() {
        let line = "/usr/bin/conmon --api-version 1 -c ab12 -u ab12 -r /usr/bin/crun -n web --exit-dir /run";
        let words: Vec<Name> = line.split(' ').map(Name::from).collect();
        assert_eq!(
            conmon_name(&words),
            Some((b"ab12".to_vec(), b"web".to_vec()))
        );
        assert_eq!(conmon_name(&words[..4]), None);
    }
}
