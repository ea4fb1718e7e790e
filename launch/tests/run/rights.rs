//! A supervisor with more rights than the program does not lend it any.

use super::given::{Dir, NOBODY, compiled, output, probe, run};
use super::reads::{Reader, reader};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

#[test]
fn a_program_that_gives_up_root_gains_no_watch_it_could_not_place_itself() {
    if !support::is_root() {
        return support::skip("there are no rights to lend");
    }
    let dir = Dir::new();
    let nobody = NOBODY.to_string();
    for (name, mode) in [
        ("", 0o755),
        ("roots", 0o700),
        ("open", 0o755),
        ("groups", 0o750),
        ("roots/in", 0o755),
    ] {
        let path = dir.path(name);
        let _ = fs::create_dir(&path);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    // Of a group that is given up as well.
    chown(dir.path("groups"), Some(0), Some(0)).unwrap();
    chown(dir.path("open"), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = run(&["--log", &dir.path("log")]);
    command.arg(probe()).args(["user", &nobody]);
    for name in ["roots", "roots/in", "groups", "open"] {
        command.args(["add", &dir.path(name), "0x3ee"]);
    }
    let text = output(&mut command);
    let results: Vec<_> = text
        .lines()
        .map(|line| line.split(": ").nth(1).unwrap())
        .collect();
    assert_eq!(results[..3], ["Permission denied"; 3], "{text}");
    assert!(results[3].starts_with("wd 1 "), "{text}");
    // It gave its memory free for nobody; what the kernel has stands in the log.
    let said = fs::read_to_string(dir.path("log")).unwrap();
    assert!(
        said.contains(&format!("\"{}\"): mask 0x3ee -> 0x3ce", dir.path("open"))),
        "{said}"
    );
}

#[test]
fn a_supervisor_of_root_without_capabilities_or_in_a_user_namespace_lends_no_rights() {
    if !support::is_root() {
        return support::skip("there are no rights to lend");
    }
    let dir = Dir::new();
    fs::set_permissions(dir.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let closed = dir.path("closed");
    fs::create_dir(&closed).unwrap();
    chown(&closed, Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let own = dir.path("own");
    fs::create_dir(&own).unwrap();
    for through in [
        &["setpriv", "--bounding-set=-all", "--inh-caps=-all"][..],
        &["unshare", "-U"],
        &["unshare", "-Ur"],
    ] {
        let bare = std::process::Command::new(through[0])
            .args(&through[1..])
            .arg("true")
            .status();
        if !bare.is_ok_and(|status| status.success()) {
            support::skip(&format!("{through:?} does not work here"));
            continue;
        }
        let mut command = run(&["--strip", "+attrib"]);
        command
            .args(through)
            .arg(probe())
            .args(["add", &closed, "0x3ee", "add", &own, "0x3ee"]);
        let text = output(&mut command);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0],
            format!("{closed}: Permission denied"),
            "{through:?}"
        );
        assert!(lines[1].ends_with("wd 1 mask 0x3ca"), "{through:?}: {text}");
    }
}

#[test]
fn a_directory_replaced_by_a_link_while_it_settles_gives_no_right_to_the_target() {
    if !support::is_root() {
        return support::skip("there are no rights to lend");
    }
    let dir = Dir::new();
    fs::set_permissions(dir.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let (open, secret) = (dir.path("open"), dir.path("secret"));
    fs::create_dir(&open).unwrap();
    chown(&open, Some(NOBODY), Some(NOBODY)).unwrap();
    fs::create_dir(&secret).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o700)).unwrap();
    let swap = compiled("swap.c", "swap", "cc", &["-static", "-pthread"]).unwrap();
    for flags in [&[][..], &["--strip", "none", "--ignore", "none"]] {
        let own = format!("{open}/{}", flags.len());
        fs::create_dir(&own).unwrap();
        chown(&own, Some(NOBODY), Some(NOBODY)).unwrap();
        let mut command = run(flags);
        command.arg(&swap).args([&own, &secret]);
        let text = output(command.args([&NOBODY.to_string(), "500"]));
        assert_eq!(text, "500 settled, 0 strange\n");
    }
}

#[test]
fn a_program_that_gives_up_root_has_its_reads_judged_and_its_instances_counted_as_its_own() {
    if !support::is_root() {
        return support::skip("there is no root to give up");
    }
    // Another user each time: its instances are counted.
    let user = 61_000 + std::process::id() % 1_000;
    let start = |run: &mut std::process::Command| {
        let mut reader = Reader::start(run);
        fs::set_permissions(reader.path(""), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(reader.says(&format!("user {user}")), "user 0");
        reader
    };
    let instances = |reader: &mut Reader| {
        let made = |reader: &mut Reader| reader.says("init 800") != "init -1";
        (0..1024).take_while(|_| made(reader)).count()
    };
    let bare = instances(&mut start(&mut super::given::without_rules(reader())));
    let mut reader = start(run(&[]).arg(reader()));
    reader.watch("800", "2");
    reader.write("edit");
    reader.write("x.sqlite");
    assert_eq!(reader.hears(), "2 edit");
    assert_eq!(instances(&mut reader) + 1, bare);
}

#[test]
fn root_may_watch_the_files_of_others() {
    if !support::is_root() {
        return support::skip("there are no rights to lend");
    }
    let dir = Dir::new();
    chown(dir.path(""), Some(NOBODY), Some(NOBODY)).unwrap();
    let text = output(run(&[]).arg(probe()).args(["add", &dir.path(""), "0x3ee"]));
    assert!(text.ends_with("mask 0x3ce\n"), "{text}");
}
