//! Completions and man pages: what the shells and man really make of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Both programs, by name.
fn programs() -> [(&'static str, PathBuf); 2] {
    [
        ("fdscan", env!("CARGO_BIN_EXE_fdscan").into()),
        ("watchfix", support::binary("watchfix", "watchfix")),
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

/// A page as text, without what is overstruck for bold (grotty(1)).
fn shown(page: &Path) -> String {
    let mut man = Command::new("man");
    man.args(["--encoding=ascii", "-l"])
        .arg(page)
        .env("MANWIDTH", "200")
        .env("GROFF_NO_SGR", "1");
    let text = String::from_utf8(run(&mut man).stdout).unwrap();
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '\u{8}' => drop(plain.pop()),
            c => plain.push(c),
        }
    }
    plain
}

/// What a help lists under `Options:` and the like, without its text.
fn options(help: &str) -> Vec<String> {
    let words = help.lines().filter(|line| {
        let line = line.trim_start();
        line.starts_with("--") || line.starts_with('-') && line.contains(", --")
    });
    let long = words.filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
    long.map(|word| word.trim_end_matches([',', '.', ':']).to_owned())
        .collect()
}

#[test]
fn every_option_of_a_help_stands_in_the_page() {
    if !has("man") || !has("groff") {
        return;
    }
    for (name, program) in programs() {
        let dir = TempDir::new().unwrap();
        run(Command::new(&program).arg("man").arg(dir.path()));
        let mut counted = 0;
        for entry in fs::read_dir(dir.path()).unwrap() {
            let page = entry.unwrap().path();
            let Some(command) = page
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .strip_suffix(".1")
            else {
                continue;
            };
            let command = command.strip_prefix(name).unwrap().trim_start_matches('-');
            let mut help = Command::new(&program);
            help.args(Some(command).filter(|command| !command.is_empty()));
            let help = run(help.arg("--help"));
            let text = shown(&page);
            for option in options(&String::from_utf8(help.stdout).unwrap()) {
                assert!(
                    text.contains(&option),
                    "{option} is not in {page:?}\n{text}"
                );
                counted += 1;
            }
        }
        assert!(counted > 20, "{name}: {counted} options");
    }
}

#[test]
fn a_programs_page_has_the_sections_a_reader_looks_for() {
    if !has("man") || !has("groff") {
        return;
    }
    let dir = TempDir::new().unwrap();
    for (name, program) in programs() {
        run(Command::new(&program).arg("man").arg(dir.path()));
        let text = shown(&dir.path().join(format!("{name}.1")));
        let wanted = [
            "EXIT STATUS",
            "ENVIRONMENT",
            "FILES",
            "EXAMPLES",
            "SEE ALSO",
        ];
        for section in wanted {
            assert!(
                text.lines().any(|line| line == section),
                "{section}: {text}"
            );
        }
        // Every command has a page that leads back here.
        assert!(!text.contains("\nEXTRA"), "{text}");
    }
    let page = shown(&dir.path().join("fdscan-check.1"));
    assert!(page.contains("SEE ALSO\n       fdscan(1)"), "{page}");
    assert!(page.contains("\nNOTES\n"), "{page}");
    let library = shown(&dir.path().join("libwatchfix.7"));
    for rule in rules::Rule::ALL {
        assert!(library.contains(rule.variable()), "{library}");
    }
}

#[test]
fn pages_have_the_version_and_its_date() {
    let version = env!("CARGO_PKG_VERSION");
    let changes = fs::read_to_string(support::root().join("CHANGELOG.md")).unwrap();
    let heading = format!("## {version} - ");
    let date = changes.lines().find_map(|line| line.strip_prefix(&heading));
    let date = date.expect("CHANGELOG.md has a heading for this version, with its date");
    let dir = TempDir::new().unwrap();
    for (_, program) in programs() {
        run(Command::new(&program).arg("man").arg(dir.path()));
    }
    let mut counted = 0;
    for entry in fs::read_dir(dir.path()).unwrap() {
        let page = entry.unwrap().path();
        let text = fs::read_to_string(&page).unwrap();
        let title = text.lines().find(|line| line.starts_with(".TH ")).unwrap();
        assert!(title.contains(date), "{page:?}: {title}");
        // Pages of commands have no version of their own.
        if !page.file_name().unwrap().to_str().unwrap().contains('-') {
            assert!(title.contains(version), "{page:?}: {title}");
            counted += 1;
        }
    }
    assert_eq!(counted, 3);
}

#[test]
fn mandoc_has_no_complaint() {
    if !has("mandoc") {
        return;
    }
    let dir = TempDir::new().unwrap();
    for (_, program) in programs() {
        run(Command::new(&program).arg("man").arg(dir.path()));
    }
    for entry in fs::read_dir(dir.path()).unwrap() {
        let page = entry.unwrap().path();
        // Warnings and worse; what is below them is style.
        let output = Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .arg(&page)
            .output()
            .unwrap();
        let says = String::from_utf8_lossy(&output.stdout);
        // clap_mangen puts a break beside the space around possible values; it is left out.
        let harmless = |line: &&str| line.contains("skipping paragraph macro: br ");
        let bad: Vec<_> = says.lines().filter(|line| !harmless(line)).collect();
        assert!(bad.is_empty(), "{bad:#?}");
    }
}

#[test]
fn the_help_of_a_program_ends_with_two_examples() {
    for (name, program) in programs() {
        let help = run(Command::new(&program).arg("--help"));
        let help = String::from_utf8(help.stdout).unwrap();
        let (_, examples) = help.split_once("\nExamples:\n").expect(&help);
        let examples: Vec<_> = examples.lines().collect();
        assert_eq!(examples.len(), 2, "{help}");
        for example in examples {
            assert!(example.starts_with(&format!("  {name} ")), "{help}");
            assert!(example.len() <= 100, "{help}");
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
