//! The preload library, and the environment that loads it.

use crate::settings::Settings;
use crate::sys::words;
use inspect::gather::{library_places, package_places, without_dots};
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

const NAME: &str = "libwatchfix.so";

/// Tells the library not to judge its masks again: [`rules::watch::JUDGED`]. Tells `fdscan` that there is a
/// supervisor.
const SUPERVISED: &str = "WATCHFIX_RUN";

/// AddressSanitizer's runtime ends a program with status 1 where another library is loaded before it, unless told not to look.
/// clang links it into the program; gcc makes it a library.
const SANITIZER: (&str, &str) = ("ASAN_OPTIONS", "verify_asan_link_order");

/// Finds the library, where `fdscan` finds it: beside this program, or where packages put it.
///
/// # Errors
/// Why it cannot be used, as the end of a sentence.
pub fn find() -> Result<PathBuf, String> {
    let own =
        env::current_exe().map_err(|e| format!("this program's path is unknown: {}", words(&e)))?;
    let dir = own.parent().unwrap_or(Path::new("/"));
    let places = library_places(dir).into_iter().chain(package_places());
    let Some(found) = places
        .map(|place| without_dots(&place))
        .find(|place| place.is_file())
    else {
        return Err(format!(
            "there is no {NAME} in {}, in ../lib, nor where packages put it",
            dir.display()
        ));
    };
    // ld.so(8): LD_PRELOAD has no way to quote its separators.
    if found
        .as_os_str()
        .as_bytes()
        .iter()
        .any(|c| b" :".contains(c))
    {
        return Err(format!("LD_PRELOAD cannot name {}", found.display()));
    }
    Ok(found)
}

/// The command's environment: this process's; with `library` what loads it behind whatever is preloaded already; and the
/// rules, where either is in force. They are for the library, also one that a program below loads by itself, and for
/// `fdscan`.
pub fn environment(library: Option<&Path>, settings: &Settings, supervised: bool) -> Vec<CString> {
    let mut own: Vec<(OsString, OsString)> = Vec::new();
    if library.is_some() || supervised {
        for (name, value) in settings.variables() {
            own.push((name.into(), OsStr::from_bytes(value).into()));
        }
    }
    if supervised {
        own.push((SUPERVISED.into(), "1".into()));
    }
    if let Some(library) = library {
        own.push((
            "LD_PRELOAD".into(),
            preload(env::var_os("LD_PRELOAD"), library),
        ));
        let (name, option) = SANITIZER;
        own.push((name.into(), without_check(env::var_os(name), option)));
    }
    let set = |name: &OsStr| own.iter().any(|(own, _)| own == name);
    let kept = env::vars_os().filter(|(name, _)| !set(name));
    let all = kept.collect::<Vec<_>>().into_iter().chain(own.clone());
    all.filter_map(|(name, value)| {
        let entry = [name.as_bytes(), b"=", value.as_bytes()].concat();
        CString::new(entry).ok()
    })
    .collect()
}

fn preload(before: Option<OsString>, library: &Path) -> OsString {
    let library = library.as_os_str().as_bytes();
    let before = before.map(OsString::into_vec).unwrap_or_default();
    let there = before
        .split(|c| b" :".contains(c))
        .any(|one| one == library);
    OsString::from_vec(match before.is_empty() {
        true => library.to_vec(),
        false if there => before,
        false => [&before, &b":"[..], library].concat(),
    })
}

/// The sanitizer's options, with `option` off unless they say something about it.
fn without_check(before: Option<OsString>, option: &str) -> OsString {
    let mut text = before.map(OsString::into_vec).unwrap_or_default();
    // FlagParser::is_space of compiler-rt's sanitizer_common/sanitizer_flag_parser.cpp.
    let mut parts = text.split(|c| b" ,:\n\t\r".contains(c));
    let is_set = |part: &[u8]| {
        let rest = part.strip_prefix(option.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"="))
    };
    if !parts.any(is_set) {
        let between = if text.is_empty() { "" } else { ":" };
        text.extend_from_slice(format!("{between}{option}=0").as_bytes());
    }
    OsString::from_vec(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_comes_behind_what_is_preloaded_already() {
        let with = |before: Option<&str>| preload(before.map(Into::into), Path::new("/l.so"));
        assert_eq!(with(None), "/l.so");
        assert_eq!(with(Some("")), "/l.so");
        assert_eq!(with(Some("/a.so b.so")), "/a.so b.so:/l.so");
        assert_eq!(with(Some("/l.so:/a.so")), "/l.so:/a.so");
    }

    #[test]
    fn a_sanitizer_is_told_not_to_look_unless_it_is_told_something() {
        let with = |before: Option<&str>| without_check(before.map(Into::into), "check");
        assert_eq!(with(None), "check=0");
        assert_eq!(with(Some("")), "check=0");
        assert_eq!(with(Some("a=1")), "a=1:check=0");
        assert_eq!(
            with(Some("a=1 precheck=1,checks=1")),
            "a=1 precheck=1,checks=1:check=0"
        );
        for told in ["check=1", "a=1:check=1:b=2", "a=1, check=0"] {
            assert_eq!(with(Some(told)), told);
        }
    }
}
