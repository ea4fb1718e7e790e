//! Watches that are settled for a while, and what becomes of them meanwhile.

use super::given::{children, watchfix};
use super::reads::{Reader, program};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use support::{Victim, append, wait_until};

/// A watch that is settled for the first time has its mask back after two seconds.
const LONGER: Duration = Duration::from_secs(3);

/// A reader whose watch, which asks for MODIFY alone, is settled.
fn settled() -> Reader {
    let mut reader = Reader::watching(&[], "2");
    settle(&mut reader);
    reader
}

fn settle(reader: &mut Reader) {
    let log = reader.path("log.sqlite-wal").to_str().unwrap().to_owned();
    wait_until("its watch settles", || {
        reader.says(&format!("flood {log} 2000"));
        mask(reader) == 0x8
    });
}

fn mask(reader: &Reader) -> u32 {
    support::watches(program(reader))[0].mask
}

/// A process that has written to a file, and closes it when it is sent a line.
fn writer(file: &Path) -> Victim {
    let script = r#"exec 3>>"$1"; echo x >&3; echo written; read line; exec 3>&-; echo closed"#;
    let mut shell = Command::new("sh");
    let mut writer = Victim::spawn(shell.args(["-c", script, "sh"]).arg(file));
    writer.line_with("written");
    writer
}

#[test]
fn a_write_is_reported_though_its_watch_was_placed_again_before_the_file_was_closed() {
    // Its mask alone, and what is added to it: MODIFY, and ATTRIB, by which it stays settled.
    for again in ["2", "20000002", "20000004"] {
        let mut reader = settled();
        let edit = reader.path("edit");
        let mut writer = writer(&edit);
        assert_eq!(reader.says("read 4096"), "read EAGAIN");
        let path = reader.dir.path("");
        assert_eq!(reader.says(&format!("add {path} {again}")), "add 1");
        writer.send("");
        writer.line_with("closed");
        assert_eq!(reader.hears(), "2 edit", "{again}");
    }
}

#[test]
fn who_asks_for_writes_no_more_hears_of_none() {
    let mut reader = settled();
    let mut writer = writer(&reader.path("edit"));
    let path = reader.dir.path("");
    assert_eq!(reader.says(&format!("add {path} 108")), "add 1");
    writer.send("");
    writer.line_with("closed");
    assert_eq!(reader.hears(), "8 edit");
    let since = Instant::now();
    while since.elapsed() < LONGER {
        assert_eq!(mask(&reader), 0x108);
    }
}

/// What `heal` has made of a settled watch's mask stays.
#[test]
fn a_mask_that_another_program_has_changed_is_left_alone() {
    let mut reader = settled();
    let dir = fs::canonicalize(reader.path("")).unwrap();
    let mut heal = watchfix();
    heal.args(["heal", "--drop"])
        .arg(&dir)
        .arg(program(&reader).to_string());
    let _heal = Victim::spawn(&mut heal);
    wait_until("its mask is another one", || mask(&reader) & 0xfff == 0);
    let since = Instant::now();
    while since.elapsed() < LONGER {
        assert_eq!(mask(&reader) & 0xfff, 0);
    }
    append(&reader.path("edit"), "x");
    assert_eq!(reader.says("read 4096"), "read EAGAIN");
    assert!(!children(reader.victim.pid()).is_empty());
}
