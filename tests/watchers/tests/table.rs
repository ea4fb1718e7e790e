//! The tables for people.

use watchers::{rows, table};

#[test]
fn the_table_in_the_documentation_is_current() {
    let file = support::root().join("docs/watchers.md");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        text == table::document(),
        "run: cargo run -p watchers -- --table >docs/watchers.md"
    );
}

#[test]
fn the_readme_says_how_many_watchers_there_are() {
    let text = std::fs::read_to_string(support::root().join("README.md")).unwrap_or_default();
    let number = format!("{} real watchers", rows::all().len());
    assert!(text.contains(&number), "README.md is to say: {number}");
}
