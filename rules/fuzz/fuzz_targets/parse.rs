//! Rules of arbitrary bytes: parsed or named, and what was parsed can be asked anything.
//!
//! Input: the texts of the rules, then a home directory and a path, separated by NUL.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::{Engine, Rules, Texts};

fuzz_target!(|input: &[u8]| {
    let mut parts = input.split(|&c| c == 0);
    let mut texts = Texts::default();
    for value in &mut texts.values {
        *value = parts.next();
    }
    texts.home = parts.next();
    let path = parts.next().unwrap_or_default();
    let rules = Rules::parse(Engine::Library, &texts, &mut |error| {
        let text = error.to_string();
        assert!(text.starts_with(error.rule.variable()));
        assert!(error.position >= 1);
        assert!(
            error.position
                <= 1 + texts
                    .values
                    .iter()
                    .flatten()
                    .map(|t| t.len())
                    .max()
                    .unwrap_or(0)
        );
    });
    rules.ignore.match_name(path);
    rules.drop.match_below(path, rules.home);
    rules.settle.match_below(path, rules.home);
    // A list of plain names matches each of them.
    if let Some(text) = texts.values[2]
        && rules.ignore != Rules::DEFAULT.ignore
        && text != b"none"
        && !text.iter().any(|c| b"*?\\+".contains(c))
    {
        for name in text.split(|&c| c == b':') {
            assert!(rules.ignore.match_name(name));
        }
    }
});
