//! What cannot run here is named, with the reason: a test that silently does nothing proves nothing.

use std::io::Write;

/// Notes that the calling test cannot run here. Return from the test after it.
///
/// With `CI=true` this is a failure: CI must have everything.
pub fn skip(reason: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|v| v != "true"),
        "cannot run, and CI=true allows no skip: {reason}"
    );
    note(reason);
}

/// As [`skip`], for a test that is optional even in CI.
pub fn skip_optional(reason: &str) {
    note(reason);
}

/// Whether the calling test is one that `scripts/test --quick` leaves out, which is noted. Return from the test then.
pub fn is_left_out() -> bool {
    let left_out = std::env::var_os("WATCHFIX_TEST_QUICK").is_some();
    if left_out {
        note("--quick leaves it out");
    }
    left_out
}

fn note(reason: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    // Straight to the descriptor: the test harness captures what print macros write.
    let line = format!("SKIPPED {test}: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(file) = std::env::var_os("WATCHFIX_TEST_SKIPS")
        && let Ok(mut f) = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
    {
        let _ = f.write_all(line.as_bytes());
    }
}
