use super::*;
use crate::findings::fixture::Fixture;
use crate::model::{Copies, Heal, Linkage, Login, Program, Restart};
use std::collections::BTreeMap;

impl Remedies {
    /// For tests of findings.
    pub fn sample() -> Remedies {
        Remedies::of(system())
    }
}

/// A machine where everything but sudo is installed, and the user of [`Fixture`]'s process pastes.
pub fn system() -> LocalSystem {
    let program = |path: &str| Program {
        path: path.into(),
        in_path: true,
    };
    LocalSystem {
        person: 1000,
        sudo: false,
        runuser: true,
        su: true,
        setpriv: true,
        logins: BTreeMap::from([
            login(0, "root", "/root"),
            login(1000, "me", "/home/me"),
            login(1001, "you", "/home/you"),
        ]),
        sqlite3: true,
        watchfix: Some(program("/usr/bin/watchfix")),
        fdscan: Some(program("/usr/bin/fdscan")),
        library: Some("/opt/it's/libwatchfix.so".into()),
        copies: Copies::Allowed,
        supervisors: true,
        judges_reads: true,
        root_may_trace: true,
        ptrace_scope: None,
    }
}

fn login(uid: u32, name: &str, home: &str) -> (u32, Login) {
    let login = Login {
        name: name.into(),
        home: home.into(),
    };
    (uid, login)
}

fn remedies() -> Remedies {
    Remedies::sample()
}

fn dynamic() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.process.linkage = Some(Linkage::Dynamic);
    fixture
}

#[test]
fn a_dynamic_program_is_started_with_the_preload_and_its_real_command_line() {
    let mut fixture = dynamic();
    fixture.process.cmdline = Some(vec!["apx".into(), "dev".into(), "a b".into()]);
    fixture.process.preload.requested = Some(vec!["/usr/lib/other.so".into()]);
    assert_eq!(
        remedies()
            .start(&fixture.process, &Restart::default())
            .unwrap(),
        r"LD_PRELOAD='/opt/it'\''s/libwatchfix.so:/usr/lib/other.so' apx dev 'a b'"
    );
}

#[test]
fn a_static_program_is_started_by_watchfix_run() {
    let mut fixture = Fixture::new();
    fixture.process.linkage = Some(Linkage::Static);
    fixture.process.cmdline = Some(vec!["codex".into()]);
    assert_eq!(
        remedies()
            .start(&fixture.process, &Restart::default())
            .unwrap(),
        "watchfix run -- codex"
    );
}

#[test]
fn a_program_is_started_where_it_works_and_as_who_it_works() {
    let mut fixture = dynamic();
    fixture.process.cmdline = Some(vec!["./tool".into(), "app.py".into()]);
    fixture.process.surroundings.cwd = Some("/srv/my app".into());
    let start = |fixture: &Fixture, change: &dyn Fn(&mut LocalSystem)| {
        let library = Some("/l/libwatchfix.so".into());
        let mut system = LocalSystem {
            library,
            ..system()
        };
        change(&mut system);
        Remedies::of(system).start(&fixture.process, &Restart::default())
    };
    let said =
        |fixture: &Fixture, change: &dyn Fn(&mut LocalSystem)| start(fixture, change).unwrap();
    let own = "LD_PRELOAD=/l/libwatchfix.so ./tool app.py";
    let in_place = format!("cd '/srv/my app' && {own}");
    let me = |system: &mut LocalSystem| system.sudo = true;
    let root = |system: &mut LocalSystem| system.person = 0;
    assert_eq!(said(&fixture, &me), in_place);
    assert_eq!(
        said(&fixture, &root),
        format!("cd '/srv/my app' && runuser -u me -- env HOME=/home/me {own}")
    );
    let by_sudo = |system: &mut LocalSystem| (system.person, system.sudo) = (0, true);
    assert_eq!(
        said(&fixture, &by_sudo),
        format!("cd '/srv/my app' && sudo -u '#1000' env {own}")
    );
    // Who is not root may not enter every directory.
    let you = |system: &mut LocalSystem| (system.person, system.sudo) = (1001, true);
    assert_eq!(
        said(&fixture, &you),
        format!("sudo -u '#1000' env -C '/srv/my app' {own}")
    );
    let alpine = |system: &mut LocalSystem| {
        (system.person, system.runuser, system.setpriv) = (0, false, false)
    };
    assert_eq!(
        said(&fixture, &alpine),
        format!(r"su -s /bin/sh me -c 'cd '\''/srv/my app'\'' && {own}'")
    );
    // Never as root what is not root's.
    let nothing =
        |system: &mut LocalSystem| (system.person, system.runuser, system.su) = (0, false, false);
    assert_eq!(start(&fixture, &nothing), None);
    (fixture.process.uid, fixture.process.gid) = (Some(4711), Some(4712));
    let by_number = "setpriv --reuid=4711 --regid=4712 --clear-groups env HOME=/";
    assert_eq!(
        said(&fixture, &root),
        format!("cd '/srv/my app' && {by_number} {own}")
    );
    fixture.process.groups = vec![4, 27];
    fixture.process.home = Some("/srv/my home".into());
    let by_number = "setpriv --reuid=4711 --regid=4712 --groups=4,27 env HOME='/srv/my home'";
    assert_eq!(
        said(&fixture, &root),
        format!("cd '/srv/my app' && {by_number} {own}")
    );
    assert_eq!(start(&fixture, &alpine), None);
    (fixture.process.uid, fixture.process.gid) = (Some(1000), None);
    for nowhere in ["/", "/srv/gone (deleted)"] {
        fixture.process.surroundings.cwd = Some(nowhere.into());
        assert_eq!(said(&fixture, &me), own);
    }
}

#[test]
fn a_start_as_another_user_that_nothing_makes_is_said_in_words() {
    let fixture = dynamic();
    let root = |runuser| {
        Remedies::of(LocalSystem {
            person: 0,
            runuser,
            su: false,
            ..system()
        })
    };
    let notes = root(false).obstacles(&fixture.process, false, true);
    assert!(notes[0].contains("It belongs to user 1000"), "{notes:?}");
    let none = root(true).obstacles(&fixture.process, false, true);
    assert_eq!(none, Vec::<String>::new());
}

#[test]
fn names_are_ignored_by_the_library_and_settled_by_engines_that_see_masks_only() {
    let names: [&[u8]; 2] = [b"out.log", b"a:b"];
    let fixture = dynamic();
    let start = |remedies: &Remedies, fixture: &Fixture| {
        remedies.start(&fixture.process, &Restart::ignoring(&names, &"/d".into()))
    };
    assert_eq!(
        start(&remedies(), &fixture).unwrap(),
        r"WATCHFIX_IGNORE='+out.log:a\:b' LD_PRELOAD='/opt/it'\''s/libwatchfix.so' tool"
    );
    let by_run = "watchfix run --settle +/d -- tool";
    let without = Remedies::of(LocalSystem {
        library: None,
        ..system()
    });
    assert_eq!(start(&without, &fixture).unwrap(), by_run);
    let mut fixture = fixture;
    fixture.process.linkage = Some(Linkage::Static);
    assert_eq!(start(&remedies(), &fixture).unwrap(), by_run);
}

#[test]
fn names_are_ignored_in_what_is_read_where_reads_do_not_wait() {
    let names: [&[u8]; 1] = [b"x.db"];
    let by_name = Restart::without(&names);
    let ignoring = Restart::ignoring(&names, &"/d".into());
    let mut fixture = Fixture::new().with_watches(1, 0x3ce);
    let old_kernel = LocalSystem {
        judges_reads: false,
        ..system()
    };
    for linkage in [Linkage::Static, Linkage::Dynamic] {
        fixture.process.linkage = Some(linkage);
        for (waits, here, names) in [
            (Some(false), system(), true),
            (Some(false), old_kernel.clone(), false),
            (Some(true), system(), false),
            (None, system(), false),
        ] {
            let library = None;
            let remedies = Remedies::of(LocalSystem { library, ..here });
            fixture.process.inotify[0].waits = waits;
            let start = |start| remedies.start(&fixture.process, start);
            let (ignored, settled) = (
                "watchfix run --ignore +x.db -- tool",
                "watchfix run --settle +/d -- tool",
            );
            assert_eq!(start(&by_name).as_deref(), names.then_some(ignored));
            let either = if names { ignored } else { settled };
            assert_eq!(start(&ignoring).unwrap(), either);
            // The default rules have these names.
            let default = start(&Restart::without(&[]));
            assert_eq!(default.is_some(), names);
        }
    }
}

#[test]
fn one_instance_whose_reads_wait_or_too_many_leave_names_unseen() {
    let by_name = Restart::without(&[b"x.db"]);
    let mut fixture = Fixture::new();
    fixture.process.linkage = Some(Linkage::Static);
    let helps = |fixture: &Fixture| remedies().helps(&fixture.process, &by_name);
    assert!(!helps(&fixture), "nothing is known of how it reads");
    for _ in 0..17 {
        fixture = fixture.with_watches(1, 0x3ce);
        let all = &mut fixture.process.inotify;
        all.last_mut().unwrap().waits = Some(false);
        assert_eq!(helps(&fixture), fixture.process.inotify.len() <= 16);
    }
    fixture.process.inotify.truncate(2);
    assert!(helps(&fixture));
    fixture.process.inotify[0].waits = Some(true);
    assert!(!helps(&fixture));
}

#[test]
fn a_program_that_a_shell_would_not_find_is_named_by_its_path() {
    let with = |watchfix| {
        Remedies::of(LocalSystem {
            watchfix,
            ..system()
        })
    };
    let elsewhere = Program {
        path: "/home/me/w f/watchfix".into(),
        in_path: false,
    };
    let remedies = with(Some(elsewhere));
    let process = Fixture::new().process;
    let said = remedies.heal(&process, &Heal::default()).unwrap();
    assert_eq!(said, "'/home/me/w f/watchfix' heal 42");
    let said = remedies.start(&process, &Restart::default()).unwrap();
    assert_eq!(said, "'/home/me/w f/watchfix' run -- tool");
    let remedies = with(None);
    assert_eq!(remedies.heal(&process, &Heal::default()), None);
    assert_eq!(remedies.start(&process, &Restart::default()), None);
}

#[test]
fn what_takes_root_is_asked_of_sudo_as_a_whole() {
    let process = Fixture::new().process;
    let as_user = |person, sudo| {
        Remedies::of(LocalSystem {
            person,
            sudo,
            ..system()
        })
    };
    let kill = "kill 42";
    let stranger = as_user(1001, true);
    let said = stranger.permitted(process.uid.as_slice(), false, kill);
    assert_eq!(said.unwrap(), "sudo kill 42");
    let said = stranger.permitted(process.uid.as_slice(), false, "kill 42; a 'b'");
    assert_eq!(said.unwrap(), r"sudo sh -c 'kill 42; a '\''b'\'''");
    // A database is its owner's, and there is who has it open.
    let said = as_user(1000, true).permitted(&[1000, 1001], false, kill);
    assert_eq!(said.unwrap(), "sudo kill 42");
    let refused = as_user(1001, false).permitted(process.uid.as_slice(), false, kill);
    assert!(refused.is_err());
    for root_or_owner in [as_user(0, true), as_user(1000, true)] {
        let said = root_or_owner.permitted(process.uid.as_slice(), false, kill);
        assert_eq!(said.unwrap(), "kill 42");
    }
    let said = as_user(1000, true).permitted(process.uid.as_slice(), true, "sysctl a=1");
    assert_eq!(said.unwrap(), "sudo sysctl a=1");
}

#[test]
fn what_is_not_installed_is_not_a_command() {
    let without = Remedies::of(LocalSystem {
        sqlite3: false,
        ..system()
    });
    let checkpoint = without.checkpoint(&"/d/a.db".into());
    let why = without.permitted(&[], false, &checkpoint).unwrap_err();
    assert!(why.contains("not installed"), "{why}");
    let with = Remedies::sample();
    assert_eq!(with.permitted(&[], false, &checkpoint), Ok(checkpoint));
}

#[test]
fn what_a_user_healed_root_undoes_as_that_user_whatever_is_installed() {
    let fixture = dynamic();
    let undo = |change: &dyn Fn(&mut LocalSystem)| {
        let mut system = LocalSystem {
            person: 0,
            ..system()
        };
        change(&mut system);
        Remedies::of(system).undo(&fixture.process, 1000).unwrap()
    };
    let command = "/usr/bin/watchfix heal --undo 42";
    assert_eq!(undo(&|_| {}), format!("runuser -u me -- {command}"));
    let by_sudo = undo(&|system| system.sudo = true);
    assert_eq!(by_sudo, format!("sudo -u '#1000' {command}"));
    let by_su = undo(&|system| system.runuser = false);
    assert_eq!(by_su, format!("su -s /bin/sh me -c '{command}'"));
}
