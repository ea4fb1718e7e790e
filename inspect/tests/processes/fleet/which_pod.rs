//! docs/fleet/which-pod.md, from the alert to the command, with control groups as the kubelet makes them.

use std::path::Path;

use crate::common::{Fixture, Scan, Stage, is_root, proc_number};
use crate::export_command::Server;
use crate::fleet::manifest::{capabilities, confined};
use crate::fleet::prometheus::Prometheus;
use crate::fleet::text;
use crate::units::{Group, id};

const USER: u32 = 60_825;
const UID: &str = "1b0c3a52_77aa_4be1_9d59_0f6ec29bd6e1";

#[test]
fn which_pod_has_used_up_the_instances_of_a_node() {
    if !is_root() {
        return support::skip("needs root, for capabilities, mounts and a user of its own");
    }
    let name = format!(
        "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID}.slice/cri-containerd-{}.scope",
        id(7)
    );
    // Of version 2, and of version 1 where that is here too.
    for group in Group::make(&name) {
        replay(&group);
    }
    if Group::make(&name).is_empty() {
        support::skip_optional("control groups cannot be made here");
    }
}

fn replay(group: &Group) {
    let page = text("which-pod.md");
    let stage = Stage::as_user(USER);
    let max = proc_number("/proc/sys/fs/inotify/max_user_instances");
    let most = max * 9 / 10;
    let script = "import ctypes, sys; l = ctypes.CDLL(None); f = [l.inotify_init1(0) for _ in range(int(sys.argv[1]))]; \
                  print('READY', flush=True); sys.stdin.read()";
    let mut python = stage.command(Path::new("/usr/bin/python3"));
    let fixture = Fixture::start(python.args(["-c", script, &most.to_string()]));
    group.take(fixture.pid());
    let pid = fixture.pid().to_string();
    // What the kubelet calls the container.
    let logs = format!(
        "mount -t tmpfs none /var/log && mkdir /var/log/containers && \
         ln -s /nowhere /var/log/containers/web-0_shop_nginx-{}.log;",
        id(7)
    );
    let server = Server::run(
        confined(&capabilities(), &logs).args(["export", "--listen", "0", "--pid", &pid]),
    );
    let dir = stage.make("prometheus");
    let Some(prometheus) = Prometheus::start(&dir, &server) else {
        return;
    };

    // The alert, which is pending: its summary is what the page shows, for another user.
    let uid = USER.to_string();
    let summary = prometheus.until("no alert", |prometheus| {
        let alerts = prometheus.ask("alerts");
        let list = alerts["alerts"].as_array().unwrap();
        let alert = list.iter().find(|alert| {
            alert["labels"]["alertname"] == "InstancesNearLimit" && alert["labels"]["uid"] == uid
        });
        let summary = alert.and_then(|alert| alert["annotations"]["summary"].as_str());
        summary.map(str::to_owned).ok_or_else(|| alerts.to_string())
    });
    let most = most.to_string();
    let shown = summary.replace(&uid, "1000").replace(&most, "115");
    // On a busy machine others have some, too.
    let (said, units) = shown.split_once(" Most have ").unwrap();
    let pod = "pod web-0/nginx in shop: 115";
    assert!(units.contains(pod), "{summary}");
    assert!(
        page.contains(&format!("{said} Most have {pod}.")),
        "{shown}"
    );

    // What else may be asked.
    let queries = page.split("```promql\n").nth(1).unwrap();
    let queries: Vec<_> = queries.lines().take_while(|line| *line != "```").collect();
    assert_eq!(queries.len(), 2, "{queries:?}");
    for (query, label, wanted) in [
        (queries[0], "unit", "pod web-0/nginx"),
        (queries[1], "pid", &pid),
    ] {
        let found = prometheus.query(query);
        let labels: Vec<_> = found.iter().map(|one| &one["metric"][label]).collect();
        assert!(labels.contains(&&serde_json::json!(wanted)), "{found:?}");
    }

    // The commands, in a pod as the exporter's.
    let commands = page
        .lines()
        .filter_map(|line| line.split_once("-- /fdscan "));
    let commands: Vec<_> = commands
        .map(|(_, args)| args.replace("4711", &pid))
        .collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    for args in commands {
        let mut command = confined(&capabilities(), &logs);
        let scan = Scan::run(command.args(args.split(' ')));
        let told = scan.text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("pod web-0/nginx"), "{args}: {told}");
        if args == pid {
            let share = format!("By unit: pod web-0/nginx: {most} of {max}.");
            assert!(told.contains(&share), "{told}");
            assert!(page.contains("By unit: pod web-0/nginx: 115 of 128."));
        }
    }
}
