use super::*;
use crate::model::{Account, FindingSummary, InotifyLimits, Process, UnitKind, UnitUse};

fn row(n: u32) -> Row {
    let mut row = Row::new(&Process::default(), None, true, &[]);
    row.pid = n;
    row.comm = Some(format!("process-{n}").as_str().into());
    row.watches = Some(u64::from(n));
    row.instances = Some(u64::from(n));
    row.fds.open = Some(u64::from(n));
    row.fds.soft_limit = Some(1024);
    let log = |at: u32| LogInUse {
        database: format!("/srv/{n}/{at}.db").as_str().into(),
        wal_handles: 1,
        wal_bytes: Some(4096),
        pending_bytes: Some(4096),
    };
    row.wal_bytes = Some(4096 * 9);
    row.sqlite = Some((0..9).map(log).collect());
    let found = |severity| FindingSummary {
        code: "fd-limit-near",
        severity,
    };
    row.findings = Some(Severity::ALL.map(found).to_vec());
    row
}

/// A machine with `count` processes, each with a unit and a user of its own.
fn crowd(count: u32) -> Top {
    let used = UnitUse {
        processes: 1,
        watches: 1,
        instances: 1,
        fds: Some(1),
        unreadable: 0,
    };
    let unit = |n: u32| UnitRow {
        unit: Some(model::Unit::systemd(
            UnitKind::Service,
            format!("{n}.service").as_str().into(),
            false,
        )),
        used,
    };
    let user = |uid| User {
        account: Account {
            user_namespace: None,
            uid,
        },
        name: None,
        processes: 1,
        unreadable: 0,
        watches: Some(1),
        instances: Some(1),
        findings: Vec::new(),
        at_least: false,
        max_watches: None,
        max_instances: None,
    };
    Top {
        schema: "",
        fdscan_version: "",
        taken_at: String::new(),
        limits: InotifyLimits::default(),
        users: (0..count).map(user).collect(),
        units: (0..count).map(unit).collect(),
        processes: (1..=count).map(row).collect(),
        processes_left_out: 0,
        incomplete: Vec::new(),
        by_unit: false,
    }
}

fn series(top: Top) -> Vec<String> {
    let text = encode(top, 100, Duration::ZERO).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn two_thousand_processes_units_and_users_have_at_most_five_thousand_series() {
    let all = series(crowd(2000));
    // 31 for each of 100 processes, 3 for each of 100 units and 2 for each of 200 users.
    let most = 100 * 31 + 100 * 3 + 200 * 2;
    assert!((most..most + 40).contains(&all.len()), "{}", all.len());
    assert!(all.len() <= 5000);
    for (name, dropped) in [("processes", 1900), ("units", 1900), ("users", 1800)] {
        let line = format!("fdscan_{name}_dropped {dropped}");
        assert!(all.contains(&line), "{line}");
    }
    // Ten times as many processes do not have more series.
    assert_eq!(series(crowd(20_000)).len(), all.len());
}

#[test]
fn findings_of_processes_without_series_count_too() {
    let wanted = "fdscan_findings{code=\"fd-limit-near\",severity=\"warning\"} 300";
    assert!(series(crowd(300)).contains(&wanted.to_owned()));
}
