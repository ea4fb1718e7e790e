//! Whether watchfix judges what the process reads. Events that it removes are not a finding.
//!
//! This is the only place that applies the rules the process was started with, using the library's code.

use crate::model::{CoveredBy, Process};
use rules::record;
use rules::rule::{Engine, Rule, Rules, Texts};

/// Whether the library is mapped and not switched off, or the supervisor of `watchfix run` judges all reads.
pub fn in_force(process: &Process) -> bool {
    judged_by(process).is_some()
}

/// Which of the two does, by its name.
pub fn judged_by(process: &Process) -> Option<&'static str> {
    let by_library = process.has_library() && !rules_of(process).off;
    let mut instances = process.inotify.iter().filter(|i| i.watch_count > 0);
    let by_run = instances.clone().next().is_some()
        && instances.all(|i| i.covered_by == Some(CoveredBy::Reads));
    match (by_run, by_library) {
        (true, _) => Some("watchfix run"),
        (false, true) => Some("libwatchfix.so"),
        (false, false) => None,
    }
}

/// Whether attribute changes that are neither a touch nor an end are removed before the process sees them.
pub fn hides_chmod(process: &Process) -> bool {
    in_force(process) && rules_of(process).chmod
}

/// Whether events with the name `name` are removed before the process sees them.
pub fn ignores(process: &Process, name: &[u8]) -> bool {
    in_force(process) && record::ignored(&rules_of(process), name)
}

/// Whether the default rules remove events with the name `name`.
pub fn ignored_by_default(name: &[u8]) -> bool {
    record::ignored(&Rules::DEFAULT, name)
}

/// The rules the process was started with. A rule that cannot be parsed has its default, as in the library.
fn rules_of(process: &Process) -> Rules<'_> {
    let value = |rule: Rule| {
        let variable = rule.variable().as_bytes();
        let mut all = process.watchfix_rules.iter();
        all.find(|(name, _)| name.as_bytes() == variable)
            .map(|(_, value)| value.as_bytes())
    };
    Rules::parse(
        Engine::Library,
        &Texts {
            values: Rule::ALL.map(value),
            home: None,
        },
        &mut |_| {},
    )
}
