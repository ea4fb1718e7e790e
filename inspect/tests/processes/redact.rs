//! What may be posted: `--redact` shows no planted name, and secrets are shown by no command at all.

use std::path::PathBuf;

use serde_json::Value;

use crate::common::{Fixture, Scan, Stage};

/// A user, a project, and what lies in it.
const NAMES: &[&str] = &["alicequark", "AcmeRocket", "moonshot"];
/// Secrets of the command line and the environment.
const SECRETS: &[&str] = &[
    "hunter2horse",
    "flag-battery-9",
    "urlpassstaple",
    "queryparamsix",
    "headervalue7",
    "envvalueeight",
    "ghp_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
    "AKIAIOSFODNN7EXAMPLE",
    "c2VjcmV0LXBheWxvYWQ",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
];

struct Posted {
    fixture: Fixture,
    stage: Stage,
    private: PathBuf,
    database: PathBuf,
    // Held open, so that the database has a log and a holder.
    _connection: rusqlite::Connection,
}

/// A process of a private project, started with secrets, that has findings of many kinds.
fn posted() -> Posted {
    let stage = Stage::new();
    let home = stage.make("home");
    let private = home.join("alicequark/AcmeRocket");
    std::fs::create_dir_all(&private).unwrap();
    std::fs::write(private.join("moonshot.pid"), "4194303").unwrap();
    std::fs::write(private.join("moonshot.port"), "moonshot.example:9").unwrap();
    std::os::unix::fs::symlink("moonshot-4194303", private.join("SingletonLock")).unwrap();
    let notes = [
        "--token",
        "hunter2horse",
        "--api-key=flag-battery-9",
        "postgres://moonshot:urlpassstaple@moonshot.example:5432/moonshot",
        "https://moonshot.example/x?access_token=queryparamsix&n=1",
        "Authorization: Bearer headervalue7",
        "sh -c 'curl --password hunter2horse https://moonshot.example/AcmeRocket'",
        "ghp_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
        "--key-id=AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LXBheWxvYWQ.x0x0x0x0",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "--project=AcmeRocket",
        "moonshot",
    ];
    let fixture = stage.mkfds_with(&["names", "--dir"], |command| {
        command.arg(&private);
        command.arg("--note").args(notes);
        command
            .env("API_TOKEN", "envvalueeight")
            .current_dir(&private);
    });
    let database = private.join("moonshot.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1)")
        .unwrap();
    Posted {
        fixture,
        stage,
        private,
        database,
        _connection: connection,
    }
}

impl Posted {
    /// Every command that shows something of the process, in text and JSON.
    fn answers(&self, flags: &[&str]) -> Vec<(String, Scan)> {
        let pid = self.fixture.pid().to_string();
        let private = self.private.to_str().unwrap();
        let database = self.database.to_str().unwrap();
        let commands: &[&[&str]] = &[
            &[&pid],
            &[&pid, "--all"],
            &["wal", database],
            &["claims", private],
            &["top"],
            &["watch", &pid, "--for", "0.3", "--interval", "0.1"],
            &["export", &pid],
            &["report", &pid, "--for", "0.1"],
            &["report", &pid, "--for", "0.1", "--format", "html"],
            &["events", &pid, "--for", "0.1"],
            &["check", &pid, "--max-fds", "1"],
            &["check", "--max-fds", "1", "--", "test", "-d", private],
        ];
        let mut answers = Vec::new();
        for command in commands {
            // A report is for people, an exposition for Prometheus.
            let forms: &[bool] = if ["report", "export"].contains(&command[0]) {
                &[false]
            } else {
                &[false, true]
            };
            for &json in forms {
                let mut args = command.to_vec();
                // A command to check takes what stands behind it for its own.
                let at = args
                    .iter()
                    .position(|arg| *arg == "--")
                    .unwrap_or(args.len());
                args.splice(at..at, flags.iter().copied());
                if json {
                    args.insert(at, "--json");
                }
                answers.push((args.join(" "), self.stage.scan(&args)));
            }
        }
        answers
    }
}

fn shows(scan: &Scan, word: &str) -> bool {
    scan.text().contains(word) || scan.stderr.contains(word)
}

#[test]
fn no_command_shows_a_secret_redacted_or_not() {
    let posted = posted();
    for flags in [&[][..], &["--redact"]] {
        for (command, scan) in posted.answers(flags) {
            for secret in SECRETS {
                assert!(
                    !shows(&scan, secret),
                    "fdscan {command} shows {secret}: {}{}",
                    scan.text(),
                    scan.stderr
                );
            }
        }
    }
}

#[test]
fn redacted_no_command_shows_a_private_name() {
    let posted = posted();
    for (command, scan) in posted.answers(&["--redact"]) {
        for name in NAMES {
            assert!(
                !shows(&scan, name),
                "fdscan {command} shows {name}: {}{}",
                scan.text(),
                scan.stderr
            );
        }
    }
    // The names are there to be shown; `top` shows no paths, and nothing happened to be listened to.
    for (command, scan) in posted.answers(&[]) {
        let shown = ["top", "events", "check", "watch", "export"]
            .iter()
            .all(|c| !command.starts_with(c));
        assert!(
            !shown || shows(&scan, "AcmeRocket"),
            "fdscan {command}: {}",
            scan.text()
        );
    }
}

#[test]
fn redacted_it_finds_the_same_and_equal_names_stay_equal() {
    let posted = posted();
    let pid = posted.fixture.pid().to_string();
    let plain = posted.stage.scan(&[&pid, "--json"]).json();
    let redacted = posted.stage.scan(&[&pid, "--json", "--redact"]).json();
    let (plain, redacted) = (&plain["processes"][0], &redacted["processes"][0]);
    let facts = |process: &Value, key: &str| -> Vec<Value> {
        let findings = process["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|finding| finding[key].clone())
            .collect()
    };
    assert!(facts(plain, "code").len() > 2);
    assert_eq!(facts(plain, "code"), facts(redacted, "code"));
    assert_eq!(facts(plain, "severity"), facts(redacted, "severity"));
    let paths = |process: &Value| -> Vec<String> {
        let watches = process["inotify"][0]["watches"].as_array().unwrap();
        let paths = watches
            .iter()
            .map(|watch| watch["path"].as_str().unwrap().to_owned());
        paths.collect()
    };
    let (plain_paths, redacted_paths) = (paths(plain), paths(redacted));
    assert_eq!(plain_paths.len(), redacted_paths.len());
    let tokens: std::collections::BTreeMap<_, _> =
        plain_paths.iter().zip(&redacted_paths).collect();
    let distinct: std::collections::BTreeSet<_> = redacted_paths.iter().collect();
    assert_eq!(tokens.len(), distinct.len(), "different paths became equal");
    // A remedy names the same directory the evidence names, and the home's owner is a user.
    let database = redacted["sqlite"][0]["database"].as_str().unwrap();
    assert!(database.contains("/home/user"), "{database}");
    assert!(database.ends_with(".sqlite"), "{database}");
    let directory = database.rsplit_once('/').unwrap().0;
    let text = posted.stage.scan(&[&pid, "--redact"]);
    assert!(!text.text().contains(directory) || directory.contains("name"));
    assert!(
        redacted["findings"].to_string().contains(directory),
        "{directory} is not the same in findings: {}",
        redacted["findings"]
    );
}
