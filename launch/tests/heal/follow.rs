//! `--follow`.

use super::stage::{ask, directory, heal, keeper, masks, watchfix};
use super::undo::record_of;
use std::collections::BTreeMap;
use std::time::Instant;
use support::{DEADLINE, Victim};

fn follow(pid: u32) -> Victim {
    follow_with(pid, &[])
}

fn follow_with(pid: u32, args: &[&str]) -> Victim {
    let mut command = watchfix();
    command
        .args(["heal", "--follow", &pid.to_string()])
        .args(args);
    let mut follower = Victim::spawn(&mut command);
    follower.line_with("following process");
    follower
}

/// Waits until the masks of a process are these. Nothing announces a changed mask.
#[track_caller]
fn wait_for(pid: u32, wanted: &[(u32, usize)]) {
    let start = Instant::now();
    while masks(pid) != BTreeMap::from_iter(wanted.iter().copied()) {
        assert!(start.elapsed() < DEADLINE, "{:x?}", masks(pid));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn watches_and_instances_that_come_later_are_healed_until_the_process_ends() {
    let (_dir, path) = directory();
    let make = |name: &str| {
        std::fs::create_dir(path.join(name)).unwrap();
        path.join(name).display().to_string()
    };
    let mut victim = keeper(&["serve"]);
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} 3ee {}", make("a")));
    let mut follower = follow_with(victim.pid(), &["--log", "stderr"]);
    wait_for(victim.pid(), &[(0x3ce, 1)]);
    ask(&mut victim, &format!("add {fd} 3ee {}", make("b")));
    wait_for(victim.pid(), &[(0x3ce, 2)]);
    let other = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {other} 2a {}", make("c")));
    wait_for(victim.pid(), &[(0x3ce, 2), (0xa, 1)]);
    // It counts a change once it has looked again, and then logs it.
    follower.line_with("mask 0x2a -> 0xa");

    let pid = victim.pid();
    victim.finish();
    let (status, lines) = follower.finish();
    assert_eq!(status.code(), Some(0), "{lines:#?}");
    let last = format!("process {pid} has ended: 3 watches were healed in all");
    assert_eq!(lines.last(), Some(&last));
}

#[test]
fn who_is_asked_to_end_says_what_was_done_and_leaves_the_process_as_it_is() {
    let (_dir, path) = directory();
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let mut victim = keeper(&["serve"]);
        let fd = ask(&mut victim, "new");
        ask(&mut victim, &format!("add {fd} 3ee {}", path.display()));
        let follower = follow(victim.pid());
        follower.signal(signal);
        let (status, lines) = follower.finish();
        assert_eq!(status.code(), Some(0), "{lines:#?}");
        assert!(
            lines
                .last()
                .unwrap()
                .ends_with("followed no longer: 1 watch was healed in all")
        );
        assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ce, 1)]));
    }
}

#[test]
fn an_instance_that_the_process_closes_is_gone_though_it_is_followed() {
    let (_dir, path) = directory();
    let mut victim = keeper(&["serve"]);
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} 3ee {}", path.display()));
    let _follower = follow(victim.pid());
    ask(&mut victim, &format!("close {fd}"));
    // A second instance gets the number; were the first held, it would be healed under its wd.
    assert_eq!(ask(&mut victim, "new"), fd);
    ask(&mut victim, &format!("add {fd} 3ee {}", path.display()));
    wait_for(victim.pid(), &[(0x3ce, 1)]);
}

#[test]
fn the_record_of_a_followed_process_has_the_watches_it_has_and_not_all_it_ever_had() {
    let (_dir, path) = directory();
    let make = |name: &str| {
        std::fs::create_dir(path.join(name)).unwrap();
        path.join(name).display().to_string()
    };
    let mut victim = keeper(&["serve"]);
    let (lasting, passing) = (ask(&mut victim, "new"), ask(&mut victim, "new"));
    ask(
        &mut victim,
        &format!("add {lasting} 3ee {}", make("lasting")),
    );
    let follower = follow(victim.pid());
    wait_for(victim.pid(), &[(0x3ce, 1)]);
    for round in 0..4 {
        let wd = ask(
            &mut victim,
            &format!("add {passing} 3ee {}", make(&round.to_string())),
        );
        wait_for(victim.pid(), &[(0x3ce, 2)]);
        ask(&mut victim, &format!("rm {passing} {wd}"));
        wait_for(victim.pid(), &[(0x3ce, 1)]);
    }
    // The last one is let go of at the next change.
    follower.signal(libc::SIGTERM);
    follower.finish();
    let record = std::fs::read_to_string(record_of(victim.pid()).unwrap()).unwrap();
    assert_eq!(record.lines().count(), 3, "{record}");
    // What is left comes back.
    heal(victim.pid(), &["--undo"]).good();
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ee, 1)]));
}
