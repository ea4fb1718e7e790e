//! What is said, and what is said of who cannot be looked into.

use super::super::constructed::{ConstructedMac, File};
use super::super::kernel::{Kernel, Question};
use super::{SERVER, WORDS, only, scanned, server};
use crate::model::{FailureKind, Gaps, Kind};
use crate::render::{self, Detail, Layout, Style};
use std::cell::Cell;
use std::io;

#[test]
fn on_a_constructed_mac_who_may_not_be_looked_into_is_named_and_who_is_not_there_is_said() {
    let mut mac = server();
    mac.refuse(SERVER);
    let scan = scanned(&mac, false);
    let process = &scan.processes[0].process;
    assert_eq!(process.comm.as_ref().unwrap(), &"python3".into());
    assert_eq!(
        (process.uid, process.start_time.as_ref()),
        (Some(502), None)
    );
    assert_eq!(scan.errors[0].kind, FailureKind::NotPermitted);
    let none = scanned(&ConstructedMac::new(), false);
    assert!(none.processes.is_empty());
    assert_eq!(none.errors[0].kind, FailureKind::NoProcess);
}

#[test]
fn on_a_constructed_mac_what_was_closed_meanwhile_is_counted_and_secrets_are_hidden() {
    let mut mac = server();
    let fd = mac.file(SERVER, &File::made_up("/srv/a", 9, 10));
    mac.close(SERVER, fd);
    mac.started_with(SERVER, &[WORDS[0], "--password", "hunter2"], &[]);
    let report = only(&mac);
    let closed = report
        .incomplete
        .iter()
        .find(|gap| gap.what == "descriptors");
    assert_eq!(closed.unwrap().count, Some(1));
    let json = serde_json::to_string(&report).unwrap();
    assert!(
        json.contains("--password") && !json.contains("hunter2"),
        "{json}"
    );
}

#[test]
fn on_a_constructed_mac_the_answer_names_kqueue_and_nothing_that_only_linux_has() {
    let mut mac = server();
    let file = mac.file(SERVER, &File::made_up("/srv/a", 9, 10));
    mac.kqueue(SERVER, &[(u64::from(file.unsigned_abs()), -4, 0x2f)]);
    mac.pipe(SERVER, 0x20, 0x10);
    mac.pipe(SERVER, 0x10, 0x20);
    let unix = mac.unix(SERVER, 0xabc, "/private/tmp/s.sock");
    let scan = scanned(&mac, true);
    let process = &scan.processes[0].process;
    let pipes = process.descriptors.iter().filter(|d| d.kind == Kind::Pipe);
    let pipes: Vec<_> = pipes.map(|d| d.target.to_string()).collect();
    assert_eq!(pipes, ["pipe:[10]", "pipe:[10]"]);
    let listener = &process.surroundings.listeners[0];
    assert_eq!((listener.fd, listener.protocol), (unix, "unix"));
    assert_eq!(
        listener.address.as_ref().unwrap(),
        &"/private/tmp/s.sock".into()
    );
    let mut text = Vec::new();
    let layout = Layout {
        width: 200,
        style: Style { colour: false },
        detail: Detail::All,
        ascii: true,
    };
    render::text(&scan, layout, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    for word in [
        "1 kqueue with watches on files",
        "delete write extend attrib rename",
        "FSEvents",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(
        !text.contains("inotify") && !text.contains("/proc"),
        "{text}"
    );
    let json = serde_json::to_value(&scan).unwrap();
    assert_eq!(
        json["processes"][0]["kqueue"][0]["watches"][0]["path"],
        "/srv/a"
    );
    assert_eq!(json["limits"]["max_user_watches"], serde_json::Value::Null);
}

/// A Mac that gives the PID to another process while the first one is looked at.
struct Reuses(ConstructedMac, Cell<bool>);

impl Kernel for Reuses {
    fn pids(&self) -> io::Result<Vec<u32>> {
        self.0.pids()
    }

    fn ask(&self, pid: u32, question: Question) -> io::Result<Vec<u8>> {
        let mut answer = self.0.ask(pid, question)?;
        if question == Question::Process && self.1.replace(true) {
            // Its start, in the lowest byte of its microseconds.
            answer[128] ^= 1;
        }
        Ok(answer)
    }

    fn session(&self, pid: u32) -> Option<u32> {
        self.0.session(pid)
    }

    fn jobs(&self) -> Option<Vec<u8>> {
        self.0.jobs()
    }
}

#[test]
fn on_a_constructed_mac_two_processes_that_had_one_pid_are_not_told_as_one() {
    let mac = Reuses(server(), Cell::new(false));
    let (process, failure) =
        super::super::survey::process(&mac, SERVER, false, &mut Gaps::default());
    assert!(process.is_none());
    assert_eq!(failure.unwrap().kind, FailureKind::NoProcess);
}
