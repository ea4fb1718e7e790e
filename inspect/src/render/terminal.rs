//! What the environment says about the terminal: colour, and which characters it can show.

use std::ffi::{OsStr, OsString};

/// Whether to colour, if that is left to the environment.
pub fn wants_colour(terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    // https://no-color.org and https://bixense.com/clicolors
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    terminal && !is_dumb(variable)
}

/// Whether the terminal can only show lines.
pub fn is_dumb(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    variable("TERM").is_some_and(|term| term == "dumb")
}

/// Whether the locale only has ASCII characters, going by its name. locale(7) has the order of the variables; if none
/// is set, it is the C locale.
pub fn is_ascii(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let mut all = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().map(variable);
    let locale = all.find_map(|value| value.filter(|value| !value.is_empty()));
    let is_unicode = |locale: &OsStr| {
        let name = locale.to_string_lossy().to_ascii_lowercase();
        name.contains("utf-8") || name.contains("utf8")
    };
    !locale.is_some_and(|locale| is_unicode(&locale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment<'a>(all: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| {
            let found = all.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        }
    }

    #[test]
    fn colour_is_for_terminals_that_have_it_or_if_it_is_forced() {
        for (terminal, variables, wanted) in [
            (true, &[][..], true),
            (false, &[], false),
            (true, &[("TERM", "dumb")], false),
            (true, &[("TERM", "xterm")], true),
            (true, &[("NO_COLOR", "1")], false),
            (true, &[("NO_COLOR", "")], true),
            (false, &[("CLICOLOR_FORCE", "1")], true),
            (false, &[("CLICOLOR_FORCE", "0")], false),
            (true, &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], true),
            (true, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        ] {
            let wants = wants_colour(terminal, environment(variables));
            assert_eq!(wants, wanted, "{terminal} {variables:?}");
        }
    }

    #[test]
    fn the_first_variable_that_is_set_names_the_locale() {
        for (variables, ascii) in [
            (&[][..], true),
            (&[("LANG", "C")], true),
            (&[("LANG", "C.UTF-8")], false),
            (&[("LANG", "de_DE.utf8")], false),
            (&[("LANG", "de_DE.ISO-8859-1")], true),
            (&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], true),
            (&[("LC_ALL", ""), ("LANG", "en_US.UTF-8")], false),
            (&[("LC_CTYPE", "C.UTF-8"), ("LANG", "C")], false),
        ] {
            assert_eq!(is_ascii(environment(variables)), ascii, "{variables:?}");
        }
    }
}
