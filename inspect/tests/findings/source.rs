//! One source file: the sections of its head comment, and what its code says about them.

use std::collections::BTreeSet;

/// How the paragraphs of a section begin, in this order.
pub const PARAGRAPHS: [&str; 5] = [
    "Meaning:",
    "Evidence:",
    "Severity:",
    "Remedy:",
    "Not to be confused with:",
];
/// A reader in a bad hour reads no more.
const MOST_LINES: usize = 20;

/// What a head comment says about one code.
#[derive(Debug)]
pub struct Section {
    /// The code.
    pub code: String,
    /// What its first paragraph says after the code.
    pub meaning: String,
    /// The other paragraphs, each on one line.
    pub paragraphs: Vec<String>,
    lines: usize,
}

/// A source file.
#[derive(Debug)]
pub struct Source {
    /// Its path below the root of the repository.
    pub name: String,
    /// What its head comment says.
    pub sections: Vec<Section>,
    /// Its lines without comments and tests.
    code: String,
}

impl Source {
    /// Reads the text of a file.
    pub fn of(name: &str, text: &str) -> Source {
        let head = text.lines().map_while(|line| line.strip_prefix("//!"));
        let head: Vec<_> = head
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect();
        let tests = text.find("\n#[cfg(test)]\nmod tests").unwrap_or(text.len());
        let is_test = ["/tests.rs", "/fixture.rs"]
            .iter()
            .any(|end| name.ends_with(end));
        let code = match is_test {
            true => "",
            false => &text[..tests],
        };
        let code = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        Source {
            name: name.into(),
            sections: sections(&head),
            code: code.map(|line| format!("{line}\n")).collect(),
        }
    }

    /// What is wrong with the head comment, in view of the code of this file and of `all`.
    pub fn faults(&self, all: &[Source]) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |text: String| faults.push(format!("{}: {text}", self.name));
        for code in self.given() {
            if !self.sections.iter().any(|section| section.code == code) {
                fault(format!("the head comment has no section for {code}"));
            }
        }
        for section in &self.sections {
            section.faults().into_iter().for_each(&mut fault);
        }
        let is_code = |word: &str| {
            let mut sections = all.iter().flat_map(|source| &source.sections);
            sections.any(|section| section.code == word)
        };
        // A value of the evidence, or a code that is given by way of a variable.
        let words = hyphenated(&self.code);
        if self.name.contains("/findings/") || !self.sections.is_empty() {
            for word in words.iter().filter(|word| !is_code(word)) {
                if !self.says(&format!("\"{word}\"")) {
                    fault(format!(
                        "{word} is neither a code with a section nor a value that is explained"
                    ));
                }
            }
        }
        if self.sections.is_empty() {
            return faults;
        }
        for section in self
            .sections
            .iter()
            .filter(|section| !words.contains(&section.code))
        {
            fault(format!("{} is a code that is given nowhere", section.code));
        }
        let named: BTreeSet<_> = self.sections.iter().flat_map(Section::keys).collect();
        let own = keys(&self.code);
        for key in own.difference(&named) {
            fault(format!("{key} is in the evidence, and no section says so"));
        }
        let shared = all.iter().filter(|source| source.sections.is_empty());
        let shared: BTreeSet<_> = shared
            .filter(|source| source.name.contains("/findings/"))
            .flat_map(|source| keys(&source.code))
            .collect();
        for key in named.difference(&own).filter(|key| !shared.contains(*key)) {
            fault(format!("{key} is named as evidence, and no code has it"));
        }
        faults
    }

    /// The codes that a finding is plainly given here.
    fn given(&self) -> BTreeSet<String> {
        let marks = ["code: \"", "code = \"", "CODE: &str = \""];
        let after = marks.iter().flat_map(|mark| self.code.split(mark).skip(1));
        after
            .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
            .collect()
    }

    fn says(&self, words: &str) -> bool {
        let mut paragraphs = self.sections.iter().flat_map(|section| &section.paragraphs);
        paragraphs.any(|paragraph| paragraph.contains(words))
    }
}

impl Section {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let in_order = self.paragraphs.iter().zip(PARAGRAPHS);
        let right = in_order
            .filter(|(text, label)| text.starts_with(label))
            .count();
        if right != PARAGRAPHS.len() || self.paragraphs.len() != right {
            let wanted = PARAGRAPHS.join(" ");
            faults.push(format!(
                "{} is to have these paragraphs: {wanted}",
                self.code
            ));
        }
        if self.lines > MOST_LINES {
            let lines = self.lines;
            faults.push(format!(
                "{} has {lines} lines, of {MOST_LINES} at most",
                self.code
            ));
        }
        faults
    }

    /// The keys its evidence is said to have: words in code quotes, with no other mark in them.
    fn keys(&self) -> Vec<String> {
        let evidence = self
            .paragraphs
            .iter()
            .filter(|text| text.starts_with("Evidence:"));
        let quoted = evidence.flat_map(|text| text.split('`').skip(1).step_by(2));
        quoted
            .filter(|word| is_key(word))
            .map(str::to_owned)
            .collect()
    }
}

fn sections(head: &[&str]) -> Vec<Section> {
    let mut found: Vec<Section> = Vec::new();
    for paragraph in head.split(|line| line.is_empty()) {
        let text = paragraph.join(" ");
        let begins = text
            .strip_prefix('`')
            .and_then(|rest| rest.split_once("`: "))
            .filter(|(code, _)| is_hyphenated(code));
        match (begins, found.last_mut()) {
            (Some((code, meaning)), _) => found.push(Section {
                code: code.into(),
                meaning: meaning.into(),
                paragraphs: Vec::new(),
                lines: paragraph.len(),
            }),
            (None, Some(section)) if !text.is_empty() => {
                section.lines += paragraph.len();
                section.paragraphs.push(text);
            }
            _ => {}
        }
    }
    found
}

/// The keys of the objects a finding's code makes: `"key": value` in `json!`, or one that is inserted.
fn keys(code: &str) -> BTreeSet<String> {
    let parts: Vec<_> = code.split('"').collect();
    let keys = parts.windows(3).filter(|part| {
        let inserted = part[0].ends_with("insert(") && part[2].starts_with(".into()");
        is_key(part[1]) && (part[2].starts_with(": ") || inserted)
    });
    keys.map(|part| part[1].to_owned()).collect()
}

fn hyphenated(code: &str) -> BTreeSet<String> {
    let words = code.split('"').filter(|word| is_hyphenated(word));
    words.map(str::to_owned).collect()
}

fn is_hyphenated(word: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    word.contains('-') && word.split('-').all(is_part)
}

fn is_key(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b == b'_' || b.is_ascii_lowercase())
}

/// A file without a fault.
const SOUND: &str = r#"//! `some-code`: a thing is wrong.
//!
//! Meaning: It is
//! wrong.
//!
//! Evidence: `size` (bytes), `kind`, which is "too-large", `more` with `--for`.
//!
//! Severity: warning.
//!
//! Remedy: none.
//!
//! Not to be confused with: another thing.

fn finding() -> Finding {
    Finding {
        code: "some-code",
        evidence: json!({
            "size": 1,
            "kind": "too-large",
        }),
    }
}

#[cfg(test)]
mod tests {
    const KEY: Value = json!({ "tested": 1 });
}
"#;

fn judged(text: &str) -> Vec<String> {
    let shared = "pub fn more() { json!({ \"more\": 1 }) }";
    let shared = Source::of("inspect/src/findings/growth.rs", shared);
    let source = Source::of("inspect/src/findings/x.rs", text);
    let all = [source, shared];
    all.iter().flat_map(|source| source.faults(&all)).collect()
}

#[test]
fn a_correct_file_has_no_fault() {
    assert_eq!(judged(SOUND), Vec::<String>::new());
    let source = Source::of("x.rs", SOUND);
    assert_eq!(source.sections[0].code, "some-code");
    assert_eq!(source.sections[0].meaning, "a thing is wrong.");
    assert_eq!(source.sections[0].paragraphs[0], "Meaning: It is wrong.");
}

#[test]
fn what_head_and_code_do_not_agree_about_is_noticed() {
    let code = "code: \"some-code\"";
    for (from, to, says) in [
        (code, "code: \"new-code\"", "no section for new-code"),
        (code, "code", "some-code is a code that is given nowhere"),
        (
            code,
            "code = either(\"some-code\", \"new-code\")",
            "new-code is neither",
        ),
        (
            "`size` (bytes)",
            "`length` (bytes)",
            "length is named as evidence, and no code has it",
        ),
        (
            "`size` (bytes)",
            "its size",
            "size is in the evidence, and no section says so",
        ),
        (
            "\"size\": 1,",
            "\"size\": 1, \"age\": 2,",
            "age is in the evidence",
        ),
        (
            "\"size\": 1,",
            "\"size\": 1 });\nmap.insert(\"age\".into(), 2",
            "age is in the evidence",
        ),
        ("\"too-large\", `", "`", "too-large is neither"),
        (
            "Severity: warning",
            "warning",
            "is to have these paragraphs",
        ),
        ("Remedy: none.\n//!\n", "", "is to have these paragraphs"),
        (
            "//! wrong.\n",
            &"//! wrong.\n".repeat(30),
            "lines, of 20 at most",
        ),
    ] {
        let changed = SOUND.replacen(from, to, 1);
        assert_ne!(changed, SOUND, "{from}");
        let faults = judged(&changed);
        assert!(
            faults.iter().any(|fault| fault.contains(says)),
            "{says}: {faults:?}"
        );
    }
}
