//! The live screen of `fdscan watch` in a real terminal, and every way out of it.

use std::path::PathBuf;
use std::process::Command;

use support::{Terminal, Victim, quoted};

use crate::common::{Stage, fdscan_binary, pid_exists};

/// A shell in a terminal, and a watch in it on a process that has a database open.
struct Watching {
    terminal: Terminal,
    // The fixture's directory, for as long as it runs.
    _stage: Stage,
    fixture: crate::common::Fixture,
}

impl Watching {
    fn start(columns: u16, rows: u16, args: &str) -> Option<Watching> {
        let terminal = Terminal::open(columns, rows)?;
        let stage = Stage::new();
        let dir = stage.make("a-directory-with-a-name-that-is-long-enough-to-be-cut-on-a-screen");
        let fixture = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "3"]);
        let command = format!(
            "{} watch {} {args}; echo status=$?",
            quoted(fdscan_binary()),
            fixture.pid(),
        );
        terminal.type_line(&command);
        let watching = Watching {
            terminal,
            _stage: stage,
            fixture,
        };
        watching
            .terminal
            .until("the screen", |screen| screen.contains("q ends"));
        Some(watching)
    }

    /// The PID of fdscan itself: the shell's only child.
    fn fdscan(&self) -> u32 {
        let screen = fdscan_binary().to_str().unwrap().to_owned();
        let wanted = format!("{screen}\0watch\0{}\0", self.fixture.pid());
        let all = std::fs::read_dir("/proc").unwrap();
        let mut pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let is_it = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.starts_with(wanted.as_bytes())
        };
        pids.find(is_it).expect("fdscan runs in the terminal")
    }

    fn signal(&self, signal: i32) {
        // SAFETY: kill has no memory effects; the shell in the terminal has not reaped it yet.
        unsafe { libc::kill(self.fdscan() as i32, signal) };
    }

    #[track_caller]
    fn must_end_with(&self, status: &str) {
        self.terminal
            .until(status, |screen| screen.lines().any(|line| line == status));
        self.terminal.must_be_restored();
    }
}

/// What stands on a screen that is large enough, after the second reading.
const PARTS: &[&str] = &[
    "mkfds (PID ",
    "now",
    "at most",
    "per second",
    "time left",
    "descriptors",
    "watches",
    "instances",
    "SQLite logs",
    "state",
    "-wal ",
    "pending ",
    "connections 3",
    " free",
    "▁▁",
    "every 0.1 s, q ends",
];

/// Waits until all of it is there, and no line is wider than the window.
#[track_caller]
fn everything(terminal: &Terminal, columns: u16) -> String {
    terminal.until("complete reading", |screen| {
        PARTS.iter().all(|part| screen.contains(part))
            && screen
                .lines()
                .all(|line| line.chars().count() <= columns.into())
    })
}

#[test]
fn the_screen_shows_everything_at_80_and_at_200_columns() {
    for columns in [80, 200] {
        let Some(watching) = Watching::start(columns, 24, "--interval 0.1") else {
            return;
        };
        let screen = everything(&watching.terminal, columns);
        // A path that is too long loses its beginning.
        assert_eq!(screen.contains('…'), columns == 80, "{screen}");
        watching.terminal.must_be_a_screen();
        watching.terminal.press("q");
        watching.must_end_with("status=0");
    }
}

#[test]
fn the_screen_follows_the_size_of_its_window() {
    let Some(watching) = Watching::start(200, 40, "--interval 0.1") else {
        return;
    };
    watching.terminal.resize(80, 24);
    everything(&watching.terminal, 80);
    // Too small for anything, and back.
    watching.terminal.resize(10, 2);
    watching.terminal.resize(100, 30);
    everything(&watching.terminal, 100);
}

#[test]
fn interrupt_and_quit_give_the_terminal_back() {
    for key in ["C-c", "C-\\"] {
        let Some(watching) = Watching::start(80, 24, "--interval 3600") else {
            return;
        };
        watching.terminal.press(key);
        watching.terminal.must_be_restored();
    }
}

#[test]
fn a_signal_from_elsewhere_gives_the_terminal_back() {
    let Some(watching) = Watching::start(80, 24, "--interval 3600") else {
        return;
    };
    let pid = watching.fdscan();
    watching.signal(libc::SIGTERM);
    watching.must_end_with("status=143");
    assert!(!pid_exists(pid));
}

#[test]
fn the_end_of_the_process_gives_the_terminal_back_and_is_said() {
    let Some(mut watching) = Watching::start(80, 24, "--interval 3600") else {
        return;
    };
    watching.fixture.victim.close_stdin();
    watching.must_end_with("status=0");
    let said = format!("fdscan: process {} has ended", watching.fixture.pid());
    assert!(watching.terminal.screen().contains(&said));
}

#[test]
fn stopped_it_leaves_the_terminal_to_the_shell_and_continued_it_draws_again() {
    let Some(watching) = Watching::start(80, 24, "--interval 3600") else {
        return;
    };
    watching.terminal.press("C-z");
    watching
        .terminal
        .until("the shell", |screen| screen.contains("Stopped"));
    watching.terminal.must_be_restored();
    watching.terminal.type_line("fg");
    watching
        .terminal
        .until("the screen", |screen| screen.contains("q ends"));
    watching.terminal.must_be_a_screen();
    watching.terminal.press("q");
    watching.terminal.must_be_restored();
}

#[test]
fn a_command_gets_the_terminal_as_it_was() {
    let args =
        "--interval 0.05 --until 'fds > 0' --exec 'stty -a | grep -c -- \"-icanon\"; exit 5'";
    let Some(terminal) = Terminal::open(80, 24) else {
        return;
    };
    let fixture: Victim = Victim::spawn(&mut Command::new("cat"));
    let fdscan: PathBuf = fdscan_binary().into();
    terminal.type_line(&format!(
        "{} watch {} {args}; echo status=$?",
        quoted(&fdscan),
        fixture.pid()
    ));
    let screen = terminal.until("the status", |screen| {
        screen.lines().any(|line| line == "status=5")
    });
    assert!(screen.lines().any(|line| line == "0"), "{screen}");
    terminal.must_be_restored();
}
