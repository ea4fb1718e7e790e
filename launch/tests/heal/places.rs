//! Watched inodes in unusual places.

use super::stage::{ask, directory, heal, keeper, masks, mkfds, needs_root, ready, shared};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

#[test]
fn a_process_in_another_mount_namespace_is_healed_by_the_paths_it_sees() {
    if !needs_root() {
        return;
    }
    let (_dir, path) = shared();
    let script = "mount -t tmpfs none \"$1\" && mkdir \"$1/in\" && exec \"$2\" serve";
    let mount = path.join("mount");
    fs::create_dir(&mount).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]);
    let mut victim = ready(command.arg(&mount).arg(path.join("keeper")));
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} 3ee {}/in", mount.display()));
    assert!(!mount.join("in").exists());
    let drop = heal(victim.pid(), &["--drop", mount.to_str().unwrap()]).good();
    assert!(drop.contains("0x3ee -> 0x0, muted: --drop"), "{drop}");
    heal(victim.pid(), &["--undo"]).good();
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ee, 1)]));
}

#[test]
fn a_process_below_a_chroot_is_healed_by_the_paths_it_sees() {
    if !needs_root() {
        return;
    }
    let (_dir, path) = directory();
    let source = support::root().join("launch/tests/c/keeper.c");
    if let Err(why) = support::compile_c("cc", &source, &path, &["-static"]) {
        return support::skip(&format!("no static C library: {why}"));
    }
    fs::create_dir(path.join("in")).unwrap();
    let mut victim = ready(Command::new("chroot").arg(&path).args(["/keeper", "serve"]));
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} 3ee /in"));
    let said = heal(victim.pid(), &["--drop", "/in"]).good();
    assert!(said.contains("0x3ee -> 0x0, muted: --drop"), "{said}");
}

#[test]
fn a_watch_on_an_overlay_whose_handles_cannot_be_opened_is_healed_by_its_path() {
    if !needs_root() {
        return;
    }
    let (_dir, path) = shared();
    let script = "cd \"$1\" && mkdir b && mount -t tmpfs none b && mkdir b/u b/w b/l b/l/d m && \
        mount -t overlay none -o lowerdir=b/l,upperdir=b/u,workdir=b/w m && exec \"$2\" serve";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]);
    let mut victim = ready(command.arg(&path).arg(path.join("keeper")));
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} 3ee {}/m/d", path.display()));
    heal(victim.pid(), &[]).good();
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ce, 1)]));
}

#[test]
fn a_deleted_directory_that_is_still_watched_is_healed_or_said_not_to_be_found() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["deleted-directory", "--mask", "0x3ee"]);
    let run = heal(victim.pid(), &[]);
    let found = masks(victim.pid()) == BTreeMap::from([(0x3ce, 1)]);
    assert_eq!(run.code, i32::from(!found), "{}", run.out);
    assert_eq!(
        run.out.contains("not changed: 1 watch: "),
        !found,
        "{}",
        run.out
    );
}

#[test]
fn a_hard_link_and_a_renamed_directory_are_still_the_watched_inode() {
    let (_dir, path) = directory();
    let (a, b) = (path.join("a"), path.join("b"));
    fs::create_dir(&a).unwrap();
    fs::write(path.join("f"), "").unwrap();
    fs::hard_link(path.join("f"), path.join("g")).unwrap();
    let mut victim = keeper(&["serve"]);
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} 3ee {}", a.display()));
    ask(
        &mut victim,
        &format!("add {fd} 23 {}", path.join("g").display()),
    );
    fs::rename(&a, &b).unwrap();
    fs::remove_file(path.join("g")).unwrap();
    heal(victim.pid(), &[]).good();
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ce, 1), (0x2, 1)]));
}
