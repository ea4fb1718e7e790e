//! Every user namespace has limits of its own, and what is used in it counts for whom made it, too.

use std::fs;
use std::process::Command;

use serde_json::Value;
use support::Victim;

use crate::common::{Fixture, Process, Scan, Stage, fdscan_binary, is_root, proc_number};

const WATCHES: &str = "/proc/sys/fs/inotify/max_user_watches";
const INSTANCES: &str = "/proc/sys/fs/inotify/max_user_instances";

/// The last lines of a script for sh(1): $1 becomes a limit of the namespace it runs in, the rest its command.
const LIMITED: &str = "echo \"$2\" >/proc/sys/user/\"$1\" && shift 2 && exec \"$@\"";

/// Whether a namespace with limits can be had; else a named skip.
fn namespaces_work() -> bool {
    let file = "max_inotify_watches";
    let run = Command::new("unshare")
        .args(["-Ur", "sh", "-c", LIMITED, "sh", file, "10", "true"])
        .output();
    match run {
        Ok(run) if run.status.success() => true,
        Ok(run) => {
            let why = String::from_utf8_lossy(&run.stderr).into_owned();
            support::skip(&format!("no user namespace to be had: {}", why.trim()));
            false
        }
        Err(e) => {
            support::skip(&format!("unshare does not start: {e}"));
            false
        }
    }
}

/// mkfds in a namespace whose limit `file` is `limit`.
fn limited(stage: &Stage, file: &str, limit: u64, args: &[&str]) -> Fixture {
    let mut command = stage.command("unshare".as_ref());
    command
        .args(["-Ur", "sh", "-c", LIMITED, "sh", file])
        .arg(limit.to_string())
        .arg(stage.mkfds_binary())
        .args(args)
        .arg("--dir")
        .arg(stage.make("tree"));
    Fixture::start(&mut command)
}

fn namespace_of(fixture: &Fixture) -> u64 {
    let link = fs::read_link(format!("/proc/{}/ns/user", fixture.pid())).unwrap();
    let text = link.to_string_lossy().into_owned();
    let number = text
        .strip_prefix("user:[")
        .and_then(|t| t.strip_suffix(']'));
    number.unwrap().parse().unwrap()
}

fn top(stage: &Stage) -> Value {
    stage.scan(&["top", "--limit", "0", "--json"]).json()
}

fn stages() -> Vec<Stage> {
    match is_root() {
        true => vec![Stage::new(), Stage::as_user(60221)],
        false => vec![Stage::new()],
    }
}

#[test]
fn watches_are_held_against_the_limit_of_their_user_namespace() {
    if !namespaces_work() {
        return;
    }
    for stage in stages() {
        let file = "max_inotify_watches";
        let fixture = limited(&stage, file, 100, &["watches", "--count", "96"]);
        let namespace = namespace_of(&fixture);
        let close: [fn(&Stage, &Fixture) -> Process; 2] = [Stage::look, Stage::look_as_user];
        for look in close {
            let process = look(&stage, &fixture);
            let finding = process.finding("watch-limit-near", "critical");
            let evidence = &finding["evidence"];
            assert_eq!(evidence["watches"], 96, "{finding}");
            assert_eq!(evidence["limit"], 100, "{finding}");
            assert_eq!(evidence["user_namespace"], namespace, "{finding}");
            let remedy = finding["remedy"].as_str().unwrap();
            let enter = format!("nsenter --user --target {} ", fixture.pid());
            assert!(remedy.starts_with(&enter), "{remedy}");
            assert!(
                remedy.contains(" sysctl user.max_inotify_watches="),
                "{remedy}"
            );
            assert_eq!(process.0["user_namespaces"][0]["max_watches"], 100);
        }
        let doc = top(&stage);
        let users = doc["users"].as_array().unwrap();
        let inside = users.iter().find(|u| u["user_namespace"] == namespace);
        let inside = inside.unwrap_or_else(|| panic!("{namespace} is not in {users:#?}"));
        assert_eq!(
            (&inside["watches"], &inside["max_watches"]),
            (&96.into(), &100.into())
        );
        let rows = doc["processes"].as_array().unwrap();
        let row = rows.iter().find(|r| r["pid"] == fixture.pid()).unwrap();
        let codes = row["findings"].as_array().unwrap();
        assert!(
            codes.iter().any(|f| f["code"] == "watch-limit-near"),
            "{row:#}"
        );
        let pid = fixture.pid().to_string();
        let args = [
            "watch",
            &pid,
            "--interval",
            "0.1",
            "--for",
            "0.05",
            "--json",
        ];
        let live: Value = serde_json::from_slice(&stage.scan(&args).stdout).unwrap();
        assert_eq!(live["watches"]["user_limit"], 100, "{live:#}");
        assert_eq!(live["watches"]["user_count"], 96, "{live:#}");
        assert_eq!(live["instances"]["user_limit"], proc_number(INSTANCES));
    }
}

#[test]
fn fdscan_in_a_user_namespace_sees_its_limits() {
    if !namespaces_work() {
        return;
    }
    let stage = Stage::new();
    let file = "max_inotify_watches";
    let fixture = limited(&stage, file, 100, &["watches", "--count", "96"]);
    let pid = fixture.pid().to_string();
    let mut command = Command::new("nsenter");
    command.args(["--user", "--target", &pid, "--preserve-credentials"]);
    command.arg(fdscan_binary()).args([&pid, "--json"]);
    let process = Scan::run(&mut command).process();
    let finding = process.finding("watch-limit-near", "critical");
    assert_eq!(finding["evidence"]["limit"], 100, "{finding}");
    let remedy = finding["remedy"].as_str().unwrap();
    assert!(
        remedy.starts_with("sysctl user.max_inotify_watches="),
        "{remedy}"
    );
}

#[test]
fn the_remedy_for_a_limit_of_a_user_namespace_raises_it() {
    if !namespaces_work() {
        return;
    }
    let stage = Stage::new();
    let file = "max_inotify_watches";
    let fixture = limited(&stage, file, 100, &["watches", "--count", "96"]);
    let process = stage.look(&fixture);
    let remedy = process.finding("watch-limit-near", "critical")["remedy"].clone();
    let run = Command::new("sh")
        .args(["-c", remedy.as_str().unwrap()])
        .output();
    let run = run.unwrap();
    assert!(run.status.success(), "{run:?}");
    stage.look(&fixture).must_not_raise("watch-limit-near");
}

#[test]
fn instances_are_held_against_the_limit_of_their_user_namespace() {
    if !namespaces_work() {
        return;
    }
    let stage = Stage::new();
    let file = "max_inotify_instances";
    let fixture = limited(&stage, file, 5, &["instances", "--count", "4"]);
    let process = stage.look(&fixture);
    let finding = process.finding("instance-limit-near", "warning");
    assert_eq!(finding["evidence"]["limit"], 5, "{finding}");
    assert_eq!(finding["evidence"]["instances"], 4, "{finding}");
    let remedy = finding["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("sysctl user.max_inotify_instances="),
        "{remedy}"
    );
}

#[test]
fn a_user_namespace_without_limits_of_its_own_is_held_against_those_outside() {
    if !namespaces_work() {
        return;
    }
    let stage = Stage::new();
    let mut command = Command::new("unshare");
    command.arg("-Ur").arg(stage.mkfds_binary());
    command
        .args(["watches", "--count", "7", "--dir"])
        .arg(stage.make("tree"));
    let fixture = Fixture::start(&mut command);
    let user = stage.look(&fixture).0["user"].clone();
    assert!(user["user_namespace"].is_null(), "{user}");
    assert_eq!(user["max_watches"], proc_number(WATCHES));
    assert_eq!(user["max_instances"], proc_number(INSTANCES));
    let doc = top(&stage);
    let namespace = namespace_of(&fixture);
    let users = doc["users"].as_array().unwrap();
    assert!(
        users.iter().all(|u| u["user_namespace"] != namespace),
        "{users:#?}"
    );
}

/// As in a container: who is 60222 inside is charged there, and its maker outside.
#[test]
fn what_another_user_has_in_a_user_namespace_counts_for_who_made_it() {
    if !is_root() {
        return support::skip("only root can give another user a namespace");
    }
    if !namespaces_work() {
        return;
    }
    let maker = Stage::as_user(60223);
    let dir = maker.make("tree");
    std::os::unix::fs::chown(&dir, Some(60222), Some(60222)).unwrap();
    let script =
        "echo made; read go; exec setpriv --reuid 60222 --regid 60222 --clear-groups \"$@\"";
    let mut command = maker.command("unshare".as_ref());
    command
        .args(["-U", "sh", "-c", script, "sh"])
        .arg(maker.mkfds_binary())
        .args(["watches", "--count", "9", "--dir"])
        .arg(&dir);
    let mut victim = Victim::spawn(&mut command);
    victim.line_with("made");
    let pid = victim.pid();
    for map in ["uid_map", "gid_map"] {
        let text = "0 60223 1\n60222 60222 1\n";
        fs::write(format!("/proc/{pid}/{map}"), text).unwrap();
    }
    victim.send("go");
    victim.line_with("READY");
    let process = maker.scan(&[&pid.to_string(), "--json"]).process();
    assert_eq!(process.0["uid"], 60222);
    let user = &process.0["user"];
    assert_eq!((&user["uid"], &user["watches"]), (&60223.into(), &9.into()));
    let doc = top(&maker);
    let users = doc["users"].as_array().unwrap();
    let row = users.iter().find(|u| u["uid"] == 60223).unwrap();
    assert_eq!((&row["watches"], &row["instances"]), (&9.into(), &1.into()));
}

#[test]
fn a_limit_is_a_finding_of_its_user_and_of_who_has_brought_it_there() {
    if !namespaces_work() {
        return;
    }
    let cases = [
        (
            "max_inotify_watches",
            "watch-limit-near",
            &["watches", "--count", "96"][..],
        ),
        (
            "max_inotify_instances",
            "instance-limit-near",
            &["instances", "--count", "96"],
        ),
    ];
    for (file, code, args) in cases {
        // What it has counts for its maker outside, too: root's 128 instances are those of every other test.
        let stage = Stage::unprivileged(60_224);
        let hog = limited(&stage, file, 100, args);
        let namespace = namespace_of(&hog);
        let mut command = stage.command("nsenter".as_ref());
        let pid = hog.pid().to_string();
        command.args(["--user", "--target", &pid, "--preserve-credentials"]);
        command.arg(stage.mkfds_binary()).arg("idle");
        let idle = Fixture::start(&mut command);
        let process = stage.look(&idle);
        let doc = top(&stage);
        let rows = doc["processes"].as_array().unwrap();
        let row = |pid: u32| rows.iter().find(|row| row["pid"] == pid).unwrap();
        let severities = |found: &Value| -> Vec<String> {
            let found = found.as_array().unwrap().iter();
            let found = found.filter(|f| f["code"] == code);
            found
                .map(|f| f["severity"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(severities(&row(hog.pid())["findings"]), ["critical"]);
        // Nothing of the idle one is an alarm.
        assert!(severities(&row(idle.pid())["findings"]).is_empty());
        let users = doc["users"].as_array().unwrap();
        let user = users
            .iter()
            .find(|u| u["user_namespace"] == namespace)
            .unwrap();
        assert_eq!(severities(&user["findings"]), ["critical"], "{user:#}");
        if code == "instance-limit-near" {
            let finding = process.finding(code, "info");
            let message = finding["message"].as_str().unwrap();
            assert!(
                message.contains(&format!("(PID {})", hog.pid())),
                "{message}"
            );
            // It leaks: no limit is high enough.
            let process = stage.look(&hog);
            assert!(process.finding(code, "critical")["remedy"].is_null());
            process.finding("descriptor-leak", "critical");
            assert_eq!(process.codes()[..2], ["descriptor-leak", code]);
        } else {
            process.must_not_raise(code);
        }
    }
}

#[test]
fn a_command_that_fails_where_no_watch_is_left_is_told_of_it() {
    if !namespaces_work() {
        return;
    }
    let stage = Stage::new();
    let hog = limited(
        &stage,
        "max_inotify_watches",
        100,
        &["watches", "--count", "100"],
    );
    let pid = hog.pid().to_string();
    for (status, code) in [("3", "watch-limit-near"), ("0", "")] {
        let mut command = Command::new("nsenter");
        command.args(["--user", "--target", &pid, "--preserve-credentials"]);
        command
            .arg(fdscan_binary())
            .args(["check", "--json", "--", "sh", "-c"]);
        let scan = Scan::run(command.arg(format!("exit {status}")));
        let doc = scan.json();
        let found = doc["findings"].as_array().unwrap();
        let found = found.iter().find(|f| f["code"] == "watch-limit-near");
        assert_eq!(found.is_some(), !code.is_empty(), "{doc:#}");
        if let Some(found) = found {
            let message = found["message"].as_str().unwrap();
            assert!(
                message.contains(&format!("100 of mkfds (PID {pid})")),
                "{message}"
            );
        }
    }
}
