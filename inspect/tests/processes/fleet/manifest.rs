//! The exporter as docs/fleet/daemonset.yaml runs it: what it may do, and that nothing of it is too much.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::common::{Scan, Stage, fdscan_binary, is_root};
use crate::fleet::text;

/// The words of a flow sequence: `key: [A, B]`.
fn list(key: &str) -> Vec<String> {
    let manifest = text("daemonset.yaml");
    let line = manifest.lines().map(str::trim).find_map(|line| {
        let rest = line.strip_prefix(key)?.strip_prefix(": [")?;
        rest.strip_suffix(']')
    });
    let words = line.unwrap().split(", ");
    words
        .map(|word| word.trim_matches('"').to_owned())
        .collect()
}

/// A command with these capabilities and no others, where nothing can be written: `add` of the manifest, and its read-only root.
pub fn confined(capabilities: &[String], before: &str) -> Command {
    let script = format!(
        "{before} for at in $(cut -d ' ' -f 5 /proc/self/mountinfo); do mount -o remount,bind,ro \"$at\" 2>/dev/null; done; exec \"$@\""
    );
    let bounding: String = capabilities
        .iter()
        .map(|name| format!(",+{}", name.to_lowercase()))
        .collect();
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", &script, "sh"])
        .args(["setpriv", "--no-new-privs", "--inh-caps=-all"])
        .arg(format!("--bounding-set=-all{bounding}"))
        .arg(fdscan_binary());
    command
}

/// What the manifest gives it.
pub fn capabilities() -> Vec<String> {
    list("add")
}

#[test]
fn it_has_the_capabilities_it_needs_and_no_others() {
    if !is_root() {
        return support::skip("only root has capabilities to give up");
    }
    // Of somebody else, in directories nobody else may enter.
    let stage = Stage::as_user(60824);
    let dirs = [stage.make("watched"), stage.make("private")];
    let watcher = stage.mkfds_in(&dirs[0], &["watches", "--count", "6", "--mask", "0x3ee"]);
    let sqlite = stage.mkfds_in(&dirs[1], &["sqlite-connections", "--count", "3"]);
    let pids = [&watcher, &sqlite].map(|fixture| fixture.pid().to_string());
    for dir in dirs {
        std::fs::set_permissions(dir, PermissionsExt::from_mode(0o700)).unwrap();
    }
    let export = |mut command: Command| -> Vec<String> {
        let scan = Scan::run(command.arg("export").args(&pids));
        assert_eq!(scan.code(), 0, "{}", scan.stderr);
        let mut series: Vec<String> = scan
            .text()
            .lines()
            .filter(|line| line.contains("pid=") || line.contains("uid=\"60824\""))
            .map(str::to_owned)
            .collect();
        series.sort();
        series
    };
    let all = export(Command::new(fdscan_binary()));
    let known = |series: &[String], name: &str| series.iter().any(|line| line.starts_with(name));
    let needing = [
        "fdscan_process_inotify_watches{",
        "fdscan_process_inotify_instances{",
        "fdscan_process_findings{",
        "fdscan_sqlite_wal_bytes{",
        "fdscan_sqlite_wal_pending_bytes{",
        "fdscan_user_inotify_watches{",
    ];
    for name in needing {
        assert!(known(&all, name), "{name} in {all:#?}");
    }

    let given = capabilities();
    assert_eq!(export(confined(&given, "")), all);
    for (at, one) in given.iter().enumerate() {
        let mut others = given.clone();
        others.remove(at);
        let series = export(confined(&others, ""));
        for name in needing {
            assert!(!known(&series, name), "{name} without {one}: {series:#?}");
        }
        // Counting needs none.
        assert!(known(&series, "fdscan_process_open_fds{"), "{series:#?}");
    }
}

#[test]
fn its_arguments_are_those_of_fdscan() {
    let args = list("args");
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    assert_eq!(words[..3], ["export", "--all", "--listen"]);
    // Its port is the one that is scraped.
    let port = words[3].strip_prefix("0.0.0.0:").unwrap();
    assert!(text("daemonset.yaml").contains(&format!("containerPort: {port}")));
    let scan = Stage::new().scan(&["export", "--all"]);
    assert_eq!(scan.code(), 0, "{}", scan.stderr);
    assert!(scan.text().contains("\nfdscan_process_open_fds{"));
}
