//! The table for people.

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
