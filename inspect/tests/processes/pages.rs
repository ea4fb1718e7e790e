//! Completions and man pages: what the shells and man really make of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Both programs, by name.
fn programs() -> [(&'static str, PathBuf); 2] {
    [
        ("fdscan", env!("CARGO_BIN_EXE_fdscan").into()),
        ("watchfix", support::binary("launch", "watchfix")),
    ]
}

fn run(command: &mut Command) -> Output {
    let shown = format!("{command:?}");
    let output = command.output().unwrap_or_else(|e| panic!("{shown}: {e}"));
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{shown}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn completions(program: &Path, shell: &str, dir: &Path) -> PathBuf {
    let script = run(Command::new(program).args(["completions", shell]));
    let path = dir.join(shell);
    fs::write(&path, script.stdout).unwrap();
    path
}

/// What a shell would offer, one word a line.
fn offered(command: &mut Command) -> Vec<String> {
    let output = run(command);
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text
        .lines()
        .map(|line| line.split('\t').next().unwrap().to_owned());
    words.collect()
}

fn has(tool: &str) -> bool {
    let there = Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .output()
        .is_ok_and(|found| found.status.success());
    if !there {
        support::skip(&format!("{tool} is not installed"));
    }
    there
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let dir = TempDir::new().unwrap();
    for (name, program) in programs() {
        let script = completions(&program, "bash", dir.path());
        let complete = |line: &str| {
            let words: Vec<_> = line.split(' ').collect();
            let at = words.len() - 1;
            let script = format!(
                "source {}; COMP_WORDS=({line}); COMP_CWORD={at}; \
                 $(complete -p {name} | sed 's/.*-F \\([^ ]*\\).*/\\1/') {name} \"${{COMP_WORDS[{at}]}}\" \"${{COMP_WORDS[{}]}}\"; \
                 printf '%s\\n' \"${{COMPREPLY[@]}}\"",
                script.display(),
                at - 1,
            );
            offered(Command::new("bash").args(["--norc", "-c", &script]))
        };
        if name == "fdscan" {
            assert_eq!(complete("fdscan che"), ["check"]);
            let flags = complete("fdscan check --max-w");
            assert_eq!(flags, ["--max-watches", "--max-wal"]);
            assert_eq!(complete("fdscan wal --fail-on cr"), ["critical"]);
        } else {
            assert_eq!(complete("watchfix he"), ["heal"]);
            assert_eq!(complete("watchfix run --engine se"), ["seccomp"]);
        }
    }
}

#[test]
fn fish_completes_commands_and_flags() {
    if !has("fish") {
        return;
    }
    let dir = TempDir::new().unwrap();
    for (name, program) in programs() {
        let script = completions(&program, "fish", dir.path());
        let complete = |line: &str| {
            let script = format!("source {}; complete -C '{line}'", script.display());
            let mut fish = Command::new("fish");
            fish.args(["--no-config", "-c", &script])
                .env("HOME", dir.path());
            offered(&mut fish)
        };
        let (command, full) = if name == "fdscan" {
            ("che", "check")
        } else {
            ("he", "heal")
        };
        assert_eq!(complete(&format!("{name} {command}")), [full]);
        assert!(complete(&format!("{name} {full} --")).contains(&"--help".to_owned()));
    }
}

#[test]
fn zsh_loads_the_completions() {
    if !has("zsh") {
        return;
    }
    let dir = TempDir::new().unwrap();
    for (name, program) in programs() {
        let script = completions(&program, "zsh", dir.path());
        fs::rename(&script, dir.path().join(format!("_{name}"))).unwrap();
        let script = format!(
            "fpath=({} $fpath); autoload -Uz compinit; compinit -u -D; \
             autoload +X _{name} && print -r -- ${{_comps[{name}]}}",
            dir.path().display()
        );
        assert_eq!(
            offered(Command::new("zsh").args(["-f", "-c", &script])),
            [format!("_{name}")]
        );
    }
}

#[test]
fn every_command_has_a_man_page_that_man_shows_without_a_warning() {
    if !has("man") || !has("groff") {
        return;
    }
    for (name, program) in programs() {
        let dir = TempDir::new().unwrap();
        run(Command::new(&program).arg("man").arg(dir.path()));
        let help = run(Command::new(&program).arg("--help"));
        let help = String::from_utf8(help.stdout).unwrap();
        // Every command of the help has a page of its own.
        let listed = help.split("Commands:\n").nth(1).unwrap();
        let listed = listed.lines().take_while(|line| line.starts_with("  "));
        let commands = listed.filter(|line| !line.starts_with("   "));
        let commands: Vec<_> = commands
            .map(|line| line.split_whitespace().next().unwrap())
            .collect();
        assert!(commands.len() >= 4, "{help}");
        for command in &commands {
            let page = dir.path().join(format!("{name}-{command}.1"));
            assert!(page.is_file(), "{command} has no page");
        }
        for entry in fs::read_dir(dir.path()).unwrap() {
            let page = entry.unwrap().path();
            let shown = run(Command::new("man")
                .args(["--warnings", "-l"])
                .arg(&page)
                .env("MANWIDTH", "80"));
            assert!(String::from_utf8_lossy(&shown.stdout).contains("SYNOPSIS"));
            run(Command::new("groff").args(["-man", "-ww", "-z"]).arg(&page));
        }
    }
}

#[test]
fn pages_that_cannot_be_written_are_an_error_with_a_reason() {
    for (name, program) in programs() {
        let output = Command::new(&program)
            .args(["man", "/nonexistent"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        let says = String::from_utf8(output.stderr).unwrap();
        assert!(
            says.starts_with(&format!(
                "{name}: the man pages could not be written to /nonexistent:"
            )),
            "{says}"
        );
        let output = Command::new(&program)
            .args(["completions", "csh"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
    }
}
