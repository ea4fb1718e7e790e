use super::*;
use crate::findings::fixture::Fixture;
use crate::model::{Copies, Program};

impl Remedies {
    /// For tests of findings.
    pub fn sample() -> Remedies {
        Remedies::of(system())
    }
}

/// A machine where everything is installed and root pastes.
pub fn system() -> LocalSystem {
    let program = |path: &str| Program {
        path: path.into(),
        in_path: true,
    };
    LocalSystem {
        person: 0,
        sudo: false,
        sqlite3: true,
        watchfix: Some(program("/usr/bin/watchfix")),
        fdscan: Some(program("/usr/bin/fdscan")),
        library: Some("/opt/it's/libwatchfix.so".into()),
        copies: Copies::Allowed,
        supervisors: true,
        root_may_trace: true,
        ptrace_scope: None,
    }
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
        remedies().start(&fixture.process).unwrap(),
        r"LD_PRELOAD='/opt/it'\''s/libwatchfix.so:/usr/lib/other.so' apx dev 'a b'"
    );
}

#[test]
fn a_static_program_is_started_by_watchfix_run() {
    let mut fixture = Fixture::new();
    fixture.process.linkage = Some(Linkage::Static);
    fixture.process.cmdline = Some(vec!["codex".into()]);
    assert_eq!(
        remedies().start(&fixture.process).unwrap(),
        "watchfix run -- codex"
    );
}

#[test]
fn a_program_is_started_where_it_works_and_as_who_it_works() {
    let mut fixture = dynamic();
    fixture.process.cmdline = Some(vec!["./tool".into(), "app.py".into()]);
    fixture.process.surroundings.cwd = Some("/srv/my app".into());
    let start = |person, sudo, fixture: &Fixture| {
        let library = Some("/l/libwatchfix.so".into());
        let system = LocalSystem {
            person,
            sudo,
            library,
            ..system()
        };
        Remedies::of(system).start(&fixture.process).unwrap()
    };
    let plain = "cd '/srv/my app' && LD_PRELOAD=/l/libwatchfix.so ./tool app.py";
    assert_eq!(start(1000, true, &fixture), plain);
    // Without sudo nothing better can be said.
    assert_eq!(start(0, false, &fixture), plain);
    assert_eq!(
        start(0, true, &fixture),
        "sudo -u '#1000' env -C '/srv/my app' LD_PRELOAD=/l/libwatchfix.so ./tool app.py"
    );
    for nowhere in ["/", "/srv/gone (deleted)"] {
        fixture.process.surroundings.cwd = Some(nowhere.into());
        assert_eq!(
            start(1000, true, &fixture),
            "LD_PRELOAD=/l/libwatchfix.so ./tool app.py"
        );
    }
}

#[test]
fn names_are_ignored_by_the_library_and_settled_by_engines_that_see_masks_only() {
    let names: [&[u8]; 2] = [b"out.log", b"a:b"];
    let fixture = dynamic();
    let start = |remedies: &Remedies, fixture: &Fixture| {
        remedies.start_ignoring(&fixture.process, &names, &"/d".into())
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
    let said = remedies.heal(&process).unwrap();
    assert_eq!(said, "'/home/me/w f/watchfix' heal 42");
    let said = remedies.run(&process).unwrap();
    assert_eq!(said, "'/home/me/w f/watchfix' run -- tool");
    let remedies = with(None);
    assert_eq!(remedies.heal(&process), None);
    assert_eq!(remedies.run(&process), None);
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
fn what_is_not_installed_is_no_command() {
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
fn what_a_user_healed_root_undoes_as_that_user_also_without_sudo() {
    let fixture = dynamic();
    let undo = remedies().undo(&fixture.process, 1000).unwrap();
    let whose = "runuser -u \"$(id -nu 1000)\" -- /usr/bin/watchfix heal --undo 42";
    assert_eq!(undo, whose);
}
