//! One inode number, several files: subvolumes of a btrfs, layers of an overlayfs. A path is proved, or it is not given.

use std::path::Path;

use serde_json::Value;

use crate::common::{Fixture, Process, Stage};

/// Starts what `script` ends in, in a mount namespace of its own; `$0` is mkfds, `$1` an empty directory on a tmpfs.
/// With `uid`, `$2` is what begins a command of that user.
fn start(stage: &Stage, dir: &Path, uid: Option<u32>, script: &str) -> Option<Fixture> {
    let mut command = support::in_own_mounts(stage.mkfds_binary(), dir, script)?;
    command.arg(uid.map_or("env".into(), |uid| {
        format!("setpriv --reuid={uid} --regid={uid} --clear-groups")
    }));
    Some(Fixture::start(&mut command))
}

/// A btrfs with the subvolumes a and b, whose directories d0 to d9 have the same numbers, at `$1/a` and `$1/b`.
fn btrfs() -> String {
    support::subvolumes(
        "for d in 0 1 2 3 4 5 6 7 8 9; do mkdir top/$s/d$d; done; chmod -R a+rwX top;",
    )
}

fn look(stage: &Stage, fixture: &Fixture, uid: Option<u32>) -> Process {
    let pid = fixture.pid().to_string();
    let args = [&pid, "--json", "--path-timeout", "60"];
    match uid {
        Some(_) => stage.scan_as_user(&args).process(),
        None => stage.scan(&args).process(),
    }
}

/// Every path that is given is the one that was watched, by its wd; says how many there are.
fn right(process: &Process, watched: &[String]) -> usize {
    let mut given = 0;
    for watch in process.watches() {
        let wd = watch["wd"].as_u64().unwrap() as usize;
        match watch["path"].as_str() {
            Some(path) => {
                assert_eq!(path, watched[wd - 1], "{watch}");
                given += 1;
            }
            None => assert!(watch["unresolved"].is_string(), "{watch}"),
        }
    }
    assert_eq!(process.watches().len(), watched.len());
    given
}

fn ten(above: &Path) -> Vec<String> {
    (0..10)
        .map(|i| above.join(format!("d{i}")).display().to_string())
        .collect()
}

#[test]
fn directories_of_two_subvolumes_with_the_same_numbers_have_their_own_paths() {
    for uid in [None, Some(60401)] {
        let stage = match uid {
            Some(uid) => Stage::unprivileged(uid),
            None => Stage::new(),
        };
        let dir = stage.make("mounts");
        if !support::has_btrfs() {
            return;
        }
        let paths =
            "$1/a/d0 $1/a/d1 $1/a/d2 $1/a/d3 $1/a/d4 $1/a/d5 $1/a/d6 $1/a/d7 $1/a/d8 $1/a/d9";
        let paths = format!("{paths} {}", paths.replace("/a/", "/b/"));
        for above in ["umount -l top", "umount -l a; umount -l b"] {
            let whole = above.contains("umount -l a");
            let (paths, at) = match whole {
                true => (paths.replace("$1/", "$1/top/"), dir.join("top")),
                false => (paths.clone(), dir.clone()),
            };
            let script = format!(
                "{} {above}; cd /; exec $2 \"$0\" watch-these --mask 0x3ce {paths}",
                btrfs()
            );
            let Some(fixture) = start(&stage, &dir, uid, &script) else {
                return;
            };
            let watched = [ten(&at.join("a")), ten(&at.join("b"))].concat();
            let process = look(&stage, &fixture, uid);
            assert_eq!(right(&process, &watched), 20, "{uid:?} {above}");
        }
    }
}

#[test]
fn roots_of_subvolumes_which_all_have_one_number_are_found() {
    let stage = Stage::unprivileged(60402);
    let dir = stage.make("mounts");
    if !support::has_btrfs() {
        return;
    }
    let script = format!(
        "{} umount -l a; umount -l b; cd /; \
         exec $2 \"$0\" watch-these --mask 0x3ce \"$1/top\" \"$1/top/a\" \"$1/top/b\"",
        btrfs()
    );
    let Some(fixture) = start(&stage, &dir, Some(60402), &script) else {
        return;
    };
    let watched = ["top", "top/a", "top/b"].map(|name| dir.join(name).display().to_string());
    let process = look(&stage, &fixture, Some(60402));
    assert_eq!(right(&process, &watched), 3);
}

/// A database in a/d2, and a watch on `watched`.
fn beside_a_database(stage: &Stage, dir: &Path, watched: &str) -> Option<Fixture> {
    let script = format!(
        "{} umount -l top; printf 'SQLite format 3\\0' >a/d2/s.db; truncate -s 4096 a/d2/s.db; : >a/d2/s.db-wal; \
         touch -d '1 hour' a/d2/s.db a/d2/s.db-wal; \
         exec 3<>a/d2/s.db 4<>a/d2/s.db-wal; cd /; exec \"$0\" watch-these --mask 0x3ee \"$1/{watched}\"",
        btrfs()
    );
    start(stage, dir, None, &script)
}

#[test]
fn a_directory_of_another_subvolume_is_not_taken_for_the_databases() {
    let stage = Stage::new();
    let dir = stage.make("mounts");
    if !support::has_btrfs() {
        return;
    }
    let Some(own) = beside_a_database(&stage, &dir, "a/d2") else {
        return;
    };
    look(&stage, &own, None).finding("sqlite-self-watch", "warning");
    drop(own);
    let foreign = beside_a_database(&stage, &dir, "b/d2").unwrap();
    let process = look(&stage, &foreign, None);
    assert_eq!(process.list("sqlite").len(), 1);
    let codes: Vec<_> = process
        .list("findings")
        .iter()
        .map(|f| f["code"].clone())
        .collect();
    assert!(!codes.contains(&"sqlite-self-watch".into()), "{codes:?}");
    assert!(!codes.contains(&"self-watch".into()), "{codes:?}");
}

/// An overlayfs at `$1/m` whose layers lie on two file systems, `lower` and a tmpfs: 300 files and as many directories.
fn overlay(lower: &str) -> String {
    format!(
        "{} cd m; for i in $(seq -w 0 299); do : >f000$i; mkdir d000$i; done; ls -lR >/dev/null; cd /;",
        support::overlay(&format!("{lower};"))
    )
}

fn three_hundred(dir: &Path, kind: &str) -> Vec<String> {
    (0..300)
        .map(|i| dir.join(format!("m/{kind}000{i:03}")).display().to_string())
        .collect()
}

fn is_ambiguous(watch: &Value) -> bool {
    let why = watch["unresolved"].as_str().unwrap_or_default();
    why.contains("may share inode numbers")
}

#[test]
fn where_an_overlay_shares_numbers_a_path_is_right_or_not_given() {
    for uid in [None, Some(60403)] {
        let stage = match uid {
            Some(uid) => Stage::unprivileged(uid),
            None => Stage::new(),
        };
        let dir = stage.make("mounts");
        // A ramfs has no file handles, so the overlay has none that tells anything, as before Linux 6.6.
        for lower in ["mount -t ramfs l l", "mount -t tmpfs l l"] {
            for (kind, state) in [("f", "watch-files"), ("d", "watches")] {
                let script = format!(
                    "{} chmod -R a+rwX \"$1\"; exec $2 \"$0\" {state} --count 300 --mask 0x2 --dir \"$1/m\"",
                    overlay(lower)
                );
                let Some(fixture) = start(&stage, &dir, uid, &script) else {
                    return;
                };
                let process = look(&stage, &fixture, uid);
                let given = right(&process, &three_hundred(&dir, kind));
                let ambiguous = process.watches().iter().filter(|w| is_ambiguous(w)).count();
                assert_eq!(given + ambiguous, 300, "{lower} {kind} {uid:?}");
            }
        }
    }
}

#[test]
fn a_file_that_was_copied_up_to_another_file_system_is_found() {
    let stage = Stage::new();
    let dir = stage.make("mounts");
    // It keeps its number, and is listed with the new one.
    let script = format!(
        "{} chmod 700 m/f; cd /; exec \"$0\" watch-these --mask 0x2 \"$1/m/f\" \"$1/m\"",
        support::overlay("mount -t tmpfs l l; for i in $(seq 50); do : >l/x$i; done; echo x >l/f;")
    );
    let Some(fixture) = start(&stage, &dir, None, &script) else {
        return;
    };
    let watched = ["m/f", "m"].map(|name| dir.join(name).display().to_string());
    let process = look(&stage, &fixture, None);
    let given = right(&process, &watched);
    let ambiguous = process.watches().iter().filter(|w| is_ambiguous(w)).count();
    assert_eq!(given + ambiguous, 2);
}

#[test]
fn where_an_overlay_has_its_layers_on_one_file_system_every_path_is_found() {
    let stage = Stage::new();
    let dir = stage.make("mounts");
    let script = format!(
        "{} exec \"$0\" watch-files --count 300 --mask 0x2 --dir \"$1/m\"",
        overlay("mkdir x").replace("mount -t tmpfs u u; ", "")
    );
    let Some(fixture) = start(&stage, &dir, None, &script) else {
        return;
    };
    let process = look(&stage, &fixture, None);
    assert_eq!(right(&process, &three_hundred(&dir, "f")), 300);
}
