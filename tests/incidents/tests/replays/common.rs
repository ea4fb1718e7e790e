//! What the replays' tests share.

// A helper of tests only, though clippy does not take a module for one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use incidents::Product;
use serde_json::Value;

/// The product as the tests build it, and the victims of this package.
pub fn product() -> Product {
    Product {
        fdscan: support::binary("inspect", "fdscan"),
        libwatchfix: support::libwatchfix().to_path_buf(),
        victims: Path::new(env!("CARGO_BIN_EXE_apx"))
            .parent()
            .unwrap()
            .to_path_buf(),
    }
}

/// The finding `code` of a process, which must be there.
pub fn finding<'a>(process: &'a Value, code: &str) -> &'a Value {
    let findings = process["findings"].as_array().expect("findings are a list");
    let found = findings.iter().find(|f| f["code"] == code);
    found.unwrap_or_else(|| panic!("no {code} in {findings:#?}"))
}

/// That there is no finding `code`.
pub fn no_finding(process: &Value, code: &str) {
    let findings = process["findings"].as_array().expect("findings are a list");
    let found = findings.iter().find(|f| f["code"] == code);
    assert!(found.is_none(), "{found:#?}");
}
