//! Who may heal what, and the message when it is refused.

use super::stage::{
    Run, as_user, ask, directory, heal, heal_as, masks, mkfds, needs_root, ready, records_of,
    shared, watchfix,
};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::process::Command;
use support::Victim;

const USER: u32 = 61_301;
const OTHER: u32 = 61_302;

#[test]
fn a_user_heals_a_process_of_the_same_user_without_waking_it() {
    if !needs_root() {
        return;
    }
    let (_dir, path) = shared();
    let mut victim = ready(as_user(USER, &path.join("keeper")).arg("serve"));
    // A tree in which every listing would be reported: it is healed from above, level by level.
    let mut deep = path.join("tree");
    let fd = ask(&mut victim, "new");
    for _ in 0..6 {
        DirBuilder::new().mode(0o755).create(&deep).unwrap();
        chown(&deep, Some(USER), None).unwrap();
        deep.push("sub");
    }
    let mut place = path.join("tree");
    for _ in 0..6 {
        ask(&mut victim, &format!("add {fd} 3ee {}", place.display()));
        place.push("sub");
    }
    let run = heal_as(USER, &path, victim.pid(), &[]);
    let said = run.good();
    assert!(
        said.starts_with("healed 6 of 6 watches, 0x3ee -> 0x3ce, in "),
        "{said}"
    );
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ce, 6)]));
    assert_eq!(ask(&mut victim, &format!("waiting {fd}")), 0);
    assert_eq!(
        fs::metadata(records_of(USER)).unwrap().permissions().mode() & 0o777,
        0o700
    );
    fs::remove_dir_all(records_of(USER)).unwrap();
}

#[test]
fn a_directory_that_somebody_else_made_first_keeps_nobody_from_healing() {
    const LATE: u32 = 61_303;
    if !needs_root() {
        return;
    }
    let (_dir, path) = shared();
    let mut victim = ready(as_user(LATE, &path.join("keeper")).arg("serve"));
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} 3ee {}", path.display()));
    let taken = records_of(LATE);
    // Of a run that was ended.
    let _ = fs::remove_dir(&taken);
    DirBuilder::new().mode(0o700).create(&taken).unwrap();
    chown(&taken, Some(OTHER), None).unwrap();
    let refused = heal_as(LATE, &path, victim.pid(), &[]);
    let own = path.join("own");
    DirBuilder::new().mode(0o700).create(&own).unwrap();
    chown(&own, Some(LATE), None).unwrap();
    let mut command = as_user(LATE, &path.join("watchfix"));
    command.env("XDG_RUNTIME_DIR", &own);
    let run = command.args(["heal", &victim.pid().to_string()]).output();
    fs::remove_dir(taken).unwrap();
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("XDG_RUNTIME_DIR"), "{}", refused.err);
    let said = Run::of(run.unwrap()).good();
    assert!(said.starts_with("healed 1 of 1 watch"), "{said}");
}

#[test]
fn another_users_process_needs_that_user_or_root() {
    if !needs_root() {
        return;
    }
    let (_dir, path) = shared();
    let victim = ready(as_user(USER, &path.join("keeper")).arg("serve"));
    let run = heal_as(OTHER, &path, victim.pid(), &[]);
    assert_eq!(run.code, 4);
    let pid = victim.pid();
    let wanted = format!(
        "watchfix: process {pid} belongs to user {USER}: run watchfix as that user, or as root (sudo {} heal {pid})\n",
        path.join("watchfix").display()
    );
    assert_eq!(run.err, wanted);
}

#[test]
fn a_process_that_is_not_dumpable_needs_the_capability() {
    if !needs_root() {
        return;
    }
    let (_dir, path) = shared();
    let mut victim = ready(as_user(USER, &path.join("keeper")).arg("serve"));
    ask(&mut victim, "undumpable");
    let run = heal_as(USER, &path, victim.pid(), &[]);
    assert_eq!(run.code, 4);
    assert!(run.err.contains("is not dumpable"), "{}", run.err);
    let sudo = format!("sudo {} heal", path.join("watchfix").display());
    assert!(run.err.contains(&sudo), "{}", run.err);
}

#[test]
fn root_without_the_capability_is_told_which_one() {
    if !needs_root() {
        return;
    }
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", "1", "--mask", "0x3ee"]);
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]);
    command.arg(env!("CARGO_BIN_EXE_watchfix"));
    let run = Run::of(
        command
            .args(["heal", &victim.pid().to_string()])
            .output()
            .unwrap(),
    );
    assert_eq!(run.code, 4);
    assert!(run.err.contains("root needs CAP_SYS_PTRACE"), "{}", run.err);
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ee, 1)]));
}

#[test]
fn a_watched_directory_that_may_not_be_read_is_listed_with_the_reason() {
    // A user who heals in no other test: the records are removed at the end.
    const USER: u32 = 61_304;
    if !needs_root() {
        return;
    }
    let (_dir, path) = shared();
    let mut victim = ready(as_user(USER, &path.join("keeper")).arg("serve"));
    let fd = ask(&mut victim, "new");
    let secret = path.join("secret");
    fs::create_dir(&secret).unwrap();
    ask(&mut victim, &format!("add {fd} 3ee {}", secret.display()));
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o700)).unwrap();
    let run = heal_as(USER, &path, victim.pid(), &[]);
    assert_eq!(run.code, 1, "{}", run.out);
    assert!(
        run.out.starts_with("healed 0 of 1 watch in "),
        "{}",
        run.out
    );
    assert!(
        run.out
            .contains("not changed: 1 watch: this user may not read it"),
        "{}",
        run.out
    );
    assert_eq!(heal(victim.pid(), &[]).code, 0, "root may");
    let _ = fs::remove_dir_all(records_of(USER));
}

#[test]
fn what_is_not_a_process_has_status_3_and_what_is_not_a_pid_has_status_2() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    let run = heal(pid, &[]);
    assert_eq!(run.code, 3);
    assert_eq!(run.err, format!("watchfix: there is no process {pid}\n"));
    for wrong in [
        &["heal"][..],
        &["heal", "0"],
        &["heal", "1", "--undo", "--follow"],
    ] {
        let output = watchfix().args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

/// Each user has a record, and each record says what the mask was before that user came.
#[test]
fn what_two_users_healed_or_paused_is_undone_in_any_order() {
    if !needs_root() {
        return;
    }
    const FIRST: u32 = 61_305;
    let (_dir, path) = shared();
    let mut victim = ready(as_user(FIRST, &path.join("keeper")).arg("serve"));
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} 3ee {}", path.display()));
    let pid = victim.pid();
    let by_user = |args: &[&str]| heal_as(FIRST, &path, pid, args);
    let too_early = |status| {
        let undone = by_user(&["--undo"]);
        assert_eq!(undone.code, status, "{}", undone.out);
        assert!(
            undone.out.contains("undo this one again after"),
            "{}",
            undone.out
        );
    };
    by_user(&[]).good();
    heal(pid, &["--strip", "+attrib"]).good();
    too_early(0);
    heal(pid, &["--undo"]).good();
    let mut pause = watchfix();
    pause.args(["pause", "--quiet", "--pid", &pid.to_string()]);
    pause
        .arg(&path)
        .args(["--", "sh", "-c", "echo BEGUN; exec cat"]);
    let mut pause = Victim::spawn(&mut pause);
    pause.line_with("BEGUN");
    too_early(1);
    assert!(pause.finish().0.success());
    by_user(&["--undo"]).good();
    assert_eq!(masks(pid), BTreeMap::from([(0x3ee, 1)]));
    let _ = fs::remove_dir_all(records_of(FIRST));
}
