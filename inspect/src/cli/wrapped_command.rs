//! Where somebody else's command begins on our command line: its options are its own, with or without `--`.

use clap::{Arg, Command};
use std::ffi::{OsStr, OsString};

/// Puts `--` before the command that `program NAME [OPTIONS] CMD ARGS...` is to run, where there is none and the first
/// word is not one that `is_ours`. `args` begins with the program's own name.
pub fn split_off_command(
    mut args: Vec<OsString>,
    program: &Command,
    name: &str,
    is_ours: impl Fn(&OsStr) -> bool,
) -> Vec<OsString> {
    let program = built(program);
    let Some(at) =
        first_word(&args, 1, &program).filter(|&at| args.get(at).is_some_and(|a| a == name))
    else {
        return args;
    };
    let Some(command) = program.find_subcommand(name) else {
        return args;
    };
    if let Some(at) = first_word(&args, at + 1, command)
        && args.get(at).is_some_and(|word| !is_ours(word))
    {
        args.insert(at, "--".into());
    }
    args
}

/// The command of `program` that `args` are for, and `program` itself where that is none of them.
pub fn command_of(args: &[OsString], program: &Command) -> Command {
    let program = built(program);
    let word = first_word(args, 1, &program).and_then(|at| args.get(at)?.to_str());
    let command = word.and_then(|word| program.find_subcommand(word));
    command.cloned().unwrap_or(program)
}

/// With the options every command has.
fn built(program: &Command) -> Command {
    let mut program = program.clone();
    program.build();
    program
}

/// Where the first word stands that is neither an option of `command` nor the value of one; `None` if `--` comes first.
fn first_word(args: &[OsString], from: usize, command: &Command) -> Option<usize> {
    let mut at = from;
    while let Some(word) = args.get(at) {
        let bytes = word.as_encoded_bytes();
        if bytes == b"--" {
            return None;
        }
        if !bytes.starts_with(b"-") || bytes == b"-" {
            return Some(at);
        }
        at += 1 + usize::from(takes_next(bytes, command));
    }
    None
}

/// Whether the value of this option is the next word. Of an option that is none the parser has to say something.
fn takes_next(word: &[u8], command: &Command) -> bool {
    let takes_value = |arg: &Arg| arg.get_action().takes_values();
    let find = |is: &dyn Fn(&Arg) -> bool| command.get_arguments().find(|arg| is(arg));
    if let Some(name) = word.strip_prefix(b"--") {
        return find(&|arg| arg.get_long().is_some_and(|long| long.as_bytes() == name))
            .is_some_and(takes_value);
    }
    // Of several letters, the first that takes a value has the rest of the word, or the next one.
    let letters = word.get(1..).unwrap_or_default();
    let of_value = |&letter: &u8| {
        find(&|arg| arg.get_short() == Some(char::from(letter))).is_some_and(takes_value)
    };
    letters
        .iter()
        .position(of_value)
        .is_some_and(|at| at + 1 == letters.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use crate::targets::Target;
    use clap::CommandFactory;

    fn parted(line: &str) -> String {
        let args = line.split(' ').map(OsString::from).collect();
        let args = split_off_command(args, &Cli::command(), "check", Target::is_number);
        args.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn what_follows_the_first_word_of_a_command_is_the_commands() {
        for (line, wanted) in [
            ("fdscan check npm test", "fdscan check -- npm test"),
            (
                "fdscan check --max-fds 20 npm --json",
                "fdscan check --max-fds 20 -- npm --json",
            ),
            (
                "fdscan check --max-fds=20 --json npm -p 1",
                "fdscan check --max-fds=20 --json -- npm -p 1",
            ),
            ("fdscan --redact check npm", "fdscan --redact check -- npm"),
            ("fdscan check npm -- test", "fdscan check -- npm -- test"),
            ("fdscan check -", "fdscan check -- -"),
        ] {
            assert_eq!(parted(line), wanted);
        }
    }

    #[test]
    fn a_line_without_such_a_command_stays_as_it_is() {
        for line in [
            "fdscan check -- npm test",
            "fdscan check --json -- 12",
            "fdscan check 12 --max-fds 20",
            "fdscan check --max-fds 20 12,13 :80",
            "fdscan check -p 12",
            "fdscan check -p12 --user me",
            "fdscan check",
            "fdscan 12",
            "fdscan events check",
            "fdscan",
        ] {
            assert_eq!(parted(line), line);
        }
    }

    #[test]
    fn the_command_a_line_is_for_is_its_first_word() {
        let name = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            command_of(&args, &Cli::command()).get_name().to_owned()
        };
        assert_eq!(name("fdscan --redact wal --jsno"), "wal");
        assert_eq!(name("fdscan nginx --jsno"), "fdscan");
        assert_eq!(name("fdscan"), "fdscan");
    }
}
