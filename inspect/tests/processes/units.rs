//! Containers, pods and units of systemd, by real control groups. Each test has a user of its own: instances are limited.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use support::{DEADLINE, Terminal, quoted};

use crate::common::{Fixture, Scan, Stage, fdscan, fdscan_binary, is_root};

const UID: &str = "8ca306fa_3c03_47fa_97dd_19979c345572";

/// A control group of this path in one hierarchy, gone when it is dropped.
pub struct Group {
    path: PathBuf,
    /// It and what had to be made above it, the innermost first.
    made: Vec<PathBuf>,
}

impl Group {
    /// In every hierarchy that has groups with names: version 2 alone, or beside version 1, and systemd's own of version
    /// 1. None where groups cannot be made.
    pub fn make(path: &str) -> Vec<Group> {
        let roots = [
            "/sys/fs/cgroup/unified",
            "/sys/fs/cgroup/systemd",
            "/sys/fs/cgroup",
        ];
        let groups = roots.iter().filter_map(|root| {
            let root = Path::new(root);
            if !root.join("cgroup.procs").exists() {
                return None;
            }
            let path = root.join(path);
            let missing = path.ancestors().take_while(|path| !path.exists());
            let made: Vec<_> = missing.map(Path::to_path_buf).collect();
            std::fs::create_dir_all(&path).ok()?;
            Some(Group { path, made })
        });
        groups.collect()
    }

    pub fn take(&self, pid: u32) {
        std::fs::write(self.path.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let begun = Instant::now();
        for path in &self.made {
            // The kernel refuses while a process of it is still ending.
            while std::fs::remove_dir(path).is_err() && begun.elapsed() < DEADLINE {
                std::thread::yield_now();
            }
        }
    }
}

/// An ID only this test process has, of 64 characters.
pub fn id(of: u8) -> String {
    format!("{:0>62}{of:02x}", format!("{:x}", std::process::id()))
}

fn rows(doc: &Value) -> &Vec<Value> {
    doc["processes"].as_array().unwrap()
}

fn row(doc: &Value, pid: u32) -> Value {
    let own = rows(doc).iter().find(|row| row["pid"] == pid);
    own.unwrap_or_else(|| panic!("process {pid} is not listed: {doc}"))
        .clone()
}

fn top(stage: &Stage, args: &[&str]) -> Value {
    stage.scan(&[&["top", "--json"], args].concat()).json()
}

/// The answer of `top` has come to its end.
fn is_whole(screen: &str) -> bool {
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    words.contains("says what helps.")
}

fn watcher(stage: &Stage, name: &str, count: &str) -> Fixture {
    let dir = stage.make(name);
    stage.mkfds_in(&dir, &["watches", "--count", count, "--mask", "0x3ca"])
}

#[test]
fn a_process_shows_the_container_the_pod_or_the_unit_it_is_in() {
    let stage = Stage::unprivileged(60816);
    let fixture = watcher(&stage, "tree", "2");
    let own = format!("watchfix-test-{}", std::process::id());
    let (a, b) = (id(1), id(2));
    let mut tried = 0;
    for (path, unit) in [
        (
            format!("{own}.slice/docker-{a}.scope"),
            json!({
                "kind": "container", "name": &a[..12], "runtime": "docker", "container_id": a, "pod_uid": null,
                "namespace": null, "of_user": false,
            }),
        ),
        (
            format!(
                "{own}/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID}.slice/cri-containerd-{b}.scope"
            ),
            json!({
                "kind": "pod", "name": format!("{}/{}", UID.replace('_', "-"), &b[..12]), "runtime": "containerd",
                "container_id": b, "pod_uid": UID.replace('_', "-"), "namespace": null, "of_user": false,
            }),
        ),
        (
            format!("{own}/user@1000.service/app.slice/webui.service/payload"),
            json!({
                "kind": "service", "name": "webui.service", "runtime": null, "container_id": null, "pod_uid": null,
                "namespace": null, "of_user": true,
            }),
        ),
    ] {
        for group in Group::make(&path) {
            tried += 1;
            group.take(fixture.pid());
            let doc = top(&stage, &["--name", "mkfds"]);
            assert_eq!(
                row(&doc, fixture.pid())["unit"],
                unit,
                "{}",
                group.path.display()
            );
            assert_eq!(stage.look(&fixture).0["unit"], unit);
            let sum = doc["units"]
                .as_array()
                .unwrap()
                .iter()
                .find(|sum| sum["unit"] == unit)
                .unwrap();
            let sums = ["processes", "watches", "instances", "unreadable"]
                .map(|key| sum[key].as_u64().unwrap());
            assert_eq!(sums, [1, 2, 1, 0]);
            assert_eq!(sum["fds"], row(&doc, fixture.pid())["fds"]["open"]);
            // Back, so that the group can go.
            let root = group.path.ancestors().find(|path| {
                path.join("cgroup.procs").exists() && !group.made.contains(&path.to_path_buf())
            });
            std::fs::write(
                root.unwrap().join("cgroup.procs"),
                fixture.pid().to_string(),
            )
            .unwrap();
        }
    }
    if tried == 0 {
        support::skip_optional("control groups cannot be made here");
    }
}

#[test]
fn an_instance_a_child_inherited_counts_once_for_their_unit() {
    let groups = Group::make(&format!("libpod-{}.scope", id(3)));
    let Some(group) = groups.first() else {
        return support::skip_optional("control groups cannot be made here");
    };
    let script = "import ctypes, os, sys; l = ctypes.CDLL(None); f = l.inotify_init1(0); \
                  l.inotify_add_watch(f, sys.argv[1].encode(), 0x3ca); r, w = os.pipe(); p = os.fork()\n\
                  if p == 0: os.close(w); os.read(r, 1); os._exit(0)\n\
                  print('child=%d\\nREADY' % p, flush=True); sys.stdin.read()";
    let stage = Stage::unprivileged(60817);
    let dir = stage.make("tree");
    let mut python = stage.command(Path::new("/usr/bin/python3"));
    let fixture = Fixture::start(python.args(["-c", script]).arg(dir));
    for pid in [fixture.pid(), fixture.number("child") as u32] {
        group.take(pid);
    }
    let doc = top(&stage, &[]);
    let units = doc["units"].as_array().unwrap();
    let sum = units
        .iter()
        .find(|sum| sum["unit"]["container_id"] == id(3))
        .unwrap();
    assert_eq!(
        (&sum["processes"], &sum["watches"], &sum["instances"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(sum["unit"]["runtime"], "podman");
}

#[test]
fn sorted_by_unit_the_processes_of_one_stand_together_below_the_sums() {
    let (first, second) = (
        Group::make(&format!("one-{}.service", std::process::id())),
        Group::make(&format!("docker-{}.scope", id(4))),
    );
    let (Some(one), Some(docker)) = (first.first(), second.first()) else {
        return support::skip_optional("control groups cannot be made here");
    };
    let stage = Stage::unprivileged(60818);
    // By its own number the smallest of the service comes before the container's.
    let all = ["30", "2", "11"].map(|count| watcher(&stage, &format!("tree{count}"), count));
    one.take(all[0].pid());
    one.take(all[1].pid());
    docker.take(all[2].pid());
    let doc = top(&stage, &["--sort", "unit"]);
    let ours: Vec<u32> = all.iter().map(Fixture::pid).collect();
    let order: Vec<u64> = rows(&doc)
        .iter()
        .filter_map(|row| row["pid"].as_u64())
        .collect();
    let place = |pid: u32| {
        order
            .iter()
            .position(|&other| other == u64::from(pid))
            .unwrap()
    };
    assert_eq!(place(ours[1]), place(ours[0]) + 1, "{order:?}");
    assert!(place(ours[2]) > place(ours[1]), "{order:?}");
    let Some(terminal) = Terminal::open(80, 90) else {
        return;
    };
    let fdscan = quoted(fdscan_binary());
    terminal.type_line(&format!("clear; {fdscan} top --sort unit --name mkfds"));
    let screen = terminal.until("the last line", is_whole);
    let unit = format!("docker {}", &id(4)[..12]);
    assert!(
        screen.contains("\nUnits\n") && screen.contains(&unit),
        "{screen}"
    );
    let service = format!(" one-{}.service ", std::process::id());
    let sum = screen
        .lines()
        .find(|line| line.starts_with(&service))
        .unwrap();
    let figures: Vec<&str> = sum.split_whitespace().skip(1).collect();
    assert_eq!(figures[..3], ["2", "32", "2"], "{screen}");
}

#[test]
fn a_wide_terminal_shows_units_and_command_lines_and_a_row_is_one_line() {
    let service = format!("wide-{}.service", std::process::id());
    let groups = Group::make(&service);
    let stage = Stage::unprivileged(60819);
    // Of a name of its own: how wide the others are is not known.
    let name = format!("wide{}", std::process::id());
    let dir = stage.make(&"long".repeat(60));
    let args = [
        "watches",
        "--count",
        "1",
        "--mask",
        "0x3ca",
        "--dir",
        dir.to_str().unwrap(),
    ];
    let fixture = stage.mkfds_called(&name, &args);
    if let Some(group) = groups.first() {
        group.take(fixture.pid());
    }
    for columns in [80, 120, 200] {
        let Some(terminal) = Terminal::open(columns, 50) else {
            return;
        };
        let fdscan = quoted(fdscan_binary());
        terminal.type_line(&format!("clear; {fdscan} top --name {name}"));
        let screen = terminal.until("the last line", is_whole);
        let own = fixture.pid().to_string();
        let mut rows = screen
            .lines()
            .skip_while(|line| !line.contains(" FINDINGS"))
            .skip(2);
        let line = rows.next().unwrap_or_default();
        assert!(line.trim_start().starts_with(&own), "{screen}");
        assert_eq!(rows.next(), Some(""), "{screen}");
        assert_eq!(line.ends_with('…'), columns > 80, "{screen}");
        let shows_unit = columns > 80 && !groups.is_empty();
        assert_eq!(
            line.contains(&format!("  {service}  ")),
            shows_unit,
            "{screen}"
        );
    }
}

#[test]
fn a_secret_in_a_command_line_is_hidden_in_top() {
    let stage = Stage::unprivileged(60820);
    let script = "import sys; print('READY', flush=True); sys.stdin.read()";
    let fixture = Fixture::start(Command::new("/usr/bin/python3").args([
        "-c",
        script,
        "--token",
        "hunter2hunter2",
    ]));
    let doc = top(&stage, &["--name", "python"]);
    let command = row(&doc, fixture.pid())["command"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(command.ends_with("--token ***"), "{command}");
}

#[test]
fn the_limit_finding_names_the_unit_that_has_most() {
    const USER: u32 = 60_814;
    if !is_root() {
        return support::skip("needs root, to be a user whose sums nobody else changes");
    }
    let groups = Group::make(&format!("kubepods-pod{UID}.slice/crio-{}.scope", id(5)));
    let Some(group) = groups.first() else {
        return support::skip_optional("control groups cannot be made here");
    };
    let stage = Stage::as_user(USER);
    let max = crate::common::proc_number("/proc/sys/fs/inotify/max_user_instances");
    // Nine tenths of the instances one user may have.
    let script = "import ctypes, sys; l = ctypes.CDLL(None); f = [l.inotify_init1(0) for _ in range(int(sys.argv[1]))]; \
                  print('READY', flush=True); sys.stdin.read()";
    let half = (max * 9 / 20).to_string();
    let start = || {
        let mut python = stage.command(Path::new("/usr/bin/python3"));
        Fixture::start(python.args(["-c", script, &half]))
    };
    let pair = [start(), start()];
    for fixture in &pair {
        group.take(fixture.pid());
    }
    let process = stage.look(&pair[0]);
    let finding = process.finding("instance-limit-near", "warning");
    let shown = format!("pod {}/{}", UID.replace('_', "-"), &id(5)[..12]);
    let message = finding["message"].as_str().unwrap();
    let sum = max * 9 / 20 * 2;
    assert!(
        message.contains(&format!(
            " By unit: {shown}: {sum} of {max}. Most instances: "
        )),
        "{message}"
    );
    let share = &finding["evidence"]["units"][0];
    assert_eq!(
        (&share["instances"], &share["processes"]),
        (&json!(sum), &json!(2)),
        "{share}"
    );
    assert_eq!(share["unit"]["pod_uid"], UID.replace('_', "-"));
}

#[test]
fn a_pod_has_the_names_the_kubelet_gave_its_logs() {
    if !is_root() {
        return support::skip("only root can mount");
    }
    let groups = Group::make(&format!(
        "kubepods-pod{UID}.slice/cri-containerd-{}.scope",
        id(6)
    ));
    let Some(group) = groups.first() else {
        return support::skip_optional("control groups cannot be made here");
    };
    let stage = Stage::unprivileged(60821);
    let fixture = watcher(&stage, "tree", "1");
    group.take(fixture.pid());
    // A /var/log of its own, in which only names matter: the links lead nowhere.
    let script = "mount -t tmpfs none /var/log && mkdir /var/log/containers && \
                  ln -s /nowhere /var/log/containers/web-0_shop_nginx-$0.log && exec \"$@\"";
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--mount", "sh", "-c", script, &id(6)])
        .arg(fdscan_binary());
    let doc = Scan::run(unshare.args(["top", "--json"])).json();
    let unit = &row(&doc, fixture.pid())["unit"];
    assert_eq!(
        (&unit["name"], &unit["namespace"]),
        (&json!("web-0/nginx"), &json!("shop")),
        "{unit}"
    );
}

#[test]
fn exported_series_have_the_unit_as_a_label_and_units_have_sums_of_their_own() {
    let groups = Group::make(&format!("export-{}.service", std::process::id()));
    let Some(group) = groups.first() else {
        return support::skip_optional("control groups cannot be made here");
    };
    let stage = Stage::unprivileged(60822);
    let fixture = watcher(&stage, "tree", "5");
    group.take(fixture.pid());
    let name = format!("export-{}.service", std::process::id());
    let output = fdscan()
        .args(["export", &fixture.pid().to_string()])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let series = format!(
        "fdscan_process_inotify_watches{{pid=\"{}\",comm=\"mkfds\",unit=\"{name}\"}} 5\n",
        fixture.pid()
    );
    assert!(text.contains(&series), "{text}");
    // Also of processes that have no series of their own.
    let output = fdscan().arg("export").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let series = format!(
        "fdscan_unit_inotify_watches{{kind=\"service\",unit=\"{name}\",namespace=\"\"}} 5\n"
    );
    assert!(text.contains(&series), "{text}");
    assert!(text.contains("\nfdscan_units_dropped 0\n"), "{text}");
    assert!(!text.contains("fdscan_process_open_fds{"), "{text}");
}
