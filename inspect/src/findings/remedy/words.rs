//! The words commands are made of: the command line of a process, and rules as `watchfix` takes them.

use super::quote::{quote, quote_bytes};
use crate::gather::is_title;
use crate::model::{Name, Process};

/// The command line, quoted. Its program is named by path where the process was given a name that a
/// shell would not find: a login shell's `-bash`, none, or `through` sudo(8), which has a PATH of its own.
pub fn command_line(process: &Process, through: bool) -> Option<String> {
    let arguments = process.cmdline.as_deref().unwrap_or_default();
    // What it was started by stands nowhere any more.
    if arguments.first().is_some_and(is_title) {
        return None;
    }
    let exe = process.exe.as_ref();
    let bare = |name: &Name| through && exe.is_some_and(|exe| exe.base() == name.as_bytes());
    let program = arguments
        .first()
        .filter(|name| !name.as_bytes().is_empty() && !name.as_bytes().starts_with(b"-"))
        .filter(|name| !bare(name))
        .or(exe)?;
    let mut words = vec![quote(program)];
    words.extend(arguments.iter().skip(1).map(quote));
    Some(words.join(" "))
}

/// The rules it was started with, as they stand before a command, with `instead` for those of these names. An
/// empty one is left to a flag. What switches them off is not one that helps.
pub fn variables(process: &Process, instead: &[(&str, Vec<u8>)]) -> String {
    let is = |name: &Name, other: &str| name.as_bytes() == other.as_bytes();
    let kept = process.watchfix_rules.iter().filter(|(name, _)| {
        !is(name, "WATCHFIX_OFF") && !instead.iter().any(|(other, _)| is(name, other))
    });
    let kept = kept.map(|(name, value)| format!("{}={} ", quote(name), quote(value)));
    let new = instead.iter().filter(|(_, value)| !value.is_empty());
    let new = new.map(|(name, value)| format!("{name}={} ", quote_bytes(value)));
    kept.chain(new).collect()
}

/// A list of patterns with these behind what stands in it: a rule that is given anew replaces the one in force.
pub fn added(process: &Process, variable: &str, new: &[u8]) -> Vec<u8> {
    let mut all = process.watchfix_rules.iter();
    let known = all.find(|(name, _)| name.as_bytes() == variable.as_bytes());
    match known.map(|(_, value)| value.shown().into_owned()) {
        None => [b"+", new].concat(),
        Some(none) if none == b"none" || none.is_empty() => new.to_vec(),
        Some(known) => [&known[..], b":", new].concat(),
    }
}

/// The rule that settles a directory besides those of the process's own databases.
pub fn settled(dir: &Name) -> String {
    quote_bytes(&[b"+", &patterns(std::slice::from_ref(dir))[..]].concat())
}

/// Names as patterns that mean only themselves, separated by colons.
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

    #[test]
    fn what_a_shell_would_not_find_is_named_by_its_path() {
        let mut process = Fixture::new().process;
        process.exe = Some("/bin/bash".into());
        let mut with = |name: &str, through| {
            process.cmdline = Some(vec![name.into(), "x".into()]);
            command_line(&process, through).unwrap()
        };
        assert_eq!(with("-bash", false), "/bin/bash x");
        assert_eq!(with("bash", false), "bash x");
        assert_eq!(with("bash", true), "/bin/bash x");
        // The name it was given may be what it goes by.
        assert_eq!(with("sh", true), "sh x");
    }

    #[test]
    fn rules_in_force_stay_in_force_beside_new_ones() {
        let mut process = Fixture::new().process;
        let mut with = |rules: &[(&str, &str)]| {
            let rules = rules
                .iter()
                .map(|&(name, value)| (name.into(), value.into()));
            process.watchfix_rules = rules.collect();
            let name = "WATCHFIX_IGNORE";
            variables(&process, &[(name, added(&process, name, b"b.log"))])
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
