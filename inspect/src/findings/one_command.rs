//! One command for now and one for the next start, whatever the findings of a process ask of its watches: either of two
//! start commands would leave the problem that the other one ends.

use super::{Finding, Remedies};
use crate::model::{Attrib, Heal, Process, Restart};

/// Writes the commands of all findings about watches.
pub fn write(process: &Process, remedies: &Remedies, findings: &mut [Finding]) {
    let others = |finding: &&Finding| finding.change.is_some() && !is_about_attrib(finding);
    let is_one_of_several = findings.iter().any(|finding| others(&finding));
    let mut start: Option<Restart> = None;
    let mut heal: Option<Heal> = None;
    for finding in findings.iter_mut() {
        // To lose every touch is a high price for an info finding.
        if is_one_of_several && is_about_attrib(finding) && finding.change.take().is_some() {
            finding.message += " Where only masks can be changed, `--strip +attrib` removes these events as well, \
                                and with them every touch.";
        }
        let Some(change) = &mut finding.change else {
            continue;
        };
        // A change that ends nothing here is not part of the command.
        let helps = |start: &Restart| remedies.helps(process, start);
        change.start = change.start.take().filter(helps);
        if let Some(more) = &change.start {
            start.get_or_insert_default().join(more.clone());
        }
        if let Some(more) = &change.heal {
            heal.get_or_insert_default().join(more.clone());
        }
    }
    if start.is_none() && heal.is_none() {
        return;
    }
    let start = start.and_then(|start| {
        // Each of its parts helps.
        let by_name = false;
        remedies.start(process, &Restart { by_name, ..start })
    });
    let heal = heal.and_then(|heal| remedies.heal(process, &heal));
    for finding in findings {
        let Some(change) = &finding.change else {
            continue;
        };
        finding.remedy = start.clone().filter(|_| change.start.is_some());
        finding.remedy_live = heal.clone().filter(|_| change.heal.is_some());
    }
}

fn is_about_attrib(finding: &Finding) -> bool {
    let start = finding
        .change
        .as_ref()
        .and_then(|change| change.start.as_ref());
    start.is_some_and(|start| start.attrib == Attrib::OutOfMasks)
}

#[cfg(test)]
mod tests {
    use crate::findings::fixture::Fixture;
    use crate::findings::{Facts, Finding, Remedies, all};
    use crate::model::Linkage;
    use std::collections::BTreeSet;

    fn found(fixture: &Fixture) -> Vec<Finding> {
        all(&Facts {
            process: &fixture.process,
            limits: &fixture.limits,
            remedies: &Remedies::sample(),
        })
    }

    fn commands(findings: &[Finding]) -> (BTreeSet<&str>, BTreeSet<&str>) {
        let about = || findings.iter().filter(|finding| finding.needs_start());
        let start = about().filter_map(|finding| finding.remedy.as_deref());
        let live = about().filter_map(|finding| finding.remedy_live.as_deref());
        (start.collect(), live.collect())
    }

    /// It is woken by reads, its log, its database and changes of attributes.
    fn of_all_kinds(linkage: Linkage) -> Fixture {
        let mut fixture = Fixture::new()
            .with_watch(1, 100, 0x3ee, Some("/d"))
            .with_watch(2, 300, 0x3ee, Some("/e"))
            .with_file(5, "/e/app.log", 200, 300)
            .with_database("/d/x.db", 100, 0);
        fixture.process.linkage = Some(linkage);
        fixture
    }

    #[test]
    fn one_start_and_one_heal_end_everything_that_wakes_a_process() {
        let fixture = of_all_kinds(Linkage::Dynamic);
        let findings = found(&fixture);
        assert!(findings.iter().filter(|f| f.needs_start()).count() >= 4);
        let (start, live) = commands(&findings);
        assert_eq!(
            Vec::from_iter(start),
            [r"WATCHFIX_IGNORE=+x.db:app.log LD_PRELOAD='/opt/it'\''s/libwatchfix.so' tool"]
        );
        assert_eq!(Vec::from_iter(live), ["watchfix heal --settle +/e 42"]);
    }

    #[test]
    fn engines_that_only_see_masks_get_one_start_as_well() {
        let fixture = of_all_kinds(Linkage::Static);
        let (findings, says) = (found(&fixture), "watchfix run --settle +/d:/e -- tool");
        assert_eq!(Vec::from_iter(commands(&findings).0), [says]);
        // An info finding must not cost it every touch.
        let attrib = findings.iter().find(|f| f.code == "watch-wakes-on-attrib");
        assert!(attrib.unwrap().message.contains("--strip +attrib"));
    }

    #[test]
    fn attributes_alone_have_commands_of_their_own() {
        let mut fixture = Fixture::new().with_watches(1, 0x4);
        fixture.process.linkage = Some(Linkage::Static);
        let findings = found(&fixture);
        let (start, live) = commands(&findings);
        assert_eq!(
            Vec::from_iter(start),
            ["watchfix run --strip +attrib -- tool"]
        );
        assert_eq!(Vec::from_iter(live), ["watchfix heal --strip +attrib 42"]);
        // Where reads are judged, a chmod is told from a touch.
        fixture.process.inotify[0].waits = Some(false);
        let findings = found(&fixture);
        let (start, _) = commands(&findings);
        assert_eq!(Vec::from_iter(start), ["watchfix run -- tool"]);
    }

    /// It can only be ignored by name, which is impossible for a static program. The other findings keep their start.
    #[test]
    fn a_finding_that_no_start_ends_leaves_the_others_theirs() {
        let mut fixture = Fixture::new()
            .with_watch(1, 100, 0x3cc, Some("/d"))
            .with_watch(2, 300, 0x3ee, Some("/e"))
            .with_database("/d/x.db", 100, 0);
        fixture.process.linkage = Some(Linkage::Static);
        let database = &mut fixture.process.sqlite[0];
        database.wal_mode = Some(false);
        database.makes_journals = true;
        database.parts.truncate(1);
        let findings = found(&fixture);
        let of = |code| findings.iter().find(|f| f.code == code).unwrap();
        assert_eq!(of("sqlite-self-watch").remedy, None);
        assert_eq!(
            of("watch-wakes-on-read").remedy.as_deref(),
            Some("watchfix run -- tool")
        );
    }
}
