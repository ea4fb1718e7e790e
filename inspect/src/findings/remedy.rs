//! The commands that help, ready to be pasted into a shell.

use crate::gather::{self, is_title};
use crate::model::{Name, Process};
use std::path::{Path, PathBuf};

const LIBRARY: &str = "libwatchfix.so";
const IGNORE: &str = "WATCHFIX_IGNORE";
const SETTLE: &str = "WATCHFIX_SETTLE";

/// Writes commands. Knows where the preload library is.
#[derive(Debug)]
pub struct Remedies {
    library: PathBuf,
}

impl Remedies {
    /// Looks for the library beside this program, then in ../lib.
    pub fn locate() -> Remedies {
        let own = std::env::current_exe().ok();
        let dir = own.as_deref().and_then(Path::parent);
        let found = dir.and_then(|dir| {
            let beside = dir.join(LIBRARY);
            let lib = dir.parent().map(|up| up.join("lib").join(LIBRARY));
            [Some(beside), lib]
                .into_iter()
                .flatten()
                .find(|p| p.is_file())
        });
        Remedies {
            library: found.unwrap_or_else(|| Path::new("/path/to").join(LIBRARY)),
        }
    }

    /// Starts the program again with the default rules: by preload if it is dynamic, else (and when that
    /// is not known) by `watchfix run`, which works for every program.
    pub fn start(&self, process: &Process) -> Option<String> {
        self.start_with(process, "")
    }

    /// The same with these events stripped, which the library does by default.
    pub fn start_stripping(&self, process: &Process, events: &str) -> Option<String> {
        self.start_with(process, &format!("--strip {events} "))
    }

    /// The same with events of these names removed. Engines that see masks only cannot do that: there
    /// the directory is settled, so that a file is reported when it is closed and not at every write.
    pub fn start_ignoring(&self, process: &Process, names: &[&[u8]], dir: &Name) -> Option<String> {
        let names: Vec<Name> = names.iter().map(|&name| name.into()).collect();
        let command = command(process)?;
        let ignore = (IGNORE, added(process, IGNORE, &patterns(&names)));
        let settle = added(process, SETTLE, &patterns(std::slice::from_ref(dir)));
        Some(if process.is_dynamic() {
            let variables = variables(process, &[ignore]);
            format!("{variables}LD_PRELOAD={} {command}", self.preload(process))
        } else {
            let settle = quote_bytes(&settle);
            let variables = variables(process, &[(SETTLE, Vec::new())]);
            format!("{variables}watchfix run --settle {settle} -- {command}")
        })
    }

    fn start_with(&self, process: &Process, flags: &str) -> Option<String> {
        let command = command(process)?;
        let variables = variables(process, &[]);
        Some(if process.is_dynamic() {
            format!("{variables}LD_PRELOAD={} {command}", self.preload(process))
        } else {
            format!("{variables}watchfix run {flags}-- {command}")
        })
    }

    /// The library, with what the process preloads already after it.
    fn preload(&self, process: &Process) -> String {
        // This program may lie in somebody's home: a name like any other.
        let own = Name::from(self.library.as_os_str().as_encoded_bytes());
        let mut list = own.shown().into_owned();
        let others = process.preload.requested.iter().flatten();
        for other in others.filter(|entry| entry.base() != LIBRARY.as_bytes()) {
            list.push(b':');
            list.extend_from_slice(&other.shown());
        }
        quote_bytes(&list)
    }

    /// Starts the program again under `watchfix run`.
    pub fn run(&self, process: &Process) -> Option<String> {
        Some(format!("watchfix run -- {}", command(process)?))
    }

    /// Changes the watches of the running process.
    pub fn heal(&self, process: &Process) -> String {
        format!("watchfix heal {}", process.pid)
    }

    /// The same, with these events stripped.
    pub fn heal_stripping(&self, process: &Process, events: &str) -> String {
        format!("watchfix heal --strip {events} {}", process.pid)
    }

    /// The same, with a directory settled.
    pub fn heal_settling(&self, process: &Process, dir: &Name) -> String {
        format!("watchfix heal --settle {} {}", settled(dir), process.pid)
    }

    /// Writes the WAL into the database and cuts it to nothing. Readers that come one after the other are
    /// waited for: once everything is in the database, the next ones do not need the log.
    pub fn checkpoint(&self, database: &Name) -> String {
        let path = quote(database);
        format!("sqlite3 {path} 'PRAGMA busy_timeout=10000; PRAGMA wal_checkpoint(TRUNCATE)'")
    }

    /// Copies the files of a database, unlinked ones through the descriptors that keep them: those of one
    /// moment, because a -wal means nothing without the database it was written for. The process stands
    /// still meanwhile, and goes on whether the copies were made or not.
    pub fn rescue(&self, pid: u32, files: &[(Option<i32>, &Name)]) -> String {
        let copies = files.iter().map(|(fd, path)| {
            let from = match fd {
                Some(fd) => format!("/proc/{pid}/fd/{fd}"),
                None => quote(path),
            };
            let to = [&path.shown()[..], b".saved"].concat();
            format!(" && cp {from} {}", quote_bytes(&to))
        });
        let copies: String = copies.collect();
        format!("kill -STOP {pid}{copies}; kill -CONT {pid}")
    }

    /// Raises the soft limit of open descriptors (prlimit(1): `N:` leaves the hard one alone).
    pub fn raise_fd_limit(&self, pid: u32, soft: u64) -> String {
        format!("prlimit --pid {pid} --nofile={soft}:")
    }
}

/// Whether `watchfix`, which some commands begin with, lies beside this program or in PATH.
pub fn launcher_is_installed() -> bool {
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let path = std::env::var_os("PATH").unwrap_or_default();
    beside
        .into_iter()
        .chain(std::env::split_paths(&path))
        .any(|dir| gather::is_file(dir.join("watchfix").as_os_str().as_encoded_bytes()))
}

/// The command line, quoted. Its program is named by path where the process was given a name that a
/// shell would not find: a login shell's `-bash`, or none.
fn command(process: &Process) -> Option<String> {
    let arguments = process.cmdline.as_deref().unwrap_or_default();
    // What it was started by stands nowhere any more.
    if arguments.first().is_some_and(is_title) {
        return None;
    }
    let program = arguments
        .first()
        .filter(|name| !name.as_bytes().is_empty() && !name.as_bytes().starts_with(b"-"))
        .or(process.exe.as_ref())?;
    let mut words = vec![quote(program)];
    words.extend(arguments.iter().skip(1).map(quote));
    Some(words.join(" "))
}

/// The rules it was started with, as they stand before a command, with `instead` for those of these names. An
/// empty one is left to a flag. What switches them off is not one that helps.
fn variables(process: &Process, instead: &[(&str, Vec<u8>)]) -> String {
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
fn added(process: &Process, variable: &str, new: &[u8]) -> Vec<u8> {
    let mut all = process.watchfix_rules.iter();
    let known = all.find(|(name, _)| name.as_bytes() == variable.as_bytes());
    match known.map(|(_, value)| value.shown().into_owned()) {
        None => [b"+", new].concat(),
        Some(none) if none == b"none" || none.is_empty() => new.to_vec(),
        Some(known) => [&known[..], b":", new].concat(),
    }
}

/// The rule that settles a directory besides those of the process's own databases.
fn settled(dir: &Name) -> String {
    quote_bytes(&[b"+", &patterns(std::slice::from_ref(dir))[..]].concat())
}

/// Names as patterns that mean only themselves, separated by colons.
fn patterns(names: &[Name]) -> Vec<u8> {
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

/// Quotes a name, as it is shown, for a POSIX shell; one with control characters or bytes that are no
/// UTF-8 for those that know `$'...'` (bash, zsh, ksh, POSIX 2024), so that it can be shown as well as
/// pasted.
pub fn quote(word: &Name) -> String {
    quote_bytes(&word.shown())
}

fn quote_bytes(word: &[u8]) -> String {
    match std::str::from_utf8(word) {
        Ok(text) if text.chars().any(crate::render::is_unsafe) => quote_ansi(word),
        Ok(text) => quote_text(text),
        Err(_) => quote_ansi(word),
    }
}

fn quote_text(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn quote_ansi(word: &[u8]) -> String {
    let mut quoted = String::from("$'");
    for &byte in word {
        match byte {
            b'\'' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => quoted += &format!("\\{byte:03o}"),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;
    use crate::model::Linkage;
    use proptest::prelude::*;

    fn remedies() -> Remedies {
        Remedies {
            library: "/opt/watch fix/libwatchfix.so".into(),
        }
    }

    #[test]
    fn a_dynamic_program_is_started_with_the_preload_and_its_real_command_line() {
        let mut fixture = Fixture::new();
        fixture.process.linkage = Some(Linkage::Dynamic);
        fixture.process.cmdline = Some(vec!["apx".into(), "dev".into(), "a b".into()]);
        fixture.process.preload.requested = Some(vec!["/usr/lib/other.so".into()]);
        assert_eq!(
            remedies().start(&fixture.process).unwrap(),
            "LD_PRELOAD='/opt/watch fix/libwatchfix.so:/usr/lib/other.so' apx dev 'a b'"
        );
    }

    #[test]
    fn a_static_program_is_started_by_watchfix_run() {
        let mut fixture = Fixture::new();
        fixture.process.linkage = Some(Linkage::Static);
        fixture.process.cmdline = Some(vec!["codex".into()]);
        assert_eq!(
            remedies().start(&fixture.process).unwrap(),
            "watchfix run -- codex"
        );
    }

    #[test]
    fn names_are_ignored_by_the_library_and_settled_by_engines_that_see_masks_only() {
        let mut fixture = Fixture::new();
        let names: [&[u8]; 2] = [b"out.log", b"a:b"];
        fixture.process.linkage = Some(Linkage::Dynamic);
        assert_eq!(
            remedies()
                .start_ignoring(&fixture.process, &names, &"/d".into())
                .unwrap(),
            r"WATCHFIX_IGNORE='+out.log:a\:b' LD_PRELOAD='/opt/watch fix/libwatchfix.so' tool"
        );
        fixture.process.linkage = Some(Linkage::Static);
        assert_eq!(
            remedies()
                .start_ignoring(&fixture.process, &names, &"/d".into())
                .unwrap(),
            "watchfix run --settle +/d -- tool"
        );
    }

    #[test]
    fn a_login_shell_is_named_by_its_path() {
        let mut fixture = Fixture::new();
        fixture.process.exe = Some("/bin/bash".into());
        fixture.process.cmdline = Some(vec!["-bash".into()]);
        assert_eq!(
            remedies().run(&fixture.process).unwrap(),
            "watchfix run -- /bin/bash"
        );
    }

    #[test]
    fn words_are_quoted_so_that_they_can_be_pasted() {
        assert_eq!(quote_bytes(b"a-b/c.d"), "a-b/c.d");
        assert_eq!(quote_bytes(b""), "''");
        assert_eq!(quote_bytes(b"it's"), r"'it'\''s'");
        assert_eq!(quote_bytes(b"a\nb"), r"$'a\012b'");
        assert_eq!(quote_bytes(b"\xff1"), r"$'\3771'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_shell_reads_a_quoted_word_as_it_was(word in proptest::collection::vec(1u8..=255, 0..40)) {
            let script = format!("printf %s {}", quote_bytes(&word));
            let shell = std::process::Command::new("bash").arg("-c").arg(script).output();
            if let Ok(done) = shell {
                prop_assert_eq!(done.stdout, word);
            }
        }
    }

    #[test]
    fn rules_in_force_stay_in_force_beside_new_ones() {
        let mut fixture = Fixture::new();
        fixture.process.linkage = Some(Linkage::Dynamic);
        let remedies = Remedies::locate();
        let mut with = |rules: &[(&str, &str)]| {
            let rules = rules
                .iter()
                .map(|&(name, value)| (name.into(), value.into()));
            fixture.process.watchfix_rules = rules.collect();
            let command = remedies.start_ignoring(&fixture.process, &[b"b.log"], &"/d".into());
            let command = command.unwrap();
            let end = command.find("LD_PRELOAD").unwrap();
            command[..end].to_owned()
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
