//! Instances and watches: all of them, with the right numbers, and the findings that follow from masks.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;

use support::Victim;

use crate::common::{Process, Stage, file_system, inode, json_path, shorten, while_reading};

/// The only instance of a process.
fn instance(process: &Process) -> &Value {
    let all = process.list("inotify");
    assert_eq!(all.len(), 1, "{}", shorten(&process.0));
    &all[0]
}

fn watches(instance: &Value) -> &[Value] {
    instance["watches"].as_array().unwrap()
}

/// Inode and mask by wd, as fdscan has them.
fn by_wd(instance: &Value) -> BTreeMap<u64, (u64, String)> {
    watches(instance)
        .iter()
        .map(|w| {
            (
                w["wd"].as_u64().unwrap(),
                (
                    w["inode"].as_u64().unwrap(),
                    w["mask"].as_str().unwrap().to_owned(),
                ),
            )
        })
        .collect()
}

/// What mkfds watched below `dir`, in its order: wd 1 is the first one.
fn made(dir: &Path, letter: char, count: usize, masks: &[&str]) -> BTreeMap<u64, (u64, String)> {
    (0..count)
        .map(|i| {
            let path = dir.join(format!("{letter}{i:06}"));
            (
                i as u64 + 1,
                (inode(&path), masks[i % masks.len()].to_owned()),
            )
        })
        .collect()
}

#[test]
fn every_one_of_5299_watches_is_there_with_its_wd_inode_and_mask() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "5299"]);
    let process = stage.look(&fixture);
    let instance = instance(&process);
    assert_eq!(instance["fd"], fixture.number("fd"));
    assert_eq!(instance["watch_count"], 5299);
    assert_eq!(instance["masks"].as_array().unwrap().len(), 1);
    assert_eq!(instance["masks"][0]["mask"], "0x3ee");
    // The kernel prints a wd in hex: read as decimal, "a" to "f" would lose most of them.
    assert!(by_wd(instance) == made(&dir, 'd', 5299, &["0x3ee"]));
}

#[test]
fn a_wd_is_hexadecimal_around_every_digit_more() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "259"]);
    assert_eq!(fixture.number("last_wd"), 259);
    let process = stage.look(&fixture);
    let seen: Vec<u64> = by_wd(instance(&process)).into_keys().collect();
    // 9, 10, 15, 16, 255, 256 among them.
    assert_eq!(seen, (1..=259).collect::<Vec<_>>());
}

#[test]
fn a_process_without_watches_has_no_instance_and_no_finding() {
    let stage = Stage::unprivileged(60101);
    let fixture = stage.mkfds(&["idle"]);
    let process = stage.look_as_user(&fixture);
    assert!(process.list("inotify").is_empty());
    assert!(process.list("sqlite").is_empty());
    assert!(process.codes().is_empty(), "{:?}", process.codes());
}

#[test]
fn an_instance_without_watches_is_shown() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["instances", "--count", "1"]);
    let process = stage.look(&fixture);
    assert_eq!(instance(&process)["watch_count"], 0);
    assert_eq!(instance(&process)["fd"], fixture.number("fd"));
}

#[test]
fn masks_are_rolled_up_and_each_watch_keeps_its_own() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(
        &dir,
        &[
            "watches", "--count", "100", "--mask", "0x3ee", "--mask", "0x3c8", "--mask", "0x3ee",
            "--mask", "0x800",
        ],
    );
    let process = stage.look(&fixture);
    let instance = instance(&process);
    assert!(by_wd(instance) == made(&dir, 'd', 100, &["0x3ee", "0x3c8", "0x3ee", "0x800"]));
    let mut masks: Vec<(&str, u64)> = instance["masks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["mask"].as_str().unwrap(), m["watches"].as_u64().unwrap()))
        .collect();
    masks.sort_unstable();
    assert_eq!(masks, [("0x3c8", 25), ("0x3ee", 50), ("0x800", 25)]);
}

#[test]
fn bits_that_are_not_events_stay_in_the_mask() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    // IN_EXCL_UNLINK | IN_ONESHOT: fdinfo shows them since Linux 5.19, the mask before without them.
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "1", "--mask", "0x84000002"]);
    let fdinfo = format!("/proc/{}/fdinfo/{}", fixture.pid(), fixture.fact("fd"));
    let fdinfo = std::fs::read_to_string(fdinfo).unwrap();
    let mask = fdinfo
        .split_whitespace()
        .find_map(|word| word.strip_prefix("mask:"))
        .unwrap();
    let process = stage.look(&fixture);
    assert_eq!(watches(instance(&process))[0]["mask"], format!("0x{mask}"));
}

#[test]
fn watches_on_regular_files_have_the_files_inodes() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watch-files", "--count", "300"]);
    let process = stage.look(&fixture);
    assert!(by_wd(instance(&process)) == made(&dir, 'f', 300, &["0x3ee"]));
}

#[test]
fn a_watch_names_the_device_of_its_file_system() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    // btrfs and overlayfs give stat(2) another device than their superblock's.
    let kind = file_system(&dir);
    if !["ext2/ext3", "tmpfs", "xfs"].contains(&kind.as_str()) {
        return support::skip_optional(&format!("on {kind} st_dev is not the superblock's device"));
    }
    let fixture = stage.mkfds_in(&dir, &["dup"]);
    let dev = std::fs::metadata(&dir).unwrap().dev();
    let process = stage.look(&fixture);
    let watch = &watches(&process.list("inotify")[0])[0];
    assert_eq!(
        watch["device"],
        format!("{}:{}", libc::major(dev), libc::minor(dev))
    );
}

#[test]
fn several_instances_are_kept_apart() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["instances", "--count", "3", "--watches", "20"]);
    let process = stage.look(&fixture);
    let mut fds: Vec<u64> = process
        .list("inotify")
        .iter()
        .map(|i| i["fd"].as_u64().unwrap())
        .collect();
    fds.sort_unstable();
    let made_fds = fixture.numbers("fd");
    assert_eq!(fds, made_fds);
    for instance in process.list("inotify") {
        assert!(by_wd(instance) == made(&dir, 'd', 20, &["0x3c8"]));
        assert!(instance.get("same_instance_as").is_none_or(Value::is_null));
    }
}

#[test]
fn an_instance_at_two_descriptors_is_told_as_one() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["dup"]);
    let fds = fixture.numbers("fd");
    // Both as root and as the victim's own user: kcmp(2) needs ptrace access, no more.
    let process = stage.look(&fixture);
    let all = process.list("inotify");
    assert_eq!(all.len(), 2);
    let of = |fd: u64| all.iter().find(|i| i["fd"] == fd).unwrap();
    assert!(
        of(fds[0])
            .get("same_instance_as")
            .is_none_or(Value::is_null)
    );
    assert_eq!(of(fds[1])["same_instance_as"], fds[0]);
}

#[test]
fn watches_of_a_thread_with_descriptors_of_its_own_are_seen() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watching-thread", "--of", "own-table"]);
    let process = stage.look(&fixture);
    let all = process.list("inotify");
    // The instance of the main thread, of which the other one has a copy, is told once.
    let counts: Vec<_> = all
        .iter()
        .map(|i| i["watch_count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [1, 8]);
    assert!(all[0].get("thread").is_none());
    let thread = all[1]["thread"].as_u64().unwrap();
    assert_ne!(thread, u64::from(fixture.pid()));
    assert!(Path::new(&format!("/proc/{}/task/{thread}", fixture.pid())).exists());
    process.finding("watch-wakes-on-read", "info");
}

#[test]
fn the_events_of_reading_are_named_with_their_masks_and_counts() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(
        &dir,
        &[
            "watches", "--count", "9", "--mask", "0x3ee", "--mask", "0x3ce", "--mask", "0x1",
        ],
    );
    let process = stage.look(&fixture);
    let finding = process.finding("watch-wakes-on-read", "info");
    let mut masks: Vec<(&str, u64)> = finding["evidence"]["masks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| {
            assert!(m["events"].is_array());
            (m["mask"].as_str().unwrap(), m["watches"].as_u64().unwrap())
        })
        .collect();
    masks.sort_unstable();
    // 0x3ce has nothing of open, access and close_nowrite.
    assert_eq!(masks, [("0x1", 3), ("0x3ee", 3)]);
    assert!(finding["remedy"].as_str().unwrap().contains("watchfix"));
}

#[test]
fn who_is_being_woken_by_reads_is_warned_of_and_first() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "3"]);
    let watched = dir.join("d000001");
    let pid = fixture.pid().to_string();
    for args in [&[&pid, "--json"][..], &[&pid, "--json", "--for", "0.5"]] {
        let idle = stage.scan(args).process();
        let note = &idle.finding("watch-wakes-on-read", "info")["evidence"];
        assert_eq!(note["heard"]["events"], 0, "{args:?}");
        assert_eq!(
            (&note["heard"]["inodes"], &note["heard"]["of_inodes"]),
            (&3.into(), &3.into())
        );
        let woken = while_reading(&watched, || stage.scan(args)).process();
        let finding = woken.finding("watch-wakes-on-read", "warning");
        assert!(
            finding["evidence"]["heard"]["events"].as_u64() > Some(0),
            "{args:?}"
        );
        assert_eq!(woken.codes()[0], "watch-wakes-on-read");
    }
}

#[test]
fn looking_for_a_while_is_not_counted_as_a_read() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    // fdscan looks into the database, and would into the directory.
    let fixture = stage.mkfds_in(&dir, &["sqlite-self-watch", "--mask", "0x30"]);
    let pid = fixture.pid().to_string();
    let process = stage.scan(&[&pid, "--json", "--for", "0.3"]).process();
    let finding = process.finding("watch-wakes-on-read", "warning");
    assert_eq!(finding["evidence"]["heard"]["events"], 0);
    assert_eq!(
        finding["evidence"]["own_output"],
        json_path(&fixture.path("database"))
    );
}

#[test]
fn each_event_of_reading_alone_is_enough() {
    let stage = Stage::new();
    for mask in ["0x1", "0x10", "0x20"] {
        let dir = stage.make(mask);
        let fixture = stage.mkfds_in(&dir, &["watches", "--count", "1", "--mask", mask]);
        let process = stage.look(&fixture);
        let finding = process.finding("watch-wakes-on-read", "info");
        assert_eq!(finding["evidence"]["masks"][0]["mask"], mask);
    }
}

#[test]
fn a_mask_without_events_of_reading_wakes_nobody_by_reading() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    // Everything but open, access and close_nowrite.
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "9", "--mask", "0xfce"]);
    stage.look(&fixture).must_not_raise("watch-wakes-on-read");
}

#[test]
fn attrib_in_a_mask_is_a_note() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "9", "--mask", "0x3ce"]);
    let process = stage.look(&fixture);
    process.finding("watch-wakes-on-attrib", "info");
    process.must_not_raise("watch-wakes-on-read");
}

#[test]
fn a_mask_without_attrib_has_no_note() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    // Everything but attrib.
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "9", "--mask", "0xffb"]);
    stage.look(&fixture).must_not_raise("watch-wakes-on-attrib");
}

#[test]
fn a_log_written_in_a_watched_directory_is_a_self_watch() {
    let stage = Stage::new();
    let dir = stage.make("logs");
    let fixture = stage.mkfds_in(&dir, &["self-watch"]);
    let process = stage.look(&fixture);
    process.finding("self-watch", "warning");
    process.must_not_raise("sqlite-self-watch");
}

#[test]
fn a_watch_on_the_log_itself_is_a_self_watch() {
    let stage = Stage::new();
    let dir = stage.make("logs");
    let fixture = stage.mkfds_in(&dir, &["self-watch", "--on", "file"]);
    stage.look(&fixture).finding("self-watch", "warning");
}

#[test]
fn a_file_open_for_reading_is_not_a_self_watch() {
    let stage = Stage::new();
    let dir = stage.make("logs");
    let fixture = stage.mkfds_in(&dir, &["self-watch", "--read-only"]);
    stage.look(&fixture).must_not_raise("self-watch");
}

#[test]
fn a_log_below_the_watched_directory_is_not_a_self_watch() {
    let stage = Stage::new();
    let dir = stage.make("logs");
    // inotify reports entries of the directory, not of directories below it.
    let fixture = stage.mkfds_in(&dir, &["self-watch", "--elsewhere"]);
    stage.look(&fixture).must_not_raise("self-watch");
}

#[test]
fn a_mask_without_modify_is_not_a_self_watch() {
    let stage = Stage::new();
    let dir = stage.make("logs");
    let fixture = stage.mkfds_in(&dir, &["self-watch", "--mask", "0x3c8"]);
    stage.look(&fixture).must_not_raise("self-watch");
}

#[test]
fn a_parent_is_told_which_of_its_children_is_woken() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let mkfds = stage.mkfds_binary().to_str().unwrap();
    // A shell that has more to do stays the parent.
    let script = format!("{mkfds} dup --mask 0x20 --dir \"$1\"; true");
    let mut command = stage.command(Path::new("sh"));
    command.args(["-c", &script, "sh"]).arg(&dir);
    let mut shell = Victim::spawn(&mut command);
    let child: u32 = shell.line_with("PID ")[4..].parse().unwrap();
    shell.line_with("READY");
    let pid = shell.pid().to_string();
    let look = || stage.scan(&[&pid, "--json"]).process();
    look().must_not_raise("child-loops");
    let process = while_reading(&dir, look);
    let finding = process.finding("child-loops", "warning");
    assert_eq!(finding["evidence"]["pid"], child);
    assert_eq!(finding["evidence"]["finding"], "watch-wakes-on-read");
    assert!(
        finding["remedy_live"]
            .as_str()
            .unwrap()
            .ends_with(&child.to_string())
    );
    // Whoever asks about the parent is told, by whichever command.
    let checked = while_reading(&dir, || stage.scan(&["check", &pid, "--json"]));
    assert_eq!(checked.code(), 1, "{}", checked.text());
    let found = checked.json()["findings"][0].clone();
    assert_eq!(
        (&found["code"], &found["process"]["pid"]),
        (&"child-loops".into(), &shell.pid().into())
    );
    let report = while_reading(&dir, || stage.scan(&["report", &pid, "--for", "0.2"]));
    assert!(report.text().contains("child-loops"), "{}", report.text());
}
