//! What could not be seen.

use serde::Serialize;

/// Something that could not be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gap {
    /// What is missing.
    pub what: String,
    /// Why.
    pub why: String,
    /// How many of these there are, if that is known.
    pub count: Option<usize>,
    /// Nothing that was seen makes it likely that a finding depends on it: the tables tell, and JSON.
    #[serde(skip)]
    pub aside: bool,
}
