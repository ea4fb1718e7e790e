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

/// Collects what could not be seen.
#[derive(Debug, Default)]
pub struct Gaps(Vec<Gap>);

impl Gaps {
    /// Notes that `what` is missing because of `why`.
    pub fn note(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.add(what.into(), why.into(), None);
    }

    /// Notes that `count` of `what` are missing because of `why`.
    pub fn count(&mut self, count: usize, what: impl Into<String>, why: impl Into<String>) {
        self.add(what.into(), why.into(), Some(count));
    }

    fn add(&mut self, what: String, why: String, count: Option<usize>) {
        let aside = false;
        self.0.push(Gap {
            what,
            why,
            count,
            aside,
        });
    }

    /// Gaps that no finding depends on, as far as can be seen.
    pub fn set_aside(&mut self) {
        self.0.iter_mut().for_each(|gap| gap.aside = true);
    }

    /// Adds the gaps of `others`.
    pub fn extend(&mut self, others: &Gaps) {
        self.0.extend_from_slice(&others.0);
    }

    /// All of them, in the order in which they were noted.
    pub fn into_list(self) -> Vec<Gap> {
        self.0
    }
}
