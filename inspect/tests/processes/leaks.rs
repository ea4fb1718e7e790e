//! Descriptors that are never closed, and space held by files without a name.

use crate::common::{Process, Stage, is_root};

fn pattern(args: &[&str]) -> (Process, String) {
    let stage = Stage::new();
    let dir = stage.make("sessions");
    let mut all = vec!["file-pattern", "--count"];
    all.extend(args);
    let fixture = stage.mkfds_in(&dir, &all);
    (stage.look(&fixture), dir.to_str().unwrap().to_owned())
}

#[test]
fn nine_hundred_and_ninety_one_session_files_are_a_leak() {
    let (process, dir) = pattern(&["991"]);
    let evidence = &process.finding("file-handle-leak", "warning")["evidence"];
    assert_eq!(evidence["kind"], "pattern");
    assert_eq!(evidence["pattern"], "*.jsonl");
    assert_eq!(evidence["directory"], dir.as_str());
    assert_eq!(evidence["handles"], 991);
    assert_eq!(evidence["files"], 991);
    assert!(!evidence["names"].as_array().unwrap().is_empty());
    let fds = &process.0["fds"];
    assert_eq!(fds["top_directories"][0]["directory"], dir.as_str());
    assert_eq!(fds["top_directories"][0]["descriptors"], 991);
    assert_eq!(fds["top_extensions"][0]["extension"], "jsonl");
}

#[test]
fn a_hundred_session_files_are_not_a_leak() {
    pattern(&["100"]).0.must_not_raise("file-handle-leak");
}

#[test]
fn files_of_as_many_directories_are_not_a_leak() {
    let (process, _) = pattern(&["300", "--spread"]);
    process.must_not_raise("file-handle-leak");
}

#[test]
fn the_tables_of_a_storage_engine_are_not_a_leak() {
    let (process, _) = pattern(&["600", "--extension", "sst"]);
    process.must_not_raise("file-handle-leak");
}

#[test]
fn one_file_open_two_hundred_times_is_a_leak_and_twenty_times_is_not() {
    let stage = Stage::new();
    for (name, count) in [("leak", "200"), ("healthy", "20")] {
        let dir = stage.make(name);
        let fixture = stage.mkfds_in(&dir, &["descriptors", "--count", count]);
        let process = stage.look(&fixture);
        if name == "healthy" {
            process.must_not_raise("file-handle-leak");
            continue;
        }
        let evidence = &process.finding("file-handle-leak", "warning")["evidence"];
        assert_eq!(evidence["kind"], "file");
        assert_eq!(evidence["file"], fixture.fact("path"));
        assert_eq!(evidence["handles"], 200);
    }
}

#[test]
fn connections_to_a_database_are_a_leak_of_sqlite_handles_only() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "150"]);
    let process = stage.look(&fixture);
    process.finding("sqlite-handle-leak", "warning");
    process.must_not_raise("file-handle-leak");
}

#[test]
fn the_text_shows_where_the_open_files_are() {
    let stage = Stage::new();
    let dir = stage.make("sessions");
    let fixture = stage.mkfds_in(&dir, &["file-pattern", "--count", "40"]);
    let text = stage.scan(&[&fixture.pid().to_string(), "--tables"]);
    for word in [
        "Directories with most open files",
        "*.jsonl",
        dir.to_str().unwrap(),
    ] {
        assert!(text.text().contains(word), "{word} in\n{}", text.text());
    }
}

fn leaked(what: &str, count: &str, more: &[&str]) -> Process {
    let stage = Stage::new();
    let mut all = vec!["leak", "--what", what, "--count", count];
    all.extend(more);
    let fixture = stage.mkfds(&all);
    stage.look(&fixture)
}

#[test]
fn connections_whose_peers_have_gone_are_a_leak_at_any_limit() {
    let process = leaked("close-wait", "600", &[]);
    let finding = process.finding("socket-leak", "warning");
    assert_eq!(finding["evidence"]["kind"], "close-wait");
    assert_eq!(finding["evidence"]["handles"], 600);
    assert_eq!(finding["evidence"]["peer"], "127.0.0.1");
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains("CLOSE_WAIT"), "{message}");
    leaked("close-wait", "100", &[]).must_not_raise("socket-leak");
}

#[test]
fn clients_that_are_served_are_not_a_leak_until_half_of_the_limit_is_gone() {
    leaked("accepted", "300", &["--limit", "2000"]).must_not_raise("socket-leak");
    let process = leaked("accepted", "300", &["--limit", "600"]);
    let evidence = &process.finding("socket-leak", "warning")["evidence"];
    assert_eq!(evidence["kind"], "accepted");
    assert_eq!(evidence["handles"], 300);
}

#[test]
fn sockets_with_nobody_at_the_other_end_are_a_leak() {
    for (what, kind, handles) in [("pairs", "unix", 440), ("unconnected", "other", 220)] {
        let process = leaked(what, "220", &[]);
        let evidence = &process.finding("socket-leak", "warning")["evidence"];
        assert_eq!(evidence["kind"], kind);
        assert_eq!(evidence["handles"], handles);
    }
}

#[test]
fn many_of_any_kind_are_a_leak() {
    for kind in ["epoll", "eventfd", "timerfd", "pidfd", "memfd"] {
        let process = leaked(kind, "250", &[]);
        let evidence = &process.finding("descriptor-leak", "warning")["evidence"];
        assert_eq!(evidence["kind"], kind);
        assert_eq!(evidence["handles"], 250);
        leaked(kind, "100", &[]).must_not_raise("descriptor-leak");
    }
}

#[test]
fn pipes_with_both_ends_here_are_a_leak_and_ends_of_children_are_not() {
    let process = leaked("pipes", "380", &[]);
    let evidence = &process.finding("descriptor-leak", "warning")["evidence"];
    assert_eq!(evidence["kind"], "pipe");
    assert!(evidence["handles"].as_u64().unwrap() >= 760, "{evidence}");
    leaked("half-pipes", "380", &["--limit", "4000"]).must_not_raise("descriptor-leak");
}

#[test]
fn what_a_program_opens_and_opens_is_said_to_grow() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&[
        "leak",
        "--what",
        "half-pipes",
        "--count",
        "300",
        "--most",
        "8000",
        "--limit",
        "9000",
    ]);
    let scan = stage.scan(&[&fixture.pid().to_string(), "--json", "--for", "2"]);
    let process = scan.process();
    let evidence = &process.finding("descriptor-leak", "warning")["evidence"];
    assert!(
        evidence["growth"]["more"].as_u64().unwrap() >= 16,
        "{evidence}"
    );
}

#[test]
fn too_many_instances_are_the_programs_fault() {
    if !is_root() {
        return support::skip("only root can be a user whose instances nobody else uses");
    }
    let stage = Stage::as_user(60_236);
    let fixture = stage.mkfds(&["instances", "--count", "70"]);
    let process = stage.look(&fixture);
    let finding = process.finding("descriptor-leak", "warning");
    assert_eq!(finding["evidence"]["kind"], "inotify");
    assert_eq!(finding["evidence"]["handles"], 70);
    let message = finding["message"].as_str().unwrap();
    assert!(
        message.contains("so the program creates too many"),
        "{message}"
    );
}

#[test]
fn without_a_finding_the_text_says_how_many_there_are_of_what() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&[
        "leak", "--what", "epoll", "--count", "60", "--limit", "1000",
    ]);
    let text = stage.scan(&[&fixture.pid().to_string(), "--color", "never"]);
    let said = text.text().split_whitespace().collect::<Vec<_>>().join(" ");
    let counts = format!(
        "No finding. Nothing wrong was found among {} of 1,000 descriptors: 60 epoll instances,",
        fixture.number("open"),
    );
    assert!(said.contains(&counts), "{counts} in\n{}", text.text());
}

fn nameless(megabytes: &str, how: &str) -> Process {
    let stage = Stage::new();
    let dir = stage.make("log");
    let fixture = stage.mkfds_in(
        &dir,
        &["deleted-file", "--megabytes", megabytes, "--how", how],
    );
    stage.look(&fixture)
}

#[test]
fn sixty_five_mebibytes_of_a_deleted_log_are_a_warning_and_counted_once() {
    let process = nameless("65", "deleted");
    let finding = process.finding("deleted-file-held", "warning");
    let evidence = &finding["evidence"];
    assert_eq!(evidence["file_count"], 1);
    let bytes = evidence["bytes"].as_u64().unwrap();
    assert!((65 << 20..66 << 20).contains(&bytes), "{bytes}");
    let path = evidence["files"][0]["path"].as_str().unwrap();
    assert!(path.ends_with("/server.log"), "{path}");
    // Nothing that frees the space from outside keeps the content.
    assert!(finding["remedy"].is_null());
}

#[test]
fn a_few_mebibytes_of_a_deleted_file_are_a_note() {
    nameless("6", "deleted").finding("deleted-file-held", "info");
}

#[test]
fn what_is_small_has_a_name_or_never_had_one_is_not_held() {
    for (megabytes, how) in [
        ("1", "deleted"),
        ("65", "kept"),
        ("65", "tmpfile"),
        ("65", "memfd"),
    ] {
        nameless(megabytes, how).must_not_raise("deleted-file-held");
    }
}
