//! Paths on what is mounted: other namespaces, overlays, bind mounts, chroots, btrfs.

use std::path::Path;
use std::process::Command;

use crate::common::{Fixture, Process, Scan, Stage, fdscan_binary, forget_names, inode, is_root};

/// Three directories, and no opens in the mask: they may be found by listing.
const WATCHES: &str = "watches --count 3 --mask 0x3ce --dir";
const MADE: [&str; 3] = ["d000000", "d000001", "d000002"];

/// Runs `script` in a mount namespace of its own, with `$0` mkfds and `$1` an empty directory.
fn in_own_mounts(stage: &Stage, dir: &Path, script: &str) -> Option<Fixture> {
    support::in_own_mounts(stage.mkfds_binary(), dir, script)
        .map(|mut command| Fixture::start(&mut command))
}

fn look(stage: &Stage, fixture: &Fixture) -> Process {
    let pid = fixture.pid().to_string();
    stage
        .scan(&[&pid, "--json", "--path-timeout", "60"])
        .process()
}

/// What all paths have below `dir`, in order.
fn names_below(process: &Process, dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = process
        .watches()
        .iter()
        .map(|watch| {
            let path = watch["path"].as_str().unwrap_or_else(|| panic!("{watch}"));
            let below = Path::new(path).strip_prefix(dir);
            below
                .unwrap_or_else(|_| panic!("{watch}"))
                .display()
                .to_string()
        })
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn paths_of_another_mount_namespace_are_those_the_process_sees() {
    let stage = Stage::new();
    let dir = stage.make("private");
    // The test sees an empty directory here.
    let script = format!("cd /; exec \"$0\" {WATCHES} \"$1\"");
    let Some(fixture) = in_own_mounts(&stage, &dir, &script) else {
        return;
    };
    assert_eq!(names_below(&look(&stage, &fixture), &dir), MADE);
}

#[test]
fn directories_of_an_overlayfs_are_found_through_the_namespace_of_the_process() {
    let stage = Stage::new();
    let dir = stage.make("mounts");
    // d000000 comes from below, the others are made above.
    let script = format!(
        "mkdir -p l/d000000 u w m; mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m; \
         cd /; exec \"$0\" {WATCHES} \"$1/m\""
    );
    let Some(fixture) = in_own_mounts(&stage, &dir, &script) else {
        return;
    };
    assert_eq!(names_below(&look(&stage, &fixture), &dir.join("m")), MADE);
    if forget_names() {
        assert_eq!(names_below(&look(&stage, &fixture), &dir.join("m")), MADE);
    } else {
        support::skip_optional("the kernel's caches cannot be dropped here");
    }
}

#[test]
fn a_bind_mount_has_a_path_the_process_can_use() {
    let stage = Stage::new();
    let dir = stage.make("mounts");
    // The bind mount is all that is left of its file system.
    let script = format!(
        "mkdir -p a/b bound; mount -t tmpfs x a; mkdir a/b; mount --bind a/b bound; umount -l a; \
         cd /; exec \"$0\" {WATCHES} \"$1/bound\""
    );
    let Some(fixture) = in_own_mounts(&stage, &dir, &script) else {
        return;
    };
    let process = look(&stage, &fixture);
    assert_eq!(names_below(&process, &dir.join("bound")), MADE);
}

#[test]
fn directories_of_a_btrfs_and_its_subvolumes_are_found() {
    let stage = Stage::new();
    let dir = stage.make("mounts");
    let image = dir.join("image");
    if !support::has_btrfs() {
        return;
    }
    // The smallest file system mkfs.btrfs makes is 109 MiB; the image is sparse.
    let script = format!(
        "truncate -s 128M \"{image}\"; mkfs.btrfs -q \"{image}\"; mkdir m; mount -o loop \"{image}\" m; \
         btrfs -q subvolume create m/sub; cd /; exec \"$0\" {WATCHES} \"$1/m/sub\"",
        image = image.display()
    );
    // In a namespace of its own, so that it is unmounted, and the loop device freed, when the process ends.
    let Some(fixture) = in_own_mounts(&stage, &dir, &script) else {
        return;
    };
    let sub = dir.join("m/sub");
    assert_eq!(names_below(&look(&stage, &fixture), &sub), MADE);
    if forget_names() {
        assert_eq!(names_below(&look(&stage, &fixture), &sub), MADE);
    }
}

/// mkfds with all it needs in `jail`, below a chroot to it.
fn in_jail(stage: &Stage, jail: &Path, user: Option<u32>) -> Option<Fixture> {
    let script = format!(
        "set -e; cd \"$1\"; cp \"$0\" mkfds; ldd \"$0\" | grep -o '/[^ ]*' | xargs cp --parents -Lt .; \
         exec chroot $2 . /mkfds {WATCHES} /w"
    );
    if !is_root() {
        support::skip("chroot(2) needs root");
        return None;
    }
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    command.arg(stage.mkfds_binary()).arg(jail);
    command.arg(user.map_or("--".into(), |uid| format!("--userspec={uid}:{uid}")));
    Some(Fixture::start(&mut command))
}

#[test]
fn below_a_chroot_that_is_not_a_mount_paths_are_those_the_process_sees() {
    let stage = Stage::new();
    let jail = stage.make("jail");
    std::fs::create_dir(jail.join("w")).unwrap();
    let Some(fixture) = in_jail(&stage, &jail, None) else {
        return;
    };
    let process = look(&stage, &fixture);
    assert_eq!(names_below(&process, Path::new("/w")), MADE);
    for watch in process.watches() {
        let path = watch["path"].as_str().unwrap().trim_start_matches('/');
        assert_eq!(inode(&jail.join(path)), watch["inode"]);
    }
}

#[test]
fn fdscan_finds_paths_below_the_same_chroot_too() {
    let stage = Stage::new();
    let jail = stage.make("jail");
    // No line of mountinfo is about the root here, neither the process's nor fdscan's own.
    let script = format!(
        "cd /; umount \"$1\"; cd \"$1\"; mkdir w proc; cp \"$0\" mkfds; cp {fdscan} fdscan; \
         ldd mkfds fdscan | grep -o '/[^ ]*' | grep -v ':$' | sort -u | xargs cp --parents -Lt .; \
         mount -t proc proc proc; exec chroot . /mkfds {WATCHES} /w",
        fdscan = fdscan_binary().display()
    );
    let Some(fixture) = in_own_mounts(&stage, &jail, &script) else {
        return;
    };
    let pid = fixture.pid();
    let mut command = Command::new("nsenter");
    command.args([
        format!("--mount=/proc/{pid}/ns/mnt"),
        format!("--root=/proc/{pid}/root"),
    ]);
    command.args([
        "--",
        "/fdscan",
        &pid.to_string(),
        "--json",
        "--path-timeout",
        "60",
    ]);
    let process = Scan::run(&mut command).process();
    assert_eq!(names_below(&process, Path::new("/w")), MADE);
    let incomplete = process.0["incomplete"].to_string();
    assert!(!incomplete.contains("paths"), "{incomplete}");
    // The temporary directory lies on a disk or in memory.
    assert!(!incomplete.contains("user-space"), "{incomplete}");
}

#[test]
fn below_a_chroot_the_user_of_the_process_sees_its_paths_too() {
    let stage = Stage::unprivileged(60311);
    let jail = stage.make("jail");
    let watched = jail.join("w");
    std::fs::create_dir(&watched).unwrap();
    if is_root() {
        std::os::unix::fs::chown(&watched, Some(60311), Some(60311)).unwrap();
    }
    let Some(fixture) = in_jail(&stage, &jail, Some(60311)) else {
        return;
    };
    let pid = fixture.pid().to_string();
    let scan = stage.scan_as_user(&[&pid, "--json", "--path-timeout", "60"]);
    assert_eq!(names_below(&scan.process(), Path::new("/w")), MADE);
}
