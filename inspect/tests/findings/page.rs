//! The page for people.

use crate::source::{PARAGRAPHS, Section, Source};
use std::collections::BTreeMap;
use std::fmt::Write;

const HEAD: &str = "\
# What `fdscan` finds

A test makes this page from the head comments of the findings' source files and holds it current
(`UPDATE_DOCS=1 cargo test -p fdscan --test findings` writes it).

Each finding has a code, a severity, a message, evidence and, where there are any, commands. The message names the figures that
matter; `--all` shows the evidence, and `--json` has it as data. A key is null where its figure is not known.

- **critical**: it grows without end, loses data or stops the program. **warning**: it costs time, descriptors or disk.
  **info**: it is worth knowing.
- A *single look* is `fdscan PID` without `--for`. `--for SECONDS` looks again after that time: only then is it known what grows.
- A command is printed as it runs where fdscan runs, with `sudo` where it takes root. Where none can work, words say why.
  JSON has it as `remedy`, and as `remedy_live` where one helps the process as it runs and another one its next start.
- Sizes are in bytes; 1 MiB is 1,048,576 of them. Descriptors, watches and frames are counts.
";

/// The whole page.
pub fn of(all: &[Source], incidents: &[String]) -> String {
    let mut by_code: BTreeMap<&str, Vec<(&Source, &Section)>> = BTreeMap::new();
    for source in all {
        for section in &source.sections {
            by_code
                .entry(&section.code)
                .or_default()
                .push((source, section));
        }
    }
    let mut page = format!("{HEAD}\n| code | meaning |\n| --- | --- |\n");
    for (code, sections) in &by_code {
        for (_, section) in sections {
            writeln!(
                page,
                "| [`{code}`](#{code}) | {} |",
                section.meaning.replace('|', "\\|")
            )
            .unwrap();
        }
    }
    for (code, sections) in &by_code {
        writeln!(page, "\n## {code}").unwrap();
        for (source, section) in sections {
            writeln!(page, "\n{}", sentence(&section.meaning)).unwrap();
            for text in &section.paragraphs {
                writeln!(page, "\n{}", linked(&labelled(text), incidents)).unwrap();
            }
            writeln!(page, "\nSource: [{0}](../{0})", source.name).unwrap();
        }
    }
    page
}

fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + rest.as_str()
}

fn labelled(text: &str) -> String {
    let label = PARAGRAPHS.iter().find(|label| text.starts_with(*label));
    label.map_or_else(
        || text.into(),
        |label| format!("**{label}**{}", &text[label.len()..]),
    )
}

/// "(incident 3)" with a link to the page of that incident.
fn linked(text: &str, incidents: &[String]) -> String {
    incidents.iter().fold(text.to_owned(), |text, name| {
        let number = name.split('-').next().unwrap_or_default();
        let words = format!("incident {number}");
        text.replace(
            &format!("({words})"),
            &format!("([{words}](incidents/{name}))"),
        )
    })
}

#[test]
fn a_code_that_two_files_give_has_one_place_on_the_page() {
    let head = |meaning: &str| {
        format!("//! `a-code`: {meaning}.\n//!\n//! Meaning: as in (incident 3).\n")
    };
    let sources = [
        Source::of("a.rs", &head("one way")),
        Source::of("b.rs", &head("other way")),
    ];
    let page = of(&sources, &["3-genie.md".into()]);
    assert_eq!(page.matches("\n## a-code\n").count(), 1);
    assert!(
        page.contains("| [`a-code`](#a-code) | one way. |\n| [`a-code`](#a-code) | other way. |\n")
    );
    let entry = "\nOther way.\n\n**Meaning:** as in ([incident 3](incidents/3-genie.md)).\n\nSource: [b.rs](../b.rs)\n";
    assert!(page.ends_with(entry), "{page}");
}
