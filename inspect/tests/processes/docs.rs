//! The documents: that links lead somewhere, and that lists which code has too are complete.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(support::root().join(path)).unwrap()
}

/// Every document, from the repository's root.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for place in ["", "docs", "docs/incidents"] {
        let entries = fs::read_dir(support::root().join(place)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        let all = names.map(|name| Path::new(place).join(name));
        found.extend(all.filter(|path| path.extension().is_some_and(|kind| kind == "md")));
    }
    found
}

/// Where the links of a Markdown text lead: `[words](place#part)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let ends = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    ends.map(|link| link.split('#').next().unwrap_or(link))
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut counted = 0;
    for document in documents() {
        let text = read(&document);
        let here = document.parent().unwrap();
        let own = |link: &&str| !link.is_empty() && !link.contains("://");
        for link in links(&text).filter(own) {
            let place = support::root().join(here).join(link);
            assert!(place.exists(), "{}: {link}", document.display());
            counted += 1;
        }
    }
    assert!(counted > 10, "{counted} links");
}

#[test]
fn every_command_has_its_exit_statuses_written_down() {
    let text = read("docs/exit-statuses.md");
    let fdscan = env!("CARGO_BIN_EXE_fdscan").into();
    for program in [fdscan, support::binary("watchfix", "watchfix")] {
        let help = Command::new(&program).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let commands = help.split("Commands:\n").nth(1).unwrap();
        let lines = commands.lines().take_while(|line| line.starts_with("  "));
        let mut counted = 0;
        for command in lines.filter_map(|line| line.split_whitespace().next()) {
            let named = [format!("`{command}"), format!("fdscan {command}")];
            assert!(named.iter().any(|name| text.contains(name)), "{command}");
            counted += 1;
        }
        assert!(counted >= 5, "{help}");
    }
}

#[test]
fn every_rule_is_written_down() {
    let text = read("docs/rules.md");
    for rule in rules::Rule::ALL {
        let row = format!("| `{}` | ", rule.variable());
        let row = text.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("{rule:?} has no row"));
        let flag = rule
            .flag()
            .map_or_else(String::new, |flag| format!("`{flag}`"));
        assert!(row.contains(&flag), "{row}");
    }
    let ignore = str::from_utf8(rules::rule::DEFAULT_IGNORE).unwrap();
    assert!(text.contains(&format!("`{ignore}`")), "{ignore}");
}
