//! docs/findings.md is made from the head comments of the findings, and each of these says what its code does.
//!
//! `UPDATE_DOCS=1 cargo test -p fdscan --test findings` writes the page.

// A test says what went wrong by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod page;
mod source;

use source::Source;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/findings.md";

#[test]
fn the_page_is_what_the_head_comments_say() {
    let path = support::root().join(PAGE);
    let made = page::of(&all(), &incidents());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == made,
        "{PAGE} is not current: UPDATE_DOCS=1 cargo test -p fdscan --test findings"
    );
}

#[test]
fn each_head_comment_says_what_the_code_of_its_file_does() {
    let all = all();
    let faults: Vec<_> = all.iter().flat_map(|source| source.faults(&all)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_section_stands_twice() {
    let all = all();
    let mut lines: Vec<_> = all
        .iter()
        .flat_map(|source| &source.sections)
        .map(|section| (&section.code, &section.meaning))
        .collect();
    lines.sort();
    let number = lines.len();
    lines.dedup();
    assert_eq!(lines.len(), number);
    assert!(number >= 28, "only {number} sections were found");
}

/// Every source file of fdscan.
fn all() -> Vec<Source> {
    let root = support::root();
    let mut files = Vec::new();
    rust_files(&root.join("inspect/src"), &mut files);
    files.sort();
    let read = |file: &PathBuf| {
        let name = file.strip_prefix(root).unwrap();
        Source::of(
            name.to_str().unwrap(),
            &std::fs::read_to_string(file).unwrap(),
        )
    };
    files.iter().map(read).collect()
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names of the incidents' pages, each of which begins with the incident's number.
fn incidents() -> Vec<String> {
    let entries = std::fs::read_dir(support::root().join("docs/incidents")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}
