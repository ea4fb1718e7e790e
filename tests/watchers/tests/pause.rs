//! Real watchers through a deploy behind `watchfix pause`: nothing meanwhile, and once afterwards what changed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::process::Command;

use support::Victim;
use tempfile::TempDir;
use watchers::{Skip, pausing, rows, table};

#[test]
fn watchers_hear_nothing_of_a_deploy_and_once_afterwards_what_changed() {
    let rows = pausing::run(rows::deploys(), |_| {});
    for row in &rows {
        match &row.skipped {
            Some(Skip::Missing(why)) => support::skip(&format!("{}: {why}", row.deploy.name())),
            Some(Skip::Unsupported(why)) => support::skip_optional(why),
            None => {}
        }
    }
    println!("{}", table::paused(&rows));
    let problems = rows.iter().filter(|row| !row.problems.is_empty());
    let problems: Vec<_> = problems
        .map(|row| format!("{}: {}", row.deploy.name(), row.problems.join("\n")))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Two of them, in temporary directories of a mount namespace of its own, which `mount` makes at `$PWD/m`.
fn on_another_file_system(mount: &str) {
    // Not in there: it is built by cargo.
    support::watchfix();
    let program = support::binary("watchers", "watchers");
    let dir = TempDir::new().unwrap();
    // One after the other: to find out what the one watches on an overlayfs, the other's guardian lists directories, which
    // who watches opens hears.
    let run = "export TMPDIR=$PWD/m; \
               for watcher in inotifywait chokidar-4; do \"$0\" --pause --watcher $watcher; done; \
               ! ls -a m | grep watchfix-pause";
    let script = format!("{mount} {run}");
    let Some(mut command) = support::in_own_mounts(&program, dir.path(), &script) else {
        return;
    };
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{output:?}");
    assert!(text.contains("0 failed"), "{text}");
}

#[test]
fn so_it_is_on_a_tmpfs() {
    on_another_file_system("mkdir m;");
}

#[test]
fn so_it_is_on_an_overlayfs() {
    on_another_file_system(&support::overlay(""));
}

/// Deploys that put another directory, or a file, in the place of a directory.
const REPLACING: &[&str] = &[
    "rm -r sub; cp -r ../next sub",
    "mv sub ../old; cp -r ../next sub",
    "mv sub sub2; cp -r ../next sub",
    "rm -r sub/deep; cp -r ../next/deep sub/deep",
    "rm -r sub; mkdir sub",
    "rm -r sub; echo new >sub",
    "rm file; mkdir file; echo new >file/in",
    "rm -r sub",
];

#[test]
fn what_lsyncd_copies_is_the_same_after_directories_were_replaced() {
    let Some(tool) = support::tool("lsyncd") else {
        return support::skip("no lsyncd: scripts/install-test-tools says why");
    };
    for deploy in REPLACING {
        let dir = TempDir::new().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["source/sub/deep", "next/deep", "copy"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["file", "sub/gone", "sub/deep/gone"] {
            fs::write(at("source").join(name), "old").unwrap();
        }
        for name in ["new", "deep/new"] {
            fs::write(at("next").join(name), "new").unwrap();
        }
        let config = format!(
            "settings {{ nodaemon = true, statusFile = '{0}/status' }} \
             sync {{ default.rsync, source = '{0}/source', target = '{0}/copy', delay = 1 }}",
            dir.path().display()
        );
        fs::write(at("config"), config).unwrap();
        let mut lsyncd = Command::new(&tool);
        let _lsyncd = Victim::spawn_group(lsyncd.arg(at("config")));
        let is_same = || {
            let mut diff = Command::new("diff");
            diff.args(["-r", "--no-dereference"]);
            let output = diff.args([at("source"), at("copy")]).output().unwrap();
            output.status.success()
        };
        support::wait_until(&format!("no copy before: {deploy}"), is_same);
        let mut pause = Command::new(support::watchfix());
        pause.arg("pause").arg(at("source"));
        pause.args(["--", "sh", "-ec", deploy]);
        let output = pause.current_dir(at("source")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        support::wait_until(&format!("not the same after: {deploy}"), is_same);
    }
}
