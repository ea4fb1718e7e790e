//! The rules of watchfix that a process was started with.

use crate::model::Name;
use rules::rule::Rule;

/// What an environment says: whether `watchfix run` supervises the process, and the variables that set rules.
pub fn of(environ: &[u8]) -> (bool, Vec<(Name, Name)>) {
    let supervised = |variable: &[u8]| variable == b"WATCHFIX_RUN=1";
    let rule = |variable: &[u8]| {
        let equals = variable.iter().position(|&b| b == b'=')?;
        let (name, value) = variable.split_at(equals);
        let mut all = Rule::ALL.iter();
        all.any(|rule| rule.variable().as_bytes() == name)
            .then(|| (name.into(), value.get(1..).unwrap_or_default().into()))
    };
    let variables = || environ.split(|&b| b == 0);
    (
        variables().any(supervised),
        variables().filter_map(rule).collect(),
    )
}

/// The rules in a command line of `watchfix run`, as the variables that set them.
pub fn by_flags(arguments: &[u8]) -> Vec<(Name, Name)> {
    let arguments = arguments.strip_suffix(b"\0").unwrap_or(arguments);
    let mut words = arguments.split(|&b| b == 0).skip(2);
    let mut rules = Vec::new();
    while let Some(word) = words.next()
        && word.starts_with(b"-")
        && word != b"--"
    {
        let (flag, value) = match word.iter().position(|&b| b == b'=') {
            Some(equals) => (
                word.get(..equals).unwrap_or_default(),
                word.get(equals + 1..),
            ),
            None => (word, None),
        };
        let is = |name: &str| flag == name.as_bytes();
        let mut all = Rule::ALL.iter();
        let rule = all.find(|rule| rule.flag().is_some_and(is));
        if rule.is_none() && !is("--engine") {
            continue;
        }
        let value = value.or_else(|| words.next());
        if let (Some(rule), Some(value)) = (rule, value) {
            rules.push((rule.variable().into(), value.into()));
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_distinguished_from_other_variables() {
        let (supervised, rules) = of(b"A=1\0WATCHFIX_RUN=1\0WATCHFIX_IGNORE=a=b\0WATCHFIX_X=1\0");
        assert!(supervised);
        assert_eq!(rules, [("WATCHFIX_IGNORE".into(), "a=b".into())]);
        assert_eq!(of(b"XWATCHFIX_RUN=1\0WATCHFIX_RUN=10\0"), (false, vec![]));
    }

    #[test]
    fn flags_of_run_are_rules_and_those_of_its_command_are_not() {
        let line = b"watchfix\0run\0--engine\0seccomp\0--quiet\0--ignore\0none\0--strip=+attrib\0tool\0--drop\0/x\0";
        let rules = [
            ("WATCHFIX_IGNORE".into(), "none".into()),
            ("WATCHFIX_STRIP".into(), "+attrib".into()),
        ];
        assert_eq!(by_flags(line), rules);
        assert_eq!(by_flags(b"watchfix\0run\0--\0--drop\0/x\0"), []);
        assert_eq!(by_flags(b"watchfix\0run\0--drop\0"), []);
        assert_eq!(by_flags(b""), []);
    }
}
