//! What a finding may look at, and how the findings of several looks are put together.

use super::{Remedies, one_command, order};
use crate::model::{Finding, InotifyLimits, Process};

/// What a finding may look at.
pub struct Facts<'a> {
    /// The process.
    pub process: &'a Process,
    /// The system's limits.
    pub limits: &'a InotifyLimits,
    /// How commands are written.
    pub remedies: &'a Remedies,
}

/// One look at the facts, and what it finds.
pub type Look = fn(&Facts<'_>) -> Vec<Finding>;

/// What `looks` find, worst first, with commands that can be pasted as they are.
pub fn of(facts: &Facts<'_>, looks: &[Look]) -> Vec<Finding> {
    let mut findings: Vec<_> = looks.iter().flat_map(|look| look(facts)).collect();
    one_command::write(facts.process, facts.remedies, &mut findings);
    for finding in &mut findings {
        facts.remedies.paste(finding, facts.process.uid.as_slice());
    }
    order::worst_first(findings)
}
