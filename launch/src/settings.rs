//! The rules as they were asked for: by a flag, else by the variable the library reads.

use crate::rule_args::RuleArgs;
#[cfg(target_os = "linux")]
use inspect::gather::resolved;
#[cfg(target_os = "linux")]
use rules::rule::CHMOD;
use rules::rule::Problem;
use rules::{Engine, Error, Rule, Rules, Texts};
use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// The texts of the rules, checked.
#[derive(Debug)]
pub struct Settings {
    values: [Option<Vec<u8>>; Rule::ALL.len()],
    home: Option<Vec<u8>>,
    by_flag: [bool; Rule::ALL.len()],
}

impl Settings {
    /// Takes the flags and, where one is missing, this process's environment.
    ///
    /// # Errors
    /// One sentence for each rule that cannot be read, naming the flag or the variable.
    pub fn new(flags: &RuleArgs) -> Result<Settings, Vec<String>> {
        let flag = Rule::ALL.map(|rule| {
            let flag = match rule {
                Rule::Strip => &flags.strip,
                Rule::Drop => &flags.drop,
                Rule::Ignore => &flags.ignore,
                Rule::Settle => &flags.settle,
                Rule::MaxWatches => &flags.max_watches,
                Rule::Log => &flags.log,
                Rule::Off => return None,
            };
            flag.clone()
        });
        let by_flag = flag.each_ref().map(Option::is_some);
        let mut rule = Rule::ALL.into_iter();
        let settings = Settings {
            values: flag.map(|flag| {
                let variable = rule.next().map(Rule::variable);
                flag.or_else(|| env::var_os(variable?))
                    .map(OsString::into_vec)
            }),
            home: resolved_home(),
            by_flag,
        };
        let mut wrong = Vec::new();
        Rules::parse(Engine::Masks, &settings.texts(), &mut |error| {
            wrong.push(sentence(&error, by_flag));
        });
        if wrong.is_empty() {
            Ok(settings)
        } else {
            Err(wrong)
        }
    }

    /// The rules for engines that see masks only.
    pub fn rules(&self) -> Rules<'_> {
        // They were read without an error when this was made.
        Rules::parse(Engine::Masks, &self.texts(), &mut |_| {})
    }

    /// The variables that make the library follow the same rules.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let all = Rule::ALL.iter().zip(&self.values);
        all.filter_map(|(rule, value)| Some((rule.variable(), value.as_deref()?)))
    }

    /// For `heal`. Of these, the rules a process keeps when it is started again: not where this run tells what it does.
    #[cfg(target_os = "linux")]
    pub fn lasting(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let passing = [Rule::Log, Rule::Off].map(Rule::variable);
        let all = self.variables();
        all.filter(move |(variable, _)| !passing.contains(variable))
    }

    /// For `heal`. Whether somebody has written the word `chmod`.
    #[cfg(target_os = "linux")]
    pub fn asks_for_chmod(&self) -> bool {
        let mut all = Rule::ALL.iter().zip(&self.values);
        let strip = all.find(|&(&rule, _)| rule == Rule::Strip);
        let words = strip
            .and_then(|(_, text)| text.as_deref())
            .unwrap_or_default();
        let mut words = words.split(|c| b"+,".contains(c));
        words.any(|word| word.trim_ascii() == CHMOD)
    }

    /// The sentence about a rule that can be read and not be carried out.
    pub fn problem(&self, rule: Rule, problem: Problem) -> String {
        let mut all = Rule::ALL.iter().zip(&self.values);
        let value = all.find(|&(&one, _)| one == rule);
        let error = Error {
            rule,
            position: 1,
            item: value
                .and_then(|(_, text)| text.as_deref())
                .unwrap_or_default(),
            problem,
        };
        sentence(&error, self.by_flag)
    }

    fn texts(&self) -> Texts<'_> {
        Texts {
            values: self.values.each_ref().map(|value| value.as_deref()),
            home: self.home.as_deref(),
        }
    }
}

/// HOME with its symlinks followed: `~/x` is compared with resolved paths. It may lie on a server that does not
/// answer, which is not a reason not to heal.
pub fn resolved_home() -> Option<Vec<u8>> {
    let home = env::var_os("HOME")?.into_vec();
    Some(resolved(&home).unwrap_or(home))
}

/// Only where /proc says what is mounted it can be told whether a place answers.
#[cfg(not(target_os = "linux"))]
fn resolved(path: &[u8]) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::OsStr::from_bytes(path);
    let real = std::fs::canonicalize(path).ok()?;
    Some(real.into_os_string().into_vec())
}

fn sentence(error: &Error<'_>, by_flag: [bool; Rule::ALL.len()]) -> String {
    let mut rules = Rule::ALL.into_iter().zip(by_flag);
    let flag = rules
        .find(|&(rule, _)| rule == error.rule)
        .and_then(|(rule, given)| rule.flag().filter(|_| given));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = error.about(flag.unwrap_or(error.rule.variable()), &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_that_cannot_be_read_is_named_as_the_flag() {
        let flags = RuleArgs {
            strip: Some("opne".into()),
            max_watches: Some("many".into()),
            ..RuleArgs::default()
        };
        let wrong = Settings::new(&flags).unwrap_err();
        assert!(wrong[0].starts_with("--strip: \"opne\" at byte 1 is not an event; allowed: "));
        assert!(wrong[1].starts_with("--max-watches: \"many\" at byte 1 is not a number"));
        assert_eq!(wrong.len(), 2);
    }

    #[test]
    fn chmod_is_asked_for_by_its_word() {
        let asks = |strip: &str| {
            let flags = RuleArgs {
                strip: Some(strip.into()),
                ..RuleArgs::default()
            };
            Settings::new(&flags).unwrap().asks_for_chmod()
        };
        assert!(asks("open, chmod") && asks("+chmod"));
        assert!(!asks("+attrib") && !asks("none"));
    }

    #[test]
    fn flags_become_variables_of_the_library() {
        let flags = RuleArgs {
            strip: Some("open".into()),
            settle: Some("/d".into()),
            ..RuleArgs::default()
        };
        let settings = Settings::new(&flags).unwrap();
        assert_eq!(settings.rules().strip, rules::event::OPEN);
        assert!(!settings.rules().settle_own);
        let variables: Vec<_> = settings.variables().collect();
        assert!(variables.contains(&("WATCHFIX_STRIP", b"open")));
        assert!(variables.contains(&("WATCHFIX_SETTLE", b"/d")));
    }
}
