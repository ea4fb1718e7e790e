//! What would be started on a Mac, with Mach-O files and scripts made here.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use support::{MachO, fat};
use tempfile::TempDir;

const ARM: Host = Host { cpu: Cpu::Arm64 };
const INTEL: Host = Host { cpu: Cpu::X86_64 };

/// A directory with programs, which PATH names, and the library.
struct Mac {
    dir: TempDir,
    library: PathBuf,
}

impl Mac {
    fn new() -> Mac {
        let dir = TempDir::new().unwrap();
        let library = dir.path().join("libwatchfix.dylib");
        let mac = Mac { dir, library };
        mac.library(&[MachO::library(MachO::X86_64), MachO::library(MachO::ARM64)]);
        let hard = MachO::program(MachO::ARM64).signed(MachO::RUNTIME);
        let open = hard.clone().entitled(&[MachO::DYLD, MachO::VALIDATION]);
        mac.has("node", &open.bytes());
        mac.has("claude", &hard.bytes());
        mac
    }

    fn library(&self, slices: &[MachO]) {
        fs::write(&self.library, fat(slices)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn has(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn start_on(&self, host: Host, command: &str, more: &[(&str, &str)]) -> Result<Start, Refusal> {
        let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
        let mut environment = vec![("PATH".into(), self.dir.path().into())];
        environment.extend(
            more.iter()
                .map(|&(name, value)| (name.into(), value.into())),
        );
        Start::of(&words, environment, &self.library, host)
    }

    fn start(&self, command: &str) -> Result<Start, Refusal> {
        self.start_on(ARM, command, &[])
    }

    #[track_caller]
    fn refuses(&self, command: &str, status: u8, why: &str) {
        let refusal = self.start(command).unwrap_err();
        let (code, text) = refusal.status_and_text();
        assert_eq!(code, status, "{text}");
        assert!(text.contains(why), "{text}");
    }
}

fn variable(start: &Start, name: &str) -> Option<String> {
    let value = start.variable(name)?;
    Some(value.to_str().unwrap().to_owned())
}

#[test]
fn a_program_that_is_reached_is_started_with_the_variable() {
    let mac = Mac::new();
    let start = mac.start("node --flag x").unwrap();
    assert_eq!(start.program, mac.path("node"));
    assert_eq!(start.arguments, ["node", "--flag", "x"]);
    let library = mac.library.to_str().unwrap();
    assert_eq!(variable(&start, VARIABLE).unwrap(), library);
    assert_eq!(start.followed, Vec::<PathBuf>::new());
}

#[test]
fn the_library_comes_behind_what_is_inserted_already_and_once() {
    let mac = Mac::new();
    let library = mac.library.to_str().unwrap().to_owned();
    let with = |before: &str| {
        let start = mac.start_on(ARM, "node", &[(VARIABLE, before)]).unwrap();
        let count = start
            .environment
            .iter()
            .filter(|(name, _)| name == VARIABLE);
        assert_eq!(count.count(), 1);
        variable(&start, VARIABLE).unwrap()
    };
    assert_eq!(with(""), library);
    assert_eq!(with("/a.dylib"), format!("/a.dylib:{library}"));
    assert_eq!(with(&library), library);
}

#[test]
fn scripts_and_env_are_followed_to_the_last_program() {
    let mac = Mac::new();
    mac.has("vite", b"#!/usr/bin/env node\nimport 'x'\n");
    let start = mac.start("vite --port 3").unwrap();
    assert_eq!(start.program, mac.path("node"));
    let vite = mac.path("vite").into_os_string();
    assert_eq!(
        start.arguments,
        [
            "node".into(),
            vite.clone(),
            "--port".into(),
            OsString::from("3")
        ]
    );
    assert_eq!(
        start.followed,
        [mac.path("vite"), PathBuf::from("/usr/bin/env")]
    );
    // A Mac hands the words over one by one, so -S is not needed, and does no harm.
    for line in ["/usr/bin/env -S node --flag", "/usr/bin/env node --flag"] {
        mac.has("flags", format!("#!{line}\n").as_bytes());
        let start = mac.start("flags").unwrap();
        let flags = mac.path("flags").into_os_string();
        assert_eq!(start.arguments, ["node".into(), "--flag".into(), flags]);
    }
    // An interpreter that is named by its path is not looked for in PATH.
    let node = mac.path("node");
    mac.has("direct", format!("#! {} -e\n", node.display()).as_bytes());
    let start = mac.start("direct").unwrap();
    assert_eq!(start.program, node);
    assert_eq!(
        start.arguments,
        [
            node.into_os_string(),
            "-e".into(),
            mac.path("direct").into()
        ]
    );
    mac.has("relative", b"#!node\n");
    mac.refuses("relative", 127, "./node");
}

#[test]
fn what_env_does_to_the_environment_is_done() {
    let mac = Mac::new();
    let more = [("A", "1"), ("B", "2")];
    let start = mac
        .start_on(ARM, "/usr/bin/env -u A C=3 node x", &more)
        .unwrap();
    assert_eq!(start.arguments, ["node", "x"]);
    let get = |name| variable(&start, name);
    assert_eq!(
        (get("A"), get("B"), get("C")),
        (None, Some("2".into()), Some("3".into()))
    );
    // It looks for the program in the PATH that it sets.
    let elsewhere = Mac::new();
    let line = format!(
        "/usr/bin/env -i PATH={} node",
        elsewhere.dir.path().display()
    );
    let start = mac.start_on(ARM, &line, &more).unwrap();
    assert_eq!(start.program, elsewhere.path("node"));
    assert_eq!(variable(&start, "B"), None);
    assert!(variable(&start, VARIABLE).is_some());
    mac.refuses(
        "/usr/bin/env -C / node",
        125,
        "what /usr/bin/env does with -C is not followed",
    );
}

#[test]
fn what_is_not_reached_or_would_be_killed_is_not_started() {
    let mac = Mac::new();
    mac.refuses("claude", 125, MachO::DYLD);
    mac.refuses("claude", 125, "codesign");
    mac.has("script", b"#!/usr/bin/env claude\n");
    mac.refuses("script", 125, MachO::DYLD);
    let half = MachO::program(MachO::ARM64).signed(MachO::RUNTIME);
    mac.has("half", &half.entitled(&[MachO::DYLD]).bytes());
    mac.refuses("half", 125, MachO::VALIDATION);
    mac.has("shell", b"#!/bin/sh\nexec node x\n");
    mac.refuses(
        "shell",
        125,
        "/bin/sh lies where System Integrity Protection holds",
    );
    mac.refuses(
        "/usr/bin/env",
        125,
        "/usr/bin/env lies where System Integrity Protection holds",
    );
    mac.has("text", b"echo hello\n");
    mac.refuses("text", 125, "neither Mach-O nor a script");
    let own = MachO::program(MachO::ARM64E).signed(MachO::ADHOC);
    mac.has("own", &own.bytes());
    mac.refuses("own", 125, "arm64e");
}

#[test]
fn what_cannot_be_run_at_all_has_the_statuses_of_a_shell() {
    let mac = Mac::new();
    mac.refuses("nothing", 127, "nothing cannot be run: it is not found");
    fs::write(mac.path("data"), "x").unwrap();
    mac.refuses("data", 126, "not a program this user may run");
    mac.has("elf", b"\x7fELF\x02\x01\x01");
    mac.refuses("elf", 126, "a program for Linux");
    mac.has("inner", b"#!/usr/bin/env node\n");
    let inner = mac.path("inner");
    mac.has("outer", format!("#!{}\n", inner.display()).as_bytes());
    mac.refuses("outer", 126, "a script as the interpreter of a script");
    mac.has("old", &MachO::program(MachO::I386).bytes());
    mac.refuses("old", 126, "no slice for this Mac");
    let mut cut = MachO::program(MachO::ARM64).bytes();
    cut.truncate(40);
    mac.has("cut", &cut);
    mac.refuses("cut", 126, "load commands are incomplete");
}

#[test]
fn the_library_is_looked_at_before_anything_is_started() {
    let mac = Mac::new();
    mac.library(&[MachO::library(MachO::X86_64)]);
    mac.refuses("node", 125, "has no slice for arm64");
    let mut unsigned = MachO::library(MachO::ARM64);
    unsigned.directories.clear();
    mac.library(&[unsigned]);
    mac.refuses("node", 125, "is not signed for arm64");
    mac.library(&[MachO::program(MachO::ARM64).signed(MachO::ADHOC)]);
    mac.refuses("node", 125, "is not a library");
    fs::write(&mac.library, "text").unwrap();
    mac.refuses("node", 125, "is not a Mach-O file");
    fs::write(&mac.library, &fat(&[MachO::library(MachO::ARM64)])[..40]).unwrap();
    mac.refuses("node", 125, "is damaged");
    fs::remove_file(&mac.library).unwrap();
    mac.refuses("node", 125, "libwatchfix.dylib is not there");
    let colon = mac.path("a:b");
    let start = Start::of(
        &["node".into()],
        vec![("PATH".into(), mac.dir.path().into())],
        &colon,
        ARM,
    );
    let refusal = start.unwrap_err();
    assert!(refusal.status_and_text().1.contains("colon"), "{refusal:?}");
}

#[test]
fn the_slice_that_would_run_is_the_one_that_is_judged() {
    let mac = Mac::new();
    let intel = MachO::program(MachO::X86_64);
    let hard = MachO::program(MachO::ARM64).signed(MachO::RUNTIME);
    mac.has("both", &fat(&[intel.clone(), hard]));
    assert!(mac.start_on(INTEL, "both", &[]).is_ok());
    mac.refuses("both", 125, MachO::DYLD);
    // Rosetta runs what has no slice for Apple's processor, with the library's slice for Intel's.
    mac.has("intel", &intel.bytes());
    assert!(mac.start("intel").is_ok());
    mac.library(&[MachO::library(MachO::ARM64)]);
    mac.refuses("intel", 125, "has no slice for x86_64");
}
