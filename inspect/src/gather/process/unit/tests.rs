use crate::gather::process::unit::*;
use crate::model::UnitKind::*;
use proptest::prelude::*;

const ID: &str = "3f05ee050f82c0145f1d88c94269c39dff0f07dbf8bba20aafd54b3a75dcaecc";
const UID: &str = "8ca306fa-3c03-47fa-97dd-19979c345572";

/// The unit of a process with the cgroup text `lines`, in which `ID`, `UID` and `U_I_D` (with `_` for `-`) are
/// replaced.
fn unit(lines: &str) -> Option<Unit> {
    let text = lines
        .replace("U_I_D", &UID.replace('-', "_"))
        .replace("UID", UID)
        .replace("ID", ID);
    of_text(text.as_bytes())
}

#[track_caller]
fn is(lines: &str, kind: UnitKind, shown: &str, runtime: Option<&str>) {
    let found = unit(lines).unwrap_or_else(|| panic!("{lines} is nothing"));
    assert_eq!(
        (found.kind, found.to_string().as_str(), found.runtime),
        (kind, shown, runtime),
        "{lines}"
    );
    let has = |name: Option<&crate::model::Name>| name.map(ToString::to_string);
    if found.is_container() && found.runtime != Some("lxc") {
        assert_eq!(
            has(found.container_id.as_ref()).as_deref(),
            Some(ID),
            "{lines}"
        );
    }
    let uid = (kind == Pod).then_some(UID);
    assert_eq!(has(found.pod_uid.as_ref()).as_deref(), uid, "{lines}");
}

#[test]
fn containers_are_recognised_by_the_group_names_of_their_runtimes() {
    for (path, runtime) in [
        ("/docker/ID", Some("docker")),
        ("/system.slice/docker-ID.scope", Some("docker")),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",
            Some("docker"),
        ),
        ("/docker/ID/system.slice/nginx.service", Some("docker")),
        ("/docker/ID/init.scope", Some("docker")),
        ("/machine.slice/libpod-ID.scope/container", Some("podman")),
        ("/machine.slice/libpod-ID.scope", Some("podman")),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
            Some("podman"),
        ),
        ("/libpod_parent/libpod-ID", Some("podman")),
        ("/system.slice/nerdctl-ID.scope", Some("containerd")),
        ("/default/ID", Some("containerd")),
        ("/k8s.io/ID", Some("containerd")),
        ("/ecs/0a1b2c3d4e5f60718293a4b5c6d7e8f9/ID", None),
        // As seen from another container.
        ("/../ID", None),
        (
            "/docker/0000000000000000000000000000000000000000000000000000000000000000/docker/ID",
            Some("docker"),
        ),
        ("/system.slice/docker-ID.scope (deleted)", Some("docker")),
    ] {
        let shown = format!("{} 3f05ee050f82", runtime.unwrap_or("container"));
        is(&format!("0::{path}\n"), Container, &shown, runtime);
    }
    is(
        "0::/lxc.payload.web/system.slice/a.service\n",
        Container,
        "lxc web",
        Some("lxc"),
    );
    is(
        "1:name=systemd:/lxc/web\n",
        Container,
        "lxc web",
        Some("lxc"),
    );
    assert!(
        unit("0::/user.slice/user-1.slice/user@1.service/user.slice/libpod-ID.scope\n")
            .unwrap()
            .of_user
    );
}

#[test]
fn a_container_in_a_pod_has_the_pods_uid_with_either_cgroup_driver() {
    for (path, runtime) in [
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_I_D.slice/cri-containerd-ID.scope",
            Some("containerd"),
        ),
        (
            "/kubepods.slice/kubepods-podU_I_D.slice/crio-ID.scope",
            Some("cri-o"),
        ),
        (
            "/kubepods.slice/kubepods-podU_I_D.slice/crio-ID.scope/container",
            Some("cri-o"),
        ),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_I_D.slice/docker-ID.scope",
            Some("docker"),
        ),
        (
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-podU_I_D.slice/cri-containerd-ID.scope",
            Some("containerd"),
        ),
        ("/kubepods/besteffort/podUID/ID", None),
        ("/kubepods/podUID/crio-ID", Some("cri-o")),
        ("/kubepods/podUID/ID/system.slice/a.service", None),
        (
            "/system.slice/containerd.service/kubepods-besteffort-podU_I_D.slice:cri-containerd:ID",
            Some("containerd"),
        ),
        ("/kubepods-podU_I_D.slice:crio:ID", Some("cri-o")),
        // kind: a node that is a container itself.
        (
            "/docker/0000000000000000000000000000000000000000000000000000000000000000/kubelet/kubepods/podUID/ID",
            None,
        ),
        ("/../../podUID/ID", None),
    ] {
        is(
            &format!("0::{path}\n"),
            Pod,
            &format!("pod {UID}/3f05ee050f82"),
            runtime,
        );
    }
    let alone = unit("0::/kubepods/burstable/podUID\n").unwrap();
    assert_eq!(
        (alone.to_string(), alone.container_id),
        (format!("pod {UID}"), None)
    );
    let own =
        "0::/kubepods.slice/kubepods-pode4e6004e827fdf45941cf777618f60ce.slice/crio-ID.scope\n";
    assert_eq!(
        unit(own).unwrap().pod_uid,
        Some("e4e6004e827fdf45941cf777618f60ce".into())
    );
}

#[test]
fn services_scopes_and_slices_belong_to_systemd() {
    for (path, kind, shown, of_user) in [
        (
            "/system.slice/nginx.service",
            Service,
            "nginx.service",
            false,
        ),
        (
            "/system.slice/system-postgresql.slice/postgresql@15-main.service",
            Service,
            "postgresql@15-main.service",
            false,
        ),
        (
            "/system.slice/foo.service/payload",
            Service,
            "foo.service",
            false,
        ),
        (
            "/system.slice/docker.service",
            Service,
            "docker.service",
            false,
        ),
        (
            "/system.slice/snap.lxd.daemon.service",
            Service,
            "snap.lxd.daemon.service",
            false,
        ),
        (
            "/user.slice/user-1000.slice/session-3.scope",
            Scope,
            "session-3.scope",
            false,
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/webui.service",
            Service,
            "webui.service",
            true,
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-code-4711.scope",
            Scope,
            "app-gnome-code-4711.scope",
            true,
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/init.scope",
            Service,
            "user@1000.service",
            false,
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service",
            Service,
            "user@1000.service",
            false,
        ),
        ("/init.scope", Scope, "init.scope", false),
        (
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
            Scope,
            "machine-qemu\\x2d1\\x2dvm.scope",
            false,
        ),
        // These are not containers themselves.
        (
            "/machine.slice/libpod-conmon-ID.scope",
            Scope,
            &format!("libpod-conmon-{ID}.scope"),
            false,
        ),
        (
            "/system.slice/crio-conmon-ID.scope",
            Scope,
            &format!("crio-conmon-{ID}.scope"),
            false,
        ),
        ("/system.slice", Slice, "system.slice", false),
    ] {
        is(&format!("0::{path}\n"), kind, shown, None);
        assert_eq!(
            unit(&format!("0::{path}\n")).unwrap().of_user,
            of_user,
            "{path}"
        );
    }
}

#[test]
fn the_most_informative_line_of_version_1_counts() {
    let docker = "12:cpuset:/\n11:pids:/docker/ID\n4:memory:/docker/ID\n1:name=systemd:/\n0::/system.slice/containerd.service\n";
    is(docker, Container, "docker 3f05ee050f82", Some("docker"));
    let hybrid = "9:pids:/user.slice/user-0.slice/session-7.scope\n5:memory:/user.slice\n1:name=systemd:/user.slice/user-0.slice/session-7.scope\n0::/user.slice/user-0.slice/session-7.scope\n";
    is(hybrid, Scope, "session-7.scope", None);
    // A controller has no group of its own for the service.
    is(
        "8:pids:/system.slice/a.service\n3:cpu:/\n1:name=systemd:/system.slice/b.service\n",
        Service,
        "b.service",
        None,
    );
}

#[test]
fn a_group_of_unknown_origin_is_no_unit() {
    for text in [
        "",
        "\n",
        "0::/\n",
        "4:memory:/process_api/2b5a6f534e1274d2336f9e2fe6243f37\n",
        "0::/mine/podcast\n",
        "0::/docker\n",
        "0::/docker-3f05ee.scopes\n",
        "no line at all",
    ] {
        assert_eq!(unit(text), None, "{text:?}");
    }
    // Arbitrary bytes, and something that looks like an ID but is not one.
    assert!(of_text(b"0::/\xff\xfe/a.service\n").is_some());
    is(
        "0::/system.slice/docker-12.scope\n",
        Scope,
        "docker-12.scope",
        None,
    );
}

#[test]
fn a_group_named_service_is_a_service_and_a_login_is_not() {
    assert!(service(b"0::/system.slice/ssh.service\n").is_some());
    assert!(service(b"1:name=systemd:/system.slice/a.service\n0::/x\n").is_some());
    assert!(service(b"0::/user.slice/user-0.slice/session-3.scope\n").is_none());
    assert!(service(b"0::/user.slice/user-0.slice/user@0.service\n").is_none());
    assert!(service(b"0::/system.slice/a.service/payload\n").is_none());
    assert!(service(format!("0::/docker/{ID}/system.slice/a.service\n").as_bytes()).is_none());
}

proptest! {
    #[test]
    fn any_text_is_parsed_without_panic(text in proptest::collection::vec(any::<u8>(), 0..200), path in "[/a-f0-9:.-]{0,90}") {
        let _ = of_text(&text);
        let _ = service(&text);
        let _ = of_text(format!("0::/{path}.slice/kubepods-pod{path}.slice/docker-{path}.scope").as_bytes());
    }
}
