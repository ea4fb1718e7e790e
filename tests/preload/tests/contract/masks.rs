//! What the kernel is asked for.

use preload::Probe;

use crate::*;

fn placed(variables: &[(&str, &str)], mask: u32) -> u32 {
    let dir = dir();
    let mut probe = Probe::shimmed(variables);
    let fd = probe.init();
    assert_eq!(probe.add(fd, mask, dir.path()), 1);
    probe.masks(fd)[&1]
}

#[test]
fn the_mask_of_incident_one_loses_open() {
    assert_eq!(placed(&[], 0x3ee), 0x3ce);
}

#[test]
fn nothing_is_asked_for_that_the_program_did_not_ask_for() {
    assert_eq!(placed(&[], 0xfc6), 0xfc6);
    assert_eq!(placed(&[], 0xfff), 0xfce);
    assert_eq!(placed(&[], IN_ATTRIB), IN_ATTRIB);
}

#[test]
fn attrib_is_the_bit_itself_as_the_classic_shim_strips_it() {
    assert_eq!(placed(&[("WATCHFIX_STRIP", "+attrib")], 0x3ee), 0x3ca);
}

#[test]
fn a_strip_of_one_s_own_replaces_the_default() {
    assert_eq!(placed(&[("WATCHFIX_STRIP", "open,modify")], 0xfff), 0xfdd);
    assert_eq!(placed(&[("WATCHFIX_STRIP", "none")], 0xfff), 0xfff);
    assert_eq!(placed(&[("WATCHFIX_STRIP", "+delete")], 0x3ee), 0x1ce);
}

#[test]
fn a_mask_of_which_nothing_is_left_is_placed_and_never_fires() {
    let dir = dir();
    let file = dir.path().join("f");
    write(&file, "x");
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    probe.add(fd, IN_OPEN, dir.path());
    look_at(&file);
    write(&file, "y");
    assert_eq!(probe.number(&format!("ready {fd}")), 0);
}

#[test]
fn the_masks_of_watches_made_by_syscall_are_stripped_as_well() {
    let dir = dir();
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.number("syscall-init");
    let path = dir.path().display();
    assert_eq!(probe.number(&format!("syscall-add {fd} 0x3ee {path}")), 1);
    assert_eq!(probe.masks(fd)[&1], 0x3ce);
}

#[test]
fn both_init_functions_make_an_instance() {
    let mut probe = Probe::shimmed(&[]);
    let first = probe.number("init0");
    assert_eq!(probe.number("init 0"), first + 1);
}

/// The flags of a call mean to the kernel what they mean without the library, errno included.
#[test]
fn flags_and_errors_are_the_kernel_s() {
    let dir = dir();
    let path = dir.path();
    let file = path.join("f");
    write(&file, "x");
    std::os::unix::fs::symlink(&file, path.join("link")).unwrap();
    let (dir, file) = (path.display(), file.display());
    let calls = [
        format!("add 3 {:#x} {file}", IN_MODIFY | libc::IN_ONLYDIR),
        format!("add 3 {:#x} {dir}/none", IN_MODIFY),
        format!("add 3 0 {dir}"),
        format!("add 3 {:#x} {dir}", libc::IN_ONLYDIR),
        format!("add 3 0x100000 {dir}"),
        format!("add 99 {:#x} {dir}", IN_MODIFY),
        format!("add 0 {:#x} {dir}", IN_MODIFY),
        "add-null 3".to_owned(),
        "add-bad 3 0x2 -1".to_owned(),
        "add-bad 3 0xfff 0x5000".to_owned(),
        "add-bad 3 0x4 0".to_owned(),
        format!("add 3 {:#x} {dir}", IN_MODIFY | libc::IN_MASK_CREATE),
        format!("add 3 {:#x} {dir}", IN_CREATE | libc::IN_MASK_CREATE),
        format!("add 3 {:#x} {dir}", IN_CREATE | libc::IN_MASK_ADD),
        format!("add 3 {:#x} {dir}/link", IN_MODIFY | libc::IN_DONT_FOLLOW),
        format!("add 3 {:#x} {dir}/link", IN_MODIFY),
        "rm 3 1".to_owned(),
        "rm 3 1".to_owned(),
        "read 3 15".to_owned(),
        "read 99 4096".to_owned(),
        "init 0x7".to_owned(),
        "syscall-none".to_owned(),
    ];
    let all = |mut probe: Probe| {
        assert_eq!(probe.init(), 3);
        let outcomes: Vec<_> = calls.iter().map(|c| (c, probe.ask(c).1)).collect();
        (outcomes, probe.masks(3))
    };
    assert_eq!(all(Probe::shimmed(&[])), all(Probe::bare()));
}

#[test]
fn a_one_shot_watch_is_not_used_up_by_an_event_the_caller_never_sees() {
    let dir = dir();
    let file = dir.path().join("f");
    write(&file, "x");
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    probe.add(fd, IN_ATTRIB | libc::IN_ONESHOT, dir.path());
    touch(&file);
    let events = probe.events(fd);
    assert_eq!(events[0], (IN_ATTRIB, "f".to_owned()));
    assert_eq!(events[1].0, libc::IN_IGNORED);
}

#[test]
fn the_first_watch_has_number_one_but_for_qt() {
    let dir = dir();
    let file = dir.path().join("f");
    write(&file, "x");
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    assert_eq!(probe.add(fd, 0xfff, dir.path()), 1);
    // Qt looks a wd up as itself and negated, and the filler's is -1.
    for (mask, path) in [(0x7c4, dir.path()), (0xcc6, &file)] {
        let qt = probe.init();
        assert_eq!(probe.add(qt, mask, path), 2);
        assert_eq!(probe.add(qt, mask, std::path::Path::new("/")), 3);
    }
}

/// Programs with windows have many descriptors before they watch anything.
#[test]
fn qt_is_known_by_any_descriptor() {
    let dir = dir();
    let mut probe = Probe::shimmed(&[]);
    let fds: Vec<_> = (0..70).map(|_| probe.number("dup 0")).collect();
    let qt = probe.init();
    assert!(qt > 64 && fds.len() == 70);
    assert_eq!(probe.add(qt, 0x7c4, dir.path()), 2);
}

/// `watchfix run` has its filter let pass what the library judged. The kernel reports these bits and
/// ignores them in a mask that is asked for.
#[test]
fn the_mark_of_a_judged_mask_changes_nothing() {
    let dir = dir();
    let file = dir.path().join("f");
    write(&file, "x");
    let all = |variables: &[(&str, &str)]| {
        let mut probe = Probe::shimmed(variables);
        let mut seen = Vec::new();
        // What the rules change, what they do not, what is muted, and what the kernel refuses.
        for mask in [0x3ee, IN_CREATE, IN_OPEN, libc::IN_ONLYDIR, 0] {
            let fd = probe.init();
            seen.push(probe.ask(&format!("add {fd} {mask:#x} {}", dir.path().display())));
            touch(&file);
            seen.push(probe.ask(&format!("masks {fd}")));
            seen.push(probe.ask(&format!("read {fd} 4096 read")));
        }
        seen
    };
    assert_eq!(all(&[("WATCHFIX_RUN", "1")]), all(&[]));
}

#[test]
fn every_judged_mask_is_marked_under_run_and_only_there() {
    let dir = dir();
    let spy = preload::program("handed", "cc", &["-shared", "-fPIC"]).unwrap();
    let list = [support::libwatchfix(), &spy].map(|p| p.to_str().unwrap());
    let handed = |variables: &[(&str, &str)], mask: u32| {
        let mut command = std::process::Command::new(preload::probe_program());
        command.env("LD_PRELOAD", list.join(":"));
        command.envs(variables.iter().copied());
        let mut probe = Probe::start(&mut command);
        let fd = probe.init();
        let (lines, _) = probe.ask(&format!("add {fd} {mask:#x} {}", dir.path().display()));
        lines.concat()
    };
    let run = ("WATCHFIX_RUN", "1");
    assert_eq!(handed(&[run], 0x3ee), "0xc3ce");
    assert_eq!(handed(&[run], IN_CREATE), "0xc100");
    assert_eq!(handed(&[run], IN_OPEN), "0xe000");
    // Not judged: the errno is the kernel's, and off is off.
    assert_eq!(handed(&[run], 0), "0x0");
    assert_eq!(handed(&[run, ("WATCHFIX_OFF", "1")], 0x3ee), "0x3ee");
    assert_eq!(handed(&[("WATCHFIX_RUN", "0")], 0x3ee), "0x3ce");
    assert_eq!(handed(&[], IN_CREATE), "0x100");
}
