//! A process made of data, for the tests of findings.

use super::{Facts, Finding, Look, Remedies, one_command};
use crate::model::{
    Claim, ClaimKind, Database, Descriptor, Device, Identity, InotifyLimits, Instance, Kind, Mask,
    MaskCount, Part, Place, Process, Verdict, Watch,
};
use std::time::Duration;

const DEVICE: Device = Device(1 << 20);

/// A claim where the process writes.
pub fn claim(path: &str, verdict: Verdict) -> Claim {
    Claim {
        path: path.into(),
        kind: ClaimKind::Pid,
        verdict,
        severity: verdict.severity(),
        pid: None,
        start: None,
        address: None,
        holders: Vec::new(),
        age_seconds: Some(1),
        why: "It says so.".into(),
        remedy: None,
        place: Place::Written,
        denied: false,
    }
}

pub struct Fixture {
    pub process: Process,
    pub limits: InotifyLimits,
}

impl Fixture {
    pub fn new() -> Fixture {
        Fixture {
            process: Process {
                pid: 42,
                ppid: Some(1),
                comm: Some("tool".into()),
                exe: Some("/usr/bin/tool".into()),
                cmdline: Some(vec!["tool".into()]),
                uid: Some(1000),
                state: Some('S'),
                ..Process::default()
            },
            limits: InotifyLimits::default(),
        }
    }

    /// Watches of one mask, counted but not listed.
    pub fn with_watches(mut self, count: usize, mask: u32) -> Fixture {
        self.process.inotify.push(Instance {
            thread: None,
            fd: 3,
            watch_count: count,
            masks: vec![MaskCount {
                mask: Mask(mask),
                events: Mask(mask).events(),
                watches: count,
            }],
            watches: Vec::new(),
            same_instance_as: None,
            covered_by: None,
            waits: None,
        });
        self
    }

    /// One listed watch.
    pub fn with_watch(self, wd: i32, inode: u64, mask: u32, path: Option<&str>) -> Fixture {
        let mut fixture = self.with_watches(1, mask);
        fixture.process.inotify.last_mut().unwrap().watches = vec![Watch {
            wd,
            inode,
            device: DEVICE,
            mask: Mask(mask),
            path: path.map(Into::into),
            resolved_by: None,
            deleted: false,
            unresolved: None,
            handle: Some(0),
        }];
        fixture
    }

    /// A regular file held open for writing.
    pub fn with_file(mut self, fd: i32, path: &str, inode: u64, parent: u64) -> Fixture {
        self.process.descriptors.push(Descriptor {
            fd,
            kind: Kind::File,
            target: path.into(),
            deleted: false,
            writable: Some(true),
            bytes: Some(0),
            space: Some(0),
            identity: Some(identity(inode)),
            parent: Some(identity(parent)),
        });
        self
    }

    /// A descriptor of what has no path.
    pub fn with_descriptor(mut self, kind: Kind, target: &str) -> Fixture {
        let fd = self.process.descriptors.len() as i32;
        self.process.descriptors.push(Descriptor {
            target: target.into(),
            ..Descriptor::of_kind(fd, kind)
        });
        let by_type = self.process.fds.by_type.get_or_insert_default();
        *by_type.entry(kind).or_insert(0) += 1;
        self
    }

    /// A database in WAL mode: descriptors 10, 11 (-wal) and 12 (-shm), inodes 1010 to 1012.
    pub fn with_database(mut self, path: &str, parent: u64, wal_bytes: u64) -> Fixture {
        let mut parts = Vec::new();
        for (n, suffix) in [(0, ""), (1, "-wal"), (2, "-shm")] {
            let name = format!("{path}{suffix}");
            self = self.with_file(10 + n, &name, 1010 + n as u64, parent);
            parts.push(Part {
                suffix,
                path: name.as_str().into(),
                fd: 10 + n,
                handles: 1,
                writable: true,
                deleted: false,
                bytes: Some(if suffix == "-wal" { wal_bytes } else { 4096 }),
                identity: Some(identity(1010 + n as u64)),
                parent: Some(identity(parent)),
                rested: Some(Duration::ZERO),
            });
        }
        self.process.sqlite.push(Database {
            database: path.into(),
            handles: 1,
            wal_handles: 1,
            shm_handles: 1,
            database_bytes: Some(4096),
            wal_bytes: Some(wal_bytes),
            shm_bytes: Some(4096),
            wal_deleted: Some(false),
            wal_mode: Some(true),
            connections: Some(1),
            parked: Some(0),
            libraries: Some(1),
            parts,
            often: Some(true),
            ..Database::default()
        });
        self
    }

    pub fn look(&self, look: Look) -> Vec<Finding> {
        let remedies = Remedies::sample();
        let mut findings = look(&Facts {
            process: &self.process,
            limits: &self.limits,
            remedies: &remedies,
        });
        one_command::write(&self.process, &remedies, &mut findings);
        findings
    }

    pub fn only(&self, look: Look) -> Finding {
        let mut found = self.look(look);
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    }
}

fn identity(inode: u64) -> Identity {
    Identity::plain(DEVICE, inode)
}
