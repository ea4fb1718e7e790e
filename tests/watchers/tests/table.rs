//! The tables for people.

use watchers::table;

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
fn the_summary_in_the_readme_is_current() {
    let text = std::fs::read_to_string(support::root().join("README.md")).unwrap_or_default();
    let summary = table::summary();
    assert!(text.contains(&summary), "README.md is to show:\n{summary}");
}
