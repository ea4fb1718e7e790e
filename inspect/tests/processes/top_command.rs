//! `fdscan top`: every process in one pass, every user against the kernel's limits.

use std::process::Command;

use serde_json::Value;
use support::{Terminal, quoted};

use crate::common::{
    Fixture, Scan, Stage, Witness, fdscan, fdscan_binary, is_root, must_end_with_its_reader,
    proc_number,
};

fn top(stage: &Stage, args: &[&str]) -> Value {
    let scan = stage.scan(&[&["top", "--json"], args].concat());
    assert_eq!(scan.code(), 0, "{}", scan.stderr);
    scan.json()
}

/// The line of one fixture.
#[track_caller]
fn row<'a>(doc: &'a Value, fixture: &Fixture) -> &'a Value {
    let rows = doc["processes"].as_array().unwrap();
    let own = rows.iter().find(|row| row["pid"] == fixture.pid());
    own.unwrap_or_else(|| panic!("process {} is not listed", fixture.pid()))
}

fn codes(row: &Value) -> Vec<&str> {
    let findings = row["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|f| f["code"].as_str().unwrap())
        .collect()
}

fn pids(doc: &Value) -> Vec<u64> {
    let rows = doc["processes"].as_array().unwrap();
    rows.iter()
        .map(|row| row["pid"].as_u64().unwrap())
        .collect()
}

/// A stage of a user nobody else is, so that the user's sums are the test's alone.
fn alone(uid: u32) -> Option<Stage> {
    if is_root() {
        return Some(Stage::as_user(uid));
    }
    support::skip("only root can be a user whose sums nobody else changes");
    None
}

#[test]
fn a_process_shows_its_watches_descriptors_and_limit() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "7", "--mask", "0x3ca"]);
    let doc = top(&stage, &[]);
    let row = row(&doc, &fixture);
    assert_eq!((&row["watches"], &row["instances"]), (&7.into(), &1.into()));
    let process = stage.look(&fixture).0;
    for key in ["open", "soft_limit"] {
        assert_eq!(row["fds"][key], process["fds"][key], "{key}");
    }
    assert_eq!(
        (&row["wal_bytes"], &row["comm"]),
        (&0.into(), &"mkfds".into())
    );
    assert_eq!(
        doc["limits"]["max_user_instances"],
        proc_number("/proc/sys/fs/inotify/max_user_instances")
    );
}

#[test]
fn an_instance_a_child_inherited_counts_once_for_its_user_and_stands_at_both() {
    let Some(stage) = alone(60701) else { return };
    let dir = stage.make("tree");
    let args = [
        "instances",
        "--count",
        "3",
        "--watches",
        "4",
        "--fork",
        "--dup",
    ];
    let fixture = stage.mkfds_in(&dir, &args);
    let doc = top(&stage, &["--user", "60701"]);
    let user = &doc["users"][0];
    assert_eq!(
        (&user["instances"], &user["watches"]),
        (&3.into(), &12.into()),
        "{user}"
    );
    assert_eq!(
        (&user["at_least"], &user["processes"]),
        (&(!support::sees_all_pids()).into(), &2.into())
    );
    let rows = doc["processes"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(
            (&row["instances"], &row["watches"]),
            (&3.into(), &12.into()),
            "{row}"
        );
    }
    assert!(pids(&doc).contains(&fixture.pid().into()));
}

#[test]
fn of_another_users_process_only_descriptors_and_limit_are_known_and_nothing_is_zero() {
    let Some(stage) = alone(60702) else { return };
    let other = Stage::as_user(60703);
    let fixture = other.mkfds_in(&other.make("tree"), &["watches", "--count", "5"]);
    let open = other.look(&fixture).0["fds"]["open"].clone();

    let scan = stage.scan_as_user(&["top", "--json"]);
    assert_eq!(scan.code(), 0);
    let doc = scan.json();
    let row = row(&doc, &fixture);
    for key in ["watches", "instances", "wal_bytes", "sqlite", "findings"] {
        assert!(row[key].is_null(), "{key} in {row}");
    }
    assert_eq!(row["comm"], "mkfds");
    assert_eq!(row["fds"]["open"], open);
    assert!(row["fds"]["soft_limit"].is_u64());
    let users = doc["users"].as_array().unwrap();
    let user = users.iter().find(|user| user["uid"] == 60703).unwrap();
    assert!(
        user["watches"].is_null() && user["instances"].is_null(),
        "{user}"
    );

    let text = stage.scan_as_user(&["top", "--user", "60703"]);
    let line = text
        .text()
        .lines()
        .find(|l| l.contains(&fixture.pid().to_string()));
    let mut words: Vec<&str> = line.unwrap().split_whitespace().collect();
    assert_eq!(words[3..5], ["?", "?"], "{words:?}");
    assert_eq!(words[5], open.to_string());
    // Short PIDs, as in a container, leave room for the command.
    words.retain(|word| !word.starts_with('/'));
    assert_eq!(words[7..], ["?", "?"], "{words:?}");
}

#[test]
fn a_process_closed_to_its_own_user_makes_the_sums_lower_bounds() {
    let Some(stage) = alone(60704) else { return };
    let dir = stage.make("tree");
    let _closed = stage.mkfds(&["undumpable"]);
    let _open = stage.mkfds_in(&dir, &["watches", "--count", "2"]);
    let scan = stage.scan_as_user(&["top", "--json", "--user", "60704"]);
    let user = &scan.json()["users"][0];
    assert_eq!(
        (&user["watches"], &user["at_least"]),
        (&2.into(), &true.into()),
        "{user}"
    );
    let text = stage.scan_as_user(&["top", "--user", "60704"]);
    let line = text
        .text()
        .lines()
        .find(|line| line.contains("60704"))
        .unwrap();
    assert!(line.contains("2+"), "{line}");
}

#[test]
fn leaked_connections_and_a_self_watch_are_named() {
    let stage = Stage::new();
    let leak = stage.mkfds_in(
        &stage.make("leak"),
        &["sqlite-connections", "--count", "40"],
    );
    let looped = stage.mkfds_in(
        &stage.make("loop"),
        &["sqlite-self-watch", "--mask", "0xfce"],
    );
    let doc = top(&stage, &[]);
    assert_eq!(codes(row(&doc, &leak)), ["sqlite-handle-leak"]);
    let logs = &row(&doc, &leak)["sqlite"];
    assert_eq!(logs[0]["wal_handles"], 40);
    assert_eq!(logs[0]["wal_bytes"], row(&doc, &leak)["wal_bytes"]);
    assert!(logs[0]["pending_bytes"].is_u64(), "{logs}");
    let found = codes(row(&doc, &looped));
    assert_eq!(found[0], "sqlite-self-watch", "{found:?}");
}

#[test]
fn what_top_finds_the_closer_look_finds_too() {
    let stage = Stage::new();
    let fixtures = [
        stage.mkfds_in(
            &stage.make("a"),
            &["watches", "--count", "3", "--mask", "0x3ee"],
        ),
        stage.mkfds_in(&stage.make("b"), &["wal-deleted"]),
        stage.mkfds(&["fd-limit", "--limit", "200", "--percent", "96"]),
        stage.mkfds_in(&stage.make("d"), &["sqlite-parked", "--count", "40"]),
    ];
    let doc = top(&stage, &[]);
    for fixture in &fixtures {
        let process = stage.look(fixture);
        for finding in row(&doc, fixture)["findings"].as_array().unwrap() {
            let severity = finding["severity"].as_str().unwrap();
            process.finding(finding["code"].as_str().unwrap(), severity);
        }
        assert!(!codes(row(&doc, fixture)).is_empty());
    }
}

/// They are what `fdscan top` is asked for when a server answers "Too many open files".
#[test]
fn whatever_leaks_top_names_what_the_closer_look_names() {
    let stage = Stage::new();
    let leak = |what, count| stage.mkfds(&["leak", "--what", what, "--count", count]);
    let (pattern, file) = (stage.make("pattern"), stage.make("file"));
    let leaks = [
        leak("close-wait", "600"),
        leak("pairs", "220"),
        leak("unconnected", "220"),
        leak("pipes", "380"),
        leak("eventfd", "250"),
        stage.mkfds_in(&pattern, &["file-pattern", "--count", "991"]),
        stage.mkfds_in(&file, &["descriptors", "--count", "200"]),
    ];
    let roomy =
        |what, count| stage.mkfds(&["leak", "--what", what, "--count", count, "--limit", "4000"]);
    let (few, tables) = (stage.make("few"), stage.make("tables"));
    let storage = ["file-pattern", "--count", "600", "--extension", "sst"];
    let sound = [
        leak("close-wait", "100"),
        roomy("accepted", "300"),
        roomy("half-pipes", "380"),
        stage.mkfds_in(&few, &["file-pattern", "--count", "100"]),
        stage.mkfds_in(&tables, &storage),
    ];
    let doc = top(&stage, &[]);
    for fixture in &sound {
        assert_eq!(codes(row(&doc, fixture)), [""; 0]);
    }
    for fixture in &leaks {
        let close = stage.look(fixture).0;
        let found = &row(&doc, fixture)["findings"];
        assert!(!codes(&close).is_empty());
        assert_eq!(codes(row(&doc, fixture)), codes(&close));
        assert_eq!(found[0]["severity"], close["findings"][0]["severity"]);
    }
}

/// Who watches the directory for reads would be woken by a look at all processes.
#[test]
fn leaked_files_are_counted_without_being_opened() {
    let stage = Stage::new();
    let dir = stage.make("sessions");
    let fixture = stage.mkfds_in(&dir, &["file-pattern", "--count", "300"]);
    for file in std::fs::read_dir(&dir).unwrap() {
        std::fs::write(file.unwrap().path(), [b'x'; 4096]).unwrap();
    }
    let mut witness = Witness::of([dir]);
    let doc = top(&stage, &[]);
    assert_eq!(codes(row(&doc, &fixture)), ["file-handle-leak"]);
    let told = witness.told();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn a_process_with_the_library_in_it_is_judged_as_by_a_closer_look() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_with(&["watches", "--count", "3", "--mask", "0x3ee"], |command| {
        command
            .arg("--dir")
            .arg(&dir)
            .env("LD_PRELOAD", support::libwatchfix());
        command.env("WATCHFIX_STRIP", "none");
    });
    let doc = top(&stage, &[]);
    let finding = &row(&doc, &fixture)["findings"][0];
    assert_eq!(finding["code"], "watch-wakes-on-read");
    let close = stage.look(&fixture);
    close.finding("watch-wakes-on-read", finding["severity"].as_str().unwrap());
    assert_eq!(finding["severity"], "info");
}

#[test]
fn the_list_is_sorted_filtered_and_cut_as_asked() {
    let Some(stage) = alone(60705) else { return };
    let few = stage.mkfds_in(
        &stage.make("few"),
        &["watches", "--count", "2", "--mask", "0x3ca"],
    );
    let many = stage.mkfds_in(
        &stage.make("many"),
        &["watches", "--count", "9", "--mask", "0x3ca"],
    );
    let open = stage.mkfds_in(&stage.make("open"), &["descriptors", "--count", "100"]);
    let user = |args: &[&str]| pids(&top(&stage, &[&["--user", "60705"], args].concat()));
    let [few, many, open] = [&few, &many, &open].map(|f| u64::from(f.pid()));
    assert_eq!(user(&["--sort", "watches"]), [many, few, open]);
    assert_eq!(user(&["--sort", "fds", "--limit", "1"]), [open]);
    assert_eq!(user(&["--sort", "pid", "--limit", "0"]), {
        let mut all = [few, many, open];
        all.sort_unstable();
        all
    });
    assert_eq!(user(&["--name", "kfd"]).len(), 3);
    let doc = top(&stage, &["--user", "60705", "--limit", "1"]);
    assert_eq!(doc["processes_left_out"], 2);
    let text = stage.scan(&["top", "--user", "60705", "--limit", "1"]);
    assert!(
        text.text().contains("and 2 more (--limit 0 lists them)"),
        "{}",
        text.text()
    );
}

#[test]
fn a_name_longer_than_a_thread_s_is_found_in_the_program() {
    let stage = Stage::new();
    let long = stage.make("bin").join("a-program-with-a-long-name");
    std::os::unix::fs::symlink(stage.mkfds_binary(), &long).unwrap();
    let fixture = Fixture::start(Command::new(&long).arg("idle"));
    let doc = top(&stage, &["--name", "with-a-long-name"]);
    assert_eq!(pids(&doc), [u64::from(fixture.pid())]);
}

#[test]
fn nothing_that_matches_is_3_and_an_unknown_user_2() {
    let stage = Stage::new();
    let none = stage.scan(&["top", "--name", "no process has this name"]);
    assert_eq!(
        (none.code(), none.stderr.as_str()),
        (3, "fdscan: no process matches\n")
    );
    let user = stage.scan(&["top", "--user", "no-such-user"]);
    assert_eq!(user.code(), 2);
    assert!(user.stderr.contains("'no-such-user'"), "{}", user.stderr);
}

#[test]
fn fail_on_judges_all_processes_asked_for_and_not_only_those_listed() {
    let Some(stage) = alone(60706) else { return };
    let _quiet = stage.mkfds(&["idle"]);
    let args = [
        "top",
        "--user",
        "60706",
        "--fail-on",
        "info",
        "--sort",
        "pid",
        "--limit",
        "1",
    ];
    assert_eq!(stage.scan(&args).code(), 0);
    let _loud = stage.mkfds_in(
        &stage.make("a"),
        &["watches", "--count", "1", "--mask", "0x20"],
    );
    assert_eq!(stage.scan(&args).code(), 1);
}

#[test]
fn a_reader_that_has_seen_enough_is_not_an_error() {
    must_end_with_its_reader(&["top", "--limit", "0"]);
}

#[test]
fn a_name_that_would_move_the_cursor_is_shown_as_text() {
    let stage = Stage::new();
    let fixture = stage.mkfds_in(&stage.make("names"), &["names"]);
    let scan = Scan::run(fdscan().args(["top", "--limit", "0"]));
    assert!(!scan.text().contains('\x1b'), "{}", scan.text());
    assert!(scan.text().contains(&fixture.pid().to_string()));
}

#[test]
fn a_process_is_one_line_of_a_terminal_at_80_and_at_200_columns() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let _fixture = stage.mkfds_in(&dir, &["watches", "--count", "3", "--mask", "0x3ee"]);
    for columns in [80, 200] {
        let Some(terminal) = Terminal::open(columns, 50) else {
            return;
        };
        let fdscan = quoted(fdscan_binary());
        terminal.type_line(&format!("clear; {fdscan} top --name mkfds --limit 5"));
        let screen = terminal.until("the last line", |screen| screen.contains("what helps."));
        let table = screen
            .lines()
            .skip_while(|line| !line.contains(" FINDINGS"));
        // The header, the line below it, the rows; a row too long for the screen would go on below.
        let rows: Vec<_> = table
            .skip(2)
            .take_while(|line| !line.starts_with("  "))
            .collect();
        let rows = rows.iter().take_while(|line| !line.is_empty());
        for row in rows {
            assert!(
                row.trim_start().starts_with(|c: char| c.is_ascii_digit()),
                "{screen}"
            );
        }
    }
}

#[test]
fn where_proc_hides_the_processes_of_others_it_is_said() {
    let Some(stage) = alone(60_405) else { return };
    let fixture = stage.mkfds(&["idle"]);
    let top = |options: &str| {
        let script = format!("mount -t proc -o {options} p /proc && exec \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script, "sh"]);
        let fdscan = stage.scan_command();
        command.arg(fdscan.get_program()).args(fdscan.get_args());
        command.args(["top", "--json"]);
        let output = command.output().unwrap();
        let doc: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(pids(&doc).contains(&u64::from(fixture.pid())));
        let gaps = doc["incomplete"].as_array().unwrap().clone();
        gaps.iter()
            .any(|gap| gap["why"].as_str().unwrap().contains("hidepid"))
    };
    if !Command::new("unshare")
        .args(["--mount", "true"])
        .status()
        .unwrap()
        .success()
    {
        return support::skip_optional("mount namespaces cannot be made here");
    }
    assert!(top("hidepid=2"));
    assert!(!top("hidepid=0"));
}

/// What counts for a user's limits may be in a container, or outside of this one.
#[test]
fn in_a_pid_namespace_of_its_own_sums_are_lower_bounds_and_it_is_said() {
    if !is_root() {
        return support::skip("needs root, to make a PID namespace");
    }
    let mut inside = support::in_pid_namespace();
    let doc = Scan::run(inside.arg(fdscan_binary()).args(["top", "--json"])).json();
    let users = doc["users"].as_array().unwrap();
    assert!(!users.is_empty());
    assert!(
        users.iter().all(|user| user["at_least"] == true),
        "{users:#?}"
    );
    let incomplete = doc["incomplete"].to_string();
    assert!(
        incomplete.contains("outside of this PID namespace"),
        "{incomplete}"
    );
}
