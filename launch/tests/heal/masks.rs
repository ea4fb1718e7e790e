//! What becomes of the masks.

use super::stage::{ask, directory, heal, keeper, masks, mkfds, ready};
use std::collections::BTreeMap;
use std::process::Command;
use support::{Watch, watches};

/// Watches without their masks: what healing must not change.
fn places(pid: u32) -> Vec<(i32, u32, u64)> {
    let place = |w: Watch| (w.fd, w.wd, w.inode);
    watches(pid).into_iter().map(place).collect()
}

#[test]
fn every_mask_is_reduced_under_the_wd_it_has() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", "5299", "--mask", "0x3ee"]);
    let before = places(victim.pid());
    let said = heal(victim.pid(), &[]).good();
    let wanted = "healed 5,299 of 5,299 watches, 0x3ee -> 0x3ce, in ";
    assert!(said.starts_with(wanted), "{said}");
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ce, 5299)]));
    assert_eq!(places(victim.pid()), before);

    let again = heal(victim.pid(), &[]).good();
    assert!(
        again.starts_with("nothing to heal: 5,299 watches"),
        "{again}"
    );
}

#[test]
fn attribute_changes_stay_and_who_asks_for_chmod_is_told() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", "2", "--mask", "0x3ee"]);
    let told = "chmod: masks cannot tell it from touch, so attrib stays where it is; ";
    for flags in [&["--dry-run"][..], &["--strip", "+modify"], &[]] {
        let said = heal(victim.pid(), flags).good();
        assert!(!said.contains("chmod"), "{said}");
    }
    let said = heal(victim.pid(), &["--strip", "open,chmod"]).good();
    assert_eq!(said.matches(told).count(), 1, "{said}");
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3cc, 2)]));
    heal(victim.pid(), &["--strip", "+attrib"]).good();
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3c8, 2)]));
}

#[test]
fn masks_that_differ_are_told_apart() {
    let (_dir, path) = directory();
    let args = [
        "watches", "--count", "9", "--mask", "0x3ee", "--mask", "0xfff", "--mask", "0x3c8",
    ];
    let victim = mkfds(&path, &args);
    let said = heal(victim.pid(), &["--strip", "open"]).good();
    assert!(said.starts_with("healed 9 of 9 watches in "), "{said}");
    assert!(said.contains(" 3  0x3ee -> 0x3ce\n"), "{said}");
    assert!(said.contains(" 3  0xfff -> 0xfdf\n"), "{said}");
    let wanted = BTreeMap::from([(0x3ce, 3), (0xfdf, 3), (0x3c8, 3)]);
    assert_eq!(masks(victim.pid()), wanted);
}

#[test]
fn one_shot_watches_and_those_without_unlinked_files_stay_so() {
    let (_dir, path) = directory();
    let args = [
        "watches",
        "--count",
        "2",
        "--mask",
        "0x80000fff",
        "--mask",
        "0x04000fff",
    ];
    let victim = mkfds(&path, &args);
    if masks(victim.pid()).contains_key(&0xfff) {
        return support::skip("fdinfo shows IN_ONESHOT and IN_EXCL_UNLINK since Linux 5.19");
    }
    heal(victim.pid(), &[]).good();
    let wanted = BTreeMap::from([(0x8000_0fce, 1), (0x0400_0fce, 1)]);
    assert_eq!(masks(victim.pid()), wanted);
}

#[test]
fn a_mask_of_which_nothing_is_left_never_fires_and_needs_no_more_healing() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", "2", "--mask", "0x20"]);
    heal(victim.pid(), &[]).good();
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0, 2)]));
    let again = heal(victim.pid(), &[]).good();
    assert!(again.starts_with("nothing to heal"), "{again}");
}

#[test]
fn who_asks_for_reads_alone_is_told_before_and_after_that_nothing_is_left() {
    let (_dir, path) = directory();
    let args = [
        "watches", "--count", "3", "--mask", "0x20", "--mask", "0x3ee", "--mask", "0x10",
    ];
    let victim = mkfds(&path, &args);
    let pid = victim.pid();
    for (flags, verb) in [
        (&["--dry-run"][..], "would hear nothing"),
        (&[], "hear nothing now"),
    ] {
        let json = [flags, &["--json"]].concat();
        // The document of the dry run; healing is told once.
        if !flags.is_empty() {
            let document: serde_json::Value =
                serde_json::from_str(&heal(pid, &json).good()).unwrap();
            let changes = document["processes"][0]["changes"].as_array().unwrap();
            let silent: Vec<_> = changes.iter().map(|c| &c["hears_nothing"]).collect();
            assert_eq!(silent, [true, false, true], "{document}");
        }
        let said = heal(pid, flags).good();
        let line = format!(" and 1 more) ask for nothing but close_nowrite or open, and {verb}.");
        assert!(
            said.contains(&format!("2 watches ({}/d00000", path.display())),
            "{said}"
        );
        assert!(said.contains(&line), "{said}");
        assert!(said.contains("--strip none"), "{said}");
    }
    let undone = heal(pid, &["--undo"]).good();
    assert!(!undone.contains("nothing but"), "{undone}");
    let kept = heal(pid, &["--strip", "none"]).good();
    assert!(!kept.contains("nothing but"), "{kept}");
    let wanted = BTreeMap::from([(0x10, 1), (0x20, 1), (0x3ee, 1)]);
    assert_eq!(masks(pid), wanted);
}

#[test]
fn an_instance_at_several_descriptors_is_healed_once_and_every_instance_is() {
    let (_dir, path) = directory();
    let args = [
        "instances",
        "--count",
        "5",
        "--watches",
        "4",
        "--mask",
        "0x3ee",
        "--dup",
        "--fork",
    ];
    let victim = mkfds(&path, &args);
    let said = heal(victim.pid(), &[]).good();
    assert!(said.starts_with("healed 20 of 20 watches, "), "{said}");
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ce, 40)]));
}

#[test]
fn a_directory_in_which_the_process_holds_a_database_open_is_settled() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["sqlite-self-watch", "--mask", "0xfee"]);
    let said = heal(victim.pid(), &[]).good();
    let wanted = "healed 1 of 1 watch, 0xfee -> 0xfcc, settled, in ";
    assert!(said.starts_with(wanted), "{said}");
    let line = format!(
        "settled {}: a file there is reported when it is closed",
        path.display()
    );
    assert!(said.contains(&line), "{said}");
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0xfcc, 1)]));
}

#[test]
fn with_settle_none_it_is_only_stripped() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["sqlite-self-watch", "--mask", "0xfee"]);
    let said = heal(victim.pid(), &["--settle", "none"]).good();
    assert!(said.contains("0xfee -> 0xfce, in "), "{said}");
}

#[test]
fn a_watch_on_the_database_itself_or_its_log_is_muted() {
    let (_dir, path) = directory();
    let victim = mkfds(
        &path,
        &["sqlite-self-watch", "--mask", "0xfee", "--on", "wal"],
    );
    let said = heal(victim.pid(), &[]).good();
    assert!(
        said.contains("0xfee -> 0xc00, muted: on an ignored file"),
        "{said}"
    );
}

#[test]
fn an_ignored_name_mutes_a_file_and_not_a_directory() {
    let (_dir, path) = directory();
    let (file, dir) = (path.join("a.sqlite"), path.join("b.sqlite"));
    std::fs::write(&file, "").unwrap();
    std::fs::create_dir(&dir).unwrap();
    let mut victim = keeper(&["serve"]);
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} c02 {}", file.display()));
    ask(&mut victim, &format!("add {fd} 22 {}", dir.display()));
    let said = heal(victim.pid(), &[]).good();
    assert!(
        said.contains("0xc02 -> 0xc00, muted: on an ignored file"),
        "{said}"
    );
    assert!(said.contains("0x22 -> 0x2\n"), "{said}");
}

#[test]
fn dropped_directories_are_muted_with_everything_below_and_settled_ones_settle() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", "3", "--mask", "0x3ee"]);
    let (one, two) = (path.join("d000000"), path.join("d000001"));
    let args = [
        "--drop",
        one.to_str().unwrap(),
        "--settle",
        two.to_str().unwrap(),
    ];
    heal(victim.pid(), &args).good();
    let wanted = BTreeMap::from([(0, 1), (0x3cc, 1), (0x3ce, 1)]);
    assert_eq!(masks(victim.pid()), wanted);
}

#[test]
fn watches_beyond_the_budget_are_muted_oldest_first() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", "5", "--mask", "0x3ee"]);
    heal(victim.pid(), &["--max-watches", "2"]).good();
    for watch in watches(victim.pid()) {
        let wanted = if watch.wd <= 2 { 0x3ce } else { 0 };
        assert_eq!(watch.mask, wanted, "{watch:?}");
    }
}

#[test]
fn a_dry_run_shows_where_and_why_and_changes_nothing() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", "40", "--mask", "0x3ee"]);
    let said = heal(victim.pid(), &["--dry-run"]).good();
    assert!(
        said.starts_with("would heal 40 of 40 watches of process "),
        "{said}"
    );
    let row = format!("      40  {}\n", path.display());
    assert!(
        said.contains("40 watches, 0x3ee -> 0x3ce\n") && said.ends_with(&row),
        "{said}"
    );
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ee, 40)]));
    assert_eq!(heal(victim.pid(), &["--undo"]).code, 1);
}

#[test]
fn every_change_is_logged_with_its_path() {
    let (_dir, path) = directory();
    let log = path.join("log");
    let victim = mkfds(&path, &["watches", "--count", "2", "--mask", "0x3ee"]);
    let pid = victim.pid();
    heal(pid, &["--log", log.to_str().unwrap()]).good();
    let text = std::fs::read_to_string(&log).unwrap();
    let line = format!(
        "watchfix[{pid}]: fd 3, wd 1, {}/d000000: mask 0x3ee -> 0x3ce\n",
        path.display()
    );
    assert!(text.starts_with(&line), "{text}");
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn a_rule_that_cannot_be_read_is_an_error_before_anything_is_changed() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", "1", "--mask", "0x3ee"]);
    for args in [
        ["--strip", "opne"],
        ["--drop", "rel"],
        ["--log", "/no/such/dir/log"],
    ] {
        let run = heal(victim.pid(), &args);
        assert_eq!(run.code, 2, "{args:?}");
        assert!(
            run.err.starts_with(&format!("watchfix: {}: ", args[0])),
            "{}",
            run.err
        );
    }
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ee, 1)]));
}

#[test]
fn a_process_without_watches_has_nothing_to_heal() {
    let victim = keeper(&["serve"]);
    let said = heal(victim.pid(), &[]).good();
    assert!(said.contains("has no inotify watches"), "{said}");
}

#[test]
fn of_a_process_that_watches_nothing_the_child_that_does_is_named() {
    let (_dir, path) = directory();
    let mut shell = Command::new("sh");
    // What runs in the background has no standard input else.
    shell.args(["-c", "exec 3<&0; \"$@\" <&3 & wait", "sh"]);
    shell.arg(support::binary("mkfds", "mkfds"));
    shell
        .args(["watches", "--count", "1", "--mask", "0x3ee", "--dir"])
        .arg(&path);
    let shell = ready(&mut shell);
    let said = heal(shell.pid(), &[]).good();
    let command = said.rsplit(": ").next().unwrap().trim();
    let child = command.strip_prefix("watchfix heal ").unwrap();
    assert!(
        said.contains(&format!("mkfds (PID {child}), which it has started, has: ")),
        "{said}"
    );
    assert!(
        heal(child.parse().unwrap(), &[])
            .good()
            .starts_with("healed 1 of 1")
    );
}
