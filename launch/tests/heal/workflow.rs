//! On a runner of GitHub Actions no name becomes a command (src/Runner.Common/ActionCommand.cs of actions/runner).

use super::stage::{directory, mkfds, watchfix};

/// What a runner would obey.
fn obeyed(output: &str) -> Vec<&str> {
    let lines = output.split(['\n', '\r']);
    lines
        .filter(|line| line.trim().starts_with("::") || line.contains("##["))
        .collect()
}

#[test]
fn a_name_never_becomes_a_command() {
    let (_dir, path) = directory();
    let place = path.join(":: ::stop-commands::x ##[group]y");
    std::fs::create_dir(&place).unwrap();
    let victim = mkfds(&place, &["watches", "--count", "3", "--mask", "0x3ee"]);
    let pid = victim.pid().to_string();
    let log = format!("{}/log", path.display());
    let place = place.to_str().unwrap();
    let mut said = String::new();
    for args in [
        &["heal", "--dry-run", &pid][..],
        &["heal", "--log", "stderr", &pid],
        &["heal", "--undo", &pid],
        &["heal", "--log", &log, "--settle", place, &pid],
        &["heal", "::stop-commands::x"],
        &["heal", "--drop", "::stop ##[x]", &pid],
        &["run", "--explain", "--", "::stop-commands::x ##[x]"],
        &["run", "--", "::stop-commands::x ##[x]"],
    ] {
        let run = watchfix()
            .args(args)
            .env("GITHUB_ACTIONS", "true")
            .output()
            .unwrap();
        for output in [run.stdout, run.stderr] {
            let text = String::from_utf8(output).unwrap();
            assert_eq!(obeyed(&text), [""; 0], "{args:?}");
            said += &text;
        }
    }
    assert!(said.matches("##\\[").count() >= 4, "{said}");
}
