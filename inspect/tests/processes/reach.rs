//! `fdscan reach`: programs of this system, and published ones for macOS.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::MachO;
use tempfile::TempDir;

use crate::common::{Scan, Stage};

fn reach(stage: &Stage, files: &[&Path]) -> Scan {
    let mut args = vec!["reach", "--json"];
    args.extend(files.iter().map(|file| file.to_str().unwrap()));
    stage.scan(&args)
}

#[track_caller]
fn one(stage: &Stage, file: &Path) -> Value {
    let scan = reach(stage, &[file]);
    assert_eq!((scan.code(), scan.stderr.as_str()), (0, ""));
    let mut files = scan.json()["files"].as_array().unwrap().clone();
    assert_eq!(files.len(), 1);
    files.remove(0)
}

#[track_caller]
fn is(found: &Value, verdict: &str, why: &str) {
    assert_eq!(found["verdict"], verdict, "{found:#}");
    assert!(found["why"].as_str().unwrap().contains(why), "{found:#}");
}

fn write(dir: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn built(dir: &Path, name: &str, compiler: &str, args: &[&str]) -> Option<PathBuf> {
    let source = dir.join(format!("{name}.c"));
    fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    match support::compile_c(compiler, &source, dir, args) {
        Ok(path) => Some(path),
        Err(why) => {
            support::skip(&format!("{compiler} {args:?}: {why}"));
            None
        }
    }
}

/// What a dynamic and a static program here do with a preloaded library, in their own words: the verdicts must say it.
#[test]
fn a_verdict_about_a_program_here_is_what_happens_when_it_is_started() {
    let (stage, dir) = (Stage::new(), TempDir::new().unwrap());
    let programs = [
        ("dynamic", "cc", &[][..]),
        ("fixed", "cc", &["-static"][..]),
        ("pie", "cc", &["-static-pie"][..]),
        ("musl", "musl-gcc", &["-static"][..]),
    ];
    let library = dir.path().join("said.c");
    let said = "#include <unistd.h>\n__attribute__((constructor)) static void f(void) { write(1, \"in\", 2); }\n";
    fs::write(&library, said).unwrap();
    let library = support::compile_c("cc", &library, dir.path(), &["-shared", "-fPIC"]).unwrap();
    is(&one(&stage, &library), "unknown", "It is a library");
    for (name, compiler, args) in programs {
        let Some(program) = built(dir.path(), name, compiler, args) else {
            continue;
        };
        let output = Command::new(&program)
            .env("LD_PRELOAD", &library)
            .output()
            .unwrap();
        let found = one(&stage, &program);
        assert_eq!(found["kind"], "elf");
        assert_eq!(found["variable"], "LD_PRELOAD");
        let verdict = match output.stdout.as_slice() {
            b"in" => "reached",
            b"" => "not_reached",
            other => panic!("{name}: {other:?}"),
        };
        is(&found, verdict, "");
        let expected = if name == "dynamic" {
            "reached"
        } else {
            "not_reached"
        };
        assert_eq!(verdict, expected, "{name}");
    }
}

#[test]
fn a_set_user_id_program_is_not_reached() {
    let (stage, dir) = (Stage::new(), TempDir::new().unwrap());
    let Some(program) = built(dir.path(), "setuid", "cc", &[]) else {
        return;
    };
    is(&one(&stage, &program), "reached", "");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    is(&one(&stage, &program), "not_reached", "set-user-ID");
}

#[test]
fn a_script_is_followed_to_what_runs_at_last() {
    let (stage, dir) = (Stage::new(), TempDir::new().unwrap());
    let script = write(&dir, "script", b"#!/usr/bin/env -S sh -e\n");
    let found = one(&stage, &script);
    is(&found, "reached", "It is a script of ");
    assert_eq!(found["kind"], "script");
    assert_eq!(found["interpreters"][0], "/usr/bin/env");
    assert!(found["program"].as_str().unwrap().ends_with("/sh"));
    // One of a script, and one of a Mac's program.
    let outer = write(
        &dir,
        "outer",
        format!("#!{}\n", script.display()).as_bytes(),
    );
    is(&one(&stage, &outer), "reached", "It is a script of ");
    let hard = MachO::program(MachO::ARM64).signed(MachO::RUNTIME);
    let tool = write(&dir, "tool", &hard.bytes());
    let mac = write(&dir, "mac", format!("#!{}\n", tool.display()).as_bytes());
    let found = one(&stage, &mac);
    is(&found, "not_reached", MachO::DYLD);
    assert_eq!(found["variable"], "DYLD_INSERT_LIBRARIES");
    let lost = write(&dir, "lost", b"#!/nonexistent/interpreter\n");
    is(
        &one(&stage, &lost),
        "unknown",
        "/nonexistent/interpreter, which it leads to, is not there",
    );
    let text = write(&dir, "text", b"echo\n");
    is(&one(&stage, &text), "unknown", "neither Mach-O nor ELF");
}

#[test]
fn statuses_and_messages_are_those_of_the_other_commands() {
    let (stage, dir) = (Stage::new(), TempDir::new().unwrap());
    let hard = MachO::program(MachO::ARM64).signed(MachO::RUNTIME);
    let not = write(&dir, "not", &hard.bytes());
    let killed = write(&dir, "killed", &hard.entitled(&[MachO::DYLD]).bytes());
    let code = |args: &[&str]| {
        let scan = stage.scan(&[&["reach"], args].concat());
        (scan.code(), scan.stderr)
    };
    let (not, killed) = (not.to_str().unwrap(), killed.to_str().unwrap());
    assert_eq!(code(&[not, killed]), (0, String::new()));
    assert_eq!(code(&[not, "--fail-on", "critical"]).0, 0);
    assert_eq!(code(&[not, "--fail-on", "warning"]).0, 1);
    assert_eq!(code(&[killed, "--fail-on", "critical"]).0, 1);
    let missing = code(&[not, "/nonexistent"]);
    assert_eq!(
        missing,
        (3, "fdscan: /nonexistent: there is no such file.\n".into())
    );
    // Nobody writes to it: who opened it would wait.
    let fifo = dir.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let (status, text) = code(&[fifo.to_str().unwrap()]);
    assert_eq!(status, 3);
    assert!(text.ends_with("it is not a regular file.\n"), "{text}");
    let text = stage.scan(&["reach", not]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("not: not reached (Mach-O arm64)\n"), "{text}");
    assert!(text.contains("It was\nnot tried on a Mac.\n"), "{text}");
}

/// Published packages, as macos-study found them: what each is signed with was also read by hand.
#[test]
fn published_programs_for_macos_have_the_verdicts_their_signatures_call_for() {
    let packages = support::root().join("target/tools/mach-o/node_modules");
    if !packages.is_dir() {
        support::skip_optional(
            "the Mach-O packages are not installed (scripts/install-test-tools)",
        );
        return;
    }
    let stage = Stage::new();
    let expected = [
        ("biome-arm64/biome", "arm64", "reached", "signed ad hoc"),
        ("bun-arm64/bin/bun", "arm64", "reached", "both entitlements"),
        ("bun-x64/bin/bun", "x86_64", "reached", "both entitlements"),
        ("claude-arm64/claude", "arm64", "not_reached", MachO::DYLD),
        (
            "codex-arm64/vendor/aarch64-apple-darwin/codex/codex",
            "arm64",
            "not_reached",
            MachO::DYLD,
        ),
        (
            "codex-arm64/vendor/aarch64-apple-darwin/path/rg",
            "arm64",
            "reached",
            "signed ad hoc",
        ),
        (
            "esbuild-arm64/bin/esbuild",
            "arm64",
            "reached",
            "signed ad hoc",
        ),
        ("esbuild-x64/bin/esbuild", "x86_64", "reached", "not signed"),
        (
            "node-arm64/bin/node",
            "arm64",
            "reached",
            "both entitlements",
        ),
    ];
    for (name, cpu, verdict, why) in expected {
        let found = one(&stage, &packages.join(name));
        is(&found, verdict, why);
        assert_eq!(found["kind"], "mach_o", "{name}");
        assert_eq!(found["slices"].as_array().unwrap().len(), 1, "{name}");
        assert_eq!(found["slices"][0]["cpu"], cpu, "{name}");
    }
    let claude = one(&stage, &packages.join("claude-arm64/claude"));
    let signature = &claude["slices"][0]["signature"];
    assert_eq!(signature["team"], "Q6L2SF6YDW");
    assert_eq!(signature["disables_library_validation"], true);
    assert_eq!(signature["allows_dyld_variables"], false);
}
