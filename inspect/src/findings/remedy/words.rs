//! The words of commands: the command line of a process, and rules as `watchfix` takes them.

use super::quote::{quote, quote_bytes};
use crate::model::{Heal, Name, Process, is_title};
use rules::rule::Rule;

/// The command line, quoted. The program is named by its path if a shell would not find the name the process was given:
/// a login shell's `-bash`, none at all, one that only the process's own PATH has, or one `through` sudo(8), which has
/// its own PATH.
pub fn command_line(process: &Process, through: bool) -> Option<String> {
    let arguments = process.cmdline.as_deref().unwrap_or_default();
    // The name it was started with is not known any more.
    if arguments.first().is_some_and(is_title) {
        return None;
    }
    let exe = process.exe.as_ref();
    let found = process.found_in_path.as_ref();
    let found = found.filter(|found| through || !found.in_path);
    let bare = |name: &Name| through && exe.is_some_and(|exe| exe.base() == name.as_bytes());
    let program = arguments
        .first()
        .filter(|name| !name.as_bytes().is_empty() && !name.as_bytes().starts_with(b"-"))
        .filter(|name| !bare(name))
        .or(exe)?;
    let program = found.map_or(program, |found| &found.path);
    let mut words = vec![quote(program)];
    words.extend(arguments.iter().skip(1).map(quote));
    Some(words.join(" "))
}

/// The variable of a rule, and its text.
type RuleText = (Name, Vec<u8>);

/// The rules that are to stay in force: those it was started with, replaced by those it was healed with, or extended by
/// them if they begin with `+`. WATCHFIX_OFF, which switches rules off, is not kept.
fn rules_of(process: &Process) -> Vec<RuleText> {
    let started = process.watchfix_rules.iter();
    let mut rules: Vec<RuleText> = started
        .filter(|(name, _)| name.as_bytes() != Rule::Off.variable().as_bytes())
        .map(|(name, value)| (name.clone(), value.shown().into_owned()))
        .collect();
    for (name, value) in process.healed.iter().flat_map(|healed| &healed.rules) {
        let value = value.shown();
        let known = rules.iter().find(|(known, _)| known == name);
        let value = match value.strip_prefix(b"+") {
            Some(new) => joined(known.map(|(_, known)| known.as_slice()), name, new),
            None => value.into_owned(),
        };
        rules.retain(|(known, _)| known != name);
        rules.push((name.clone(), value));
    }
    rules
}

/// A list with `new` appended.
fn joined(known: Option<&[u8]>, variable: &Name, new: &[u8]) -> Vec<u8> {
    let separator = match variable.as_bytes() == Rule::Strip.variable().as_bytes() {
        true => b',',
        false => b':',
    };
    match known {
        None => [b"+", new].concat(),
        Some(b"none" | b"") => new.to_vec(),
        Some(known) if known == new || known.strip_prefix(b"+") == Some(new) => known.to_vec(),
        Some(known) => [known, &[separator], new].concat(),
    }
}

/// The rules in force as variables before a command, with `instead` replacing those of the same names. An empty rule is
/// left to a flag.
pub fn variables(process: &Process, instead: &[(Rule, Vec<u8>)]) -> String {
    let given = |name: &Name| {
        let mut all = instead.iter();
        all.any(|(rule, _)| name.as_bytes() == rule.variable().as_bytes())
    };
    let kept = rules_of(process).into_iter();
    let kept = kept.filter(|(name, _)| !given(name));
    let kept = kept.map(|(name, value)| format!("{}={} ", quote(&name), quote_bytes(&value)));
    let new = instead.iter().filter(|(_, value)| !value.is_empty());
    let new = new.map(|(rule, value)| format!("{}={} ", rule.variable(), quote_bytes(value)));
    kept.chain(new).collect()
}

/// The rules in force as flags of `watchfix heal`, with what is wanted in addition.
pub fn flags(process: &Process, heal: &Heal) -> String {
    let rules = rules_of(process);
    let flag = |rule: Rule| {
        let new = match rule {
            Rule::Strip if heal.attrib => b"attrib".to_vec(),
            Rule::Drop => patterns(&heal.drop),
            Rule::Settle => patterns(&heal.settle),
            // Where the log goes is up to the process.
            Rule::Log => return None,
            _ => Vec::new(),
        };
        let value = match new.is_empty() {
            false => added(process, rule, &new),
            true => {
                let mut all = rules.iter();
                let (_, value) = all.find(|(n, _)| n.as_bytes() == rule.variable().as_bytes())?;
                value.clone()
            }
        };
        let value = match rule {
            // The directories of its databases are settled as well, which the library does not do.
            Rule::Settle if value != b"none" && !value.starts_with(b"+") => {
                [b"+", &value[..]].concat()
            }
            // There is nothing to add it to.
            Rule::Drop if !new.is_empty() => value.strip_prefix(b"+").unwrap_or(&value).to_vec(),
            _ => value,
        };
        Some(format!("{} {} ", rule.flag()?, quote_bytes(&value)))
    };
    Rule::ALL.into_iter().filter_map(flag).collect()
}

/// A list of patterns with these appended: a rule that is given again replaces the one in force.
pub fn added(process: &Process, rule: Rule, new: &[u8]) -> Vec<u8> {
    let variable = Name::from(rule.variable());
    let all = rules_of(process);
    let known = all.iter().find(|(name, _)| *name == variable);
    joined(known.map(|(_, known)| known.as_slice()), &variable, new)
}

/// Names as patterns that match only themselves, separated by colons.
pub fn patterns(names: &[Name]) -> Vec<u8> {
    let escaped = names.iter().map(|name| {
        let mut pattern = Vec::new();
        for &byte in name.shown().iter() {
            if matches!(byte, b'*' | b'?' | b':' | b'\\') {
                pattern.push(b'\\');
            }
            pattern.push(byte);
        }
        pattern
    });
    escaped.collect::<Vec<_>>().join(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;
    use crate::model::{Healed, Program};

    #[test]
    fn rules_from_heal_stay_in_force_together_with_those_from_the_start() {
        let mut process = Fixture::new().process;
        let mut with = |started: &[(&str, &str)], healed: &[(&str, &str)]| {
            let names = |list: &[(&str, &str)]| {
                let list = list.iter();
                list.map(|&(name, value)| (name.into(), value.into()))
                    .collect()
            };
            process.watchfix_rules = names(started);
            process.healed = Some(Healed {
                at: String::new(),
                uid: 0,
                watches: 1,
                undo: None,
                seconds: 0,
                rules: names(healed),
            });
            (variables(&process, &[]), flags(&process, &Heal::default()))
        };
        let said = |variables: &str, flags: &str| (variables.to_owned(), flags.to_owned());
        let ignore = |value| ("WATCHFIX_IGNORE", value);
        assert_eq!(
            with(&[], &[ignore("+a.log")]),
            said("WATCHFIX_IGNORE=+a.log ", "--ignore +a.log ")
        );
        assert_eq!(
            with(&[ignore("+a.log")], &[ignore("+b.log")]),
            said("WATCHFIX_IGNORE=+a.log:b.log ", "--ignore +a.log:b.log ")
        );
        assert_eq!(
            with(&[ignore("+a.log")], &[ignore("none")]),
            said("WATCHFIX_IGNORE=none ", "--ignore none ")
        );
        assert_eq!(
            with(&[ignore("+a.log")], &[ignore("+a.log")]),
            said("WATCHFIX_IGNORE=+a.log ", "--ignore +a.log ")
        );
        assert_eq!(
            with(
                &[("WATCHFIX_STRIP", "open")],
                &[("WATCHFIX_STRIP", "+attrib")]
            ),
            said("WATCHFIX_STRIP=open,attrib ", "--strip open,attrib ")
        );
        // heal also settles the databases of a process. It does not take over where the process logs, or WATCHFIX_OFF.
        assert_eq!(
            with(
                &[
                    ("WATCHFIX_SETTLE", "/d"),
                    ("WATCHFIX_LOG", "stderr"),
                    ("WATCHFIX_OFF", "1")
                ],
                &[]
            ),
            said("WATCHFIX_SETTLE=/d WATCHFIX_LOG=stderr ", "--settle +/d ")
        );
    }

    #[test]
    fn a_program_that_a_shell_would_not_find_is_named_by_its_path() {
        let mut process = Fixture::new().process;
        process.exe = Some("/bin/bash".into());
        let mut with = |name: &str, through| {
            process.cmdline = Some(vec![name.into(), "x".into()]);
            command_line(&process, through).unwrap()
        };
        assert_eq!(with("-bash", false), "/bin/bash x");
        assert_eq!(with("bash", false), "bash x");
        assert_eq!(with("bash", true), "/bin/bash x");
        // The program may behave according to the name it was given.
        assert_eq!(with("sh", true), "sh x");
        for (in_path, through, says) in [
            (true, false, "bash x"),
            (true, true, "/v/bin/bash x"),
            (false, false, "/v/bin/bash x"),
        ] {
            process.found_in_path = Some(Program {
                path: "/v/bin/bash".into(),
                in_path,
            });
            process.cmdline = Some(vec!["bash".into(), "x".into()]);
            assert_eq!(command_line(&process, through).unwrap(), says);
        }
    }

    #[test]
    fn rules_in_force_stay_in_force_together_with_new_ones() {
        let mut process = Fixture::new().process;
        let mut with = |rules: &[(&str, &str)]| {
            let rules = rules
                .iter()
                .map(|&(name, value)| (name.into(), value.into()));
            process.watchfix_rules = rules.collect();
            let rule = Rule::Ignore;
            variables(&process, &[(rule, added(&process, rule, b"b.log"))])
        };
        assert_eq!(with(&[]), "WATCHFIX_IGNORE=+b.log ");
        assert_eq!(
            with(&[
                ("WATCHFIX_IGNORE", "+a.log"),
                ("WATCHFIX_DROP", "/x y"),
                ("WATCHFIX_OFF", "1")
            ]),
            "WATCHFIX_DROP='/x y' WATCHFIX_IGNORE=+a.log:b.log "
        );
        assert_eq!(
            with(&[("WATCHFIX_IGNORE", "none")]),
            "WATCHFIX_IGNORE=b.log "
        );
        assert_eq!(
            with(&[("WATCHFIX_IGNORE", "*.x")]),
            "WATCHFIX_IGNORE='*.x:b.log' "
        );
    }
}
