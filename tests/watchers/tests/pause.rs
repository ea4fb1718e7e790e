//! Real watchers through a deploy behind `watchfix pause`: nothing meanwhile, and once afterwards what changed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

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
