//! What heal says is what the kernel shows, wherever the watches are; what cannot be proved is left alone.

use super::stage::{
    Run, ask, directory, heal, heal_as, masks, mkfds, needs_root, ready, records_of, shared,
    watchfix,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use support::Victim;

/// keeper in a mount namespace of its own, after `script`, whose `$1` is an empty directory.
fn keeper_after(path: &Path, script: &str) -> Option<Victim> {
    let script = format!("{script} cd /; exec \"$0\" serve");
    support::in_own_mounts(super::stage::keeper_binary(), path, &script)
        .map(|mut command| ready(&mut command))
}

#[test]
fn a_directory_settles_for_a_database_in_it_and_not_for_one_in_another_subvolume() {
    if !support::has_btrfs() {
        return;
    }
    let (_dir, path) = directory();
    let script = format!(
        "{} umount -l top; printf 'SQLite format 3\\0' >a/d/s.db; truncate -s 4096 a/d/s.db; : >a/d/s.db-wal; \
         exec 3<>a/d/s.db 4<>a/d/s.db-wal;",
        support::subvolumes("mkdir top/$s/d;")
    );
    let Some(mut victim) = keeper_after(&path, &script) else {
        return;
    };
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} 3ee {}/a/d", path.display()));
    ask(&mut victim, &format!("add {fd} 3ee {}/b/d", path.display()));
    heal(victim.pid(), &[]).good();
    let by_wd: BTreeMap<u32, u32> = support::watches(victim.pid())
        .iter()
        .map(|w| (w.wd, w.mask))
        .collect();
    assert_eq!(by_wd, BTreeMap::from([(1, 0x3cc), (2, 0x3ce)]));
}

/// Files and directories of an overlayfs that share their numbers: on a ramfs below no handle tells them apart.
fn keeper_on_an_overlay(path: &Path) -> Option<Victim> {
    let script = format!(
        "{} cd m; for i in $(seq 100); do : >f$i; mkdir d$i; done; ls -lR >/dev/null;",
        support::overlay("mount -t ramfs l l;")
    );
    keeper_after(path, &script)
}

/// An instance of keeper's with watches on the hundred inodes whose paths begin with `prefix`.
fn watch_hundred(keeper: &mut Victim, prefix: &Path) -> i32 {
    let fd = ask(keeper, "new");
    for i in 1..=100 {
        ask(keeper, &format!("add {fd} 3ee {}{i}", prefix.display()));
    }
    fd
}

/// Fails if a watch was placed beside the hundred and taken away: the next one would not be the 101st.
#[track_caller]
fn no_other_watch_was_placed(keeper: &mut Victim, fd: i32, path: &Path) {
    assert_eq!(ask(keeper, &format!("waiting {fd}")), 0);
    assert_eq!(
        ask(keeper, &format!("add {fd} 3ee {}", path.display())),
        101
    );
}

#[test]
fn directories_that_only_the_kernel_can_tell_are_healed_where_it_confirms_them() {
    let (_dir, path) = directory();
    let Some(mut victim) = keeper_on_an_overlay(&path) else {
        return;
    };
    let fd = watch_hundred(&mut victim, &path.join("m/d"));
    let dry = heal(victim.pid(), &["--dry-run"]).good();
    assert!(dry.starts_with("would heal 100 of 100 watches "), "{dry}");
    let said = heal(victim.pid(), &[]).good();
    assert!(said.starts_with("healed 100 of 100 watches,"), "{said}");
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ce, 100)]));
    no_other_watch_was_placed(&mut victim, fd, &path);
}

#[test]
fn what_cannot_be_proved_is_left_alone_and_counted_as_the_kernel_shows_it() {
    let (_dir, path) = directory();
    let Some(mut victim) = keeper_on_an_overlay(&path) else {
        return;
    };
    let fd = watch_hundred(&mut victim, &path.join("m/f"));
    let run = heal(victim.pid(), &[]);
    assert_eq!(run.code, 1, "{}", run.out);
    let now = masks(victim.pid());
    let healed = now.get(&0x3ce).copied().unwrap_or(0);
    assert_eq!(now.values().sum::<usize>(), 100, "{now:?}");
    assert_eq!(
        healed + now.get(&0x3ee).copied().unwrap_or(0),
        100,
        "{now:?}"
    );
    assert!(
        run.out
            .starts_with(&format!("healed {healed} of 100 watches")),
        "{}",
        run.out
    );
    assert!(run.out.contains("may share inode numbers"), "{}", run.out);
    // Though there are directories with the numbers of files.
    no_other_watch_was_placed(&mut victim, fd, &path);
}

#[test]
fn the_watches_of_a_thread_are_healed_where_the_main_thread_has_ended_or_has_other_descriptors() {
    for (of, others) in [("own-table", 1), ("no-main", 0)] {
        let (_dir, path) = directory();
        let victim = mkfds(&path, &["watching-thread", "--of", of]);
        let dry = heal(victim.pid(), &["--dry-run"]);
        assert!(
            dry.good()
                .starts_with(&format!("would heal 8 of {} watches", 8 + others))
        );
        let run = heal(victim.pid(), &[]);
        if run.code != 0 {
            // Before Linux 6.9.
            let said = format!("{}{}", run.out, run.err);
            assert!(said.contains("before Linux 6.9"), "{said}");
            continue;
        }
        assert!(run.out.starts_with("healed "), "{}", run.out);
        assert_eq!(of_all_threads(victim.pid(), 0x3ce), 8, "{of}");
    }
}

/// How many watches with this mask the descriptors of all threads show.
fn of_all_threads(pid: u32, mask: u32) -> usize {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let most = threads.flatten().map(|thread| {
        let infos = std::fs::read_dir(thread.path().join("fdinfo"));
        let texts = infos.into_iter().flatten().flatten();
        let text: String = texts
            .filter_map(|info| std::fs::read_to_string(info.path()).ok())
            .collect();
        text.matches(&format!(" mask:{mask:x} ")).count()
    });
    most.max().unwrap()
}

/// watchfix with a filter that answers a call with an errno.
fn watchfix_without(call: libc::c_long, flags: Option<u32>, errno: i32, args: &[&str]) -> Run {
    use std::os::unix::process::CommandExt;
    let mut command = watchfix();
    command.args(args);
    let step = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let load = |at| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at, 0, 0);
    let is = |k, jf| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k, 0, jf);
    let answer = |k| step(libc::BPF_RET | libc::BPF_K, k, 0, 0);
    let refuse = libc::SECCOMP_RET_ERRNO | errno as u32;
    // struct seccomp_data: the number, then the arguments from byte 16 on; the second one is at 24.
    let mut filter = match flags {
        None => vec![load(0), is(call as u32, 1), answer(refuse)],
        Some(flags) => vec![
            load(0),
            is(call as u32, 3),
            load(24),
            is(flags, 1),
            answer(refuse),
        ],
    };
    filter.push(answer(libc::SECCOMP_RET_ALLOW));
    // SAFETY: the closure makes two system calls and touches no memory but the filter.
    unsafe {
        command.pre_exec(move || {
            let program = libc::sock_fprog {
                len: filter.len() as u16,
                filter: filter.as_mut_ptr(),
            };
            let set = libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(
                    libc::PR_SET_SECCOMP,
                    libc::SECCOMP_MODE_FILTER,
                    &raw const program,
                ) == 0;
            set.then_some(()).ok_or_else(std::io::Error::last_os_error)
        });
    }
    Run::of(command.output().unwrap())
}

#[test]
fn before_linux_6_9_it_is_said_why_a_process_without_main_thread_is_not_healed() {
    let (_dir, path) = directory();
    // PIDFD_THREAD, which older kernels do not know.
    let heal = |pid: u32| {
        let pid = pid.to_string();
        let thread = Some(libc::O_EXCL as u32);
        watchfix_without(libc::SYS_pidfd_open, thread, libc::EINVAL, &["heal", &pid])
    };
    let victim = mkfds(&path, &["watching-thread", "--of", "no-main"]);
    let run = heal(victim.pid());
    assert_eq!(run.code, 4, "{}{}", run.out, run.err);
    assert!(
        run.err
            .contains("its main thread has ended, and before Linux 6.9"),
        "{}",
        run.err
    );
    let victim = mkfds(&path, &["watching-thread", "--of", "own-table"]);
    let run = heal(victim.pid());
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(
        run.out
            .contains("which has descriptors of its own: before Linux 6.9"),
        "{}",
        run.out
    );
}

#[test]
fn several_numbers_of_one_instance_are_one_where_kcmp_is_refused() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["dup", "--mask", "0x3ee"]);
    let pid = victim.pid().to_string();
    let dry = watchfix_without(
        libc::SYS_kcmp,
        None,
        libc::EPERM,
        &["heal", "--dry-run", &pid],
    );
    assert!(dry.good().starts_with("would heal 1 of 1 watch "));
    let run = watchfix_without(libc::SYS_kcmp, None, libc::EPERM, &["heal", &pid]);
    assert!(
        run.out.starts_with("healed 1 of 1 watch,"),
        "{}{}",
        run.out,
        run.err
    );
}

#[test]
fn a_dry_run_as_a_user_says_what_healing_then_does() {
    if !needs_root() {
        return;
    }
    const USER: u32 = 61_311;
    let (_dir, path) = shared();
    let mount = path.join("mount");
    std::fs::create_dir(&mount).unwrap();
    // On a file system of its own: a search for it must not wake what other tests watch.
    let script = "set -e; mount -t tmpfs -o mode=755,uid=$3 t \"$1\"; at=$1/tree; \
        for i in $(seq 20); do mkdir \"$at\"; chown $3 \"$at\"; at=$at/sub; done; \
        exec setpriv --reuid=$3 --regid=$3 --clear-groups \"$2\" serve";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]);
    command
        .arg(&mount)
        .arg(path.join("keeper"))
        .arg(USER.to_string());
    let mut victim = ready(&mut command);
    let fd = ask(&mut victim, "new");
    let mut place = mount.join("tree");
    for _ in 0..20 {
        ask(&mut victim, &format!("add {fd} 3ee {}", place.display()));
        place.push("sub");
    }
    let as_user = |args: &[&str]| heal_as(USER, &path, victim.pid(), args);
    let dry = as_user(&["--dry-run"]).good();
    assert!(dry.starts_with("would heal 20 of 20 watches "), "{dry}");
    assert!(dry.contains("level by level"), "{dry}");
    // With opens left in the masks, healing cannot list them either.
    let noisy = as_user(&["--dry-run", "--strip", "attrib"]);
    let healed = as_user(&["--strip", "attrib"]);
    assert_eq!(
        (noisy.code, healed.code),
        (1, 1),
        "{} {}",
        noisy.out,
        healed.out
    );
    let count = |text: &str| text.split(' ').find_map(|word| word.parse::<usize>().ok());
    assert_eq!(
        count(&noisy.out),
        count(&healed.out),
        "{} {}",
        noisy.out,
        healed.out
    );
    assert!(as_user(&[]).good().starts_with("healed 20 of 20 watches"));
    let _ = std::fs::remove_dir_all(records_of(USER));
}

#[test]
fn a_dry_run_asks_for_no_descriptor_of_the_process() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", "3", "--mask", "0x3ee"]);
    let pid = victim.pid().to_string();
    let dry = watchfix_without(
        libc::SYS_pidfd_getfd,
        None,
        libc::EPERM,
        &["heal", "--dry-run", &pid],
    );
    assert!(dry.good().starts_with("would heal 3 of 3 watches "));
}
