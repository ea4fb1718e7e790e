//! `watchfix run` on a Mac: the library alone, in the program that the command leads to.
//!
//! What is decided here is [`inspect::reach::Start`]'s, which Linux tests. Nobody of this project has a Mac: this file was
//! compiled for it and never run there.

use super::cli::RunArgs;
use crate::complaint::{USAGE, complain};
use crate::settings::Settings;
use inspect::output::print;
use inspect::reach::{Host, Refusal, Start};
use inspect::render::inert;
use inspect::words::sanitize;
use rules::Rule;
use rules::rule::{Log, Problem};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const NAME: &str = "libwatchfix.dylib";

/// Where packages put it.
const PLACES: [&str; 2] = ["/usr/local/lib", "/opt/homebrew/lib"];

/// Becomes the command, or with --explain says what it would become.
pub fn main(args: &RunArgs, settings: &Settings) -> ExitCode {
    let command = args.command.as_slice();
    let rules = settings.rules();
    if rules.off {
        let name = command.first().map_or(OsStr::new(""), |name| name);
        let error = Command::new(name)
            .args(command.get(1..).unwrap_or_default())
            .exec();
        return cannot_be_run(Path::new(name), &error);
    }
    if !can_be_opened(rules.log) {
        complain(&settings.problem(Rule::Log, Problem::CannotOpen));
        return USAGE.into();
    }
    let start = library().and_then(|library| {
        let environment = with_rules(env::vars_os().collect(), settings);
        Start::of(command, environment, &library, Host::here())
    });
    match start {
        Err(refusal) => {
            let (status, text) = refusal.status_and_text();
            complain(text);
            status.into()
        }
        Ok(start) if args.explain => answer(&explained(&start)),
        Ok(start) => {
            let error = to_run(&start).exec();
            cannot_be_run(&start.program, &error)
        }
    }
}

/// Whether the library will be able to write its log. Only regular files are opened, as the library does.
fn can_be_opened(log: Log<'_>) -> bool {
    let Log::File(path) = log else {
        return true;
    };
    let path = Path::new(OsStr::from_bytes(path));
    let is_other = path.metadata().is_ok_and(|meta| !meta.is_file());
    !is_other && File::options().append(true).create(true).open(path).is_ok()
}

/// Beside this program, in ../lib, or where packages put it.
fn library() -> Result<PathBuf, Refusal> {
    let own = env::current_exe().and_then(|own| own.canonicalize());
    let dir = own.ok().and_then(|own| own.parent().map(Path::to_owned));
    let near = dir.map(|dir| [dir.join(NAME), dir.join("../lib").join(NAME)]);
    let usual = PLACES.map(|place| Path::new(place).join(NAME));
    let mut all = near.into_iter().flatten().chain(usual);
    all.find(|place| place.is_file()).ok_or_else(|| {
        Refusal::NotReached(format!(
            "there is no {NAME} beside this program, in ../lib, nor in {}",
            PLACES.join(", ")
        ))
    })
}

/// The environment with the rules, which the library reads from there.
fn with_rules(
    environment: Vec<(OsString, OsString)>,
    settings: &Settings,
) -> Vec<(OsString, OsString)> {
    let own = |name: &OsStr| settings.variables().any(|(own, _)| name == own);
    let kept = environment.into_iter().filter(|(name, _)| !own(name));
    let rules = settings
        .variables()
        .map(|(name, value)| (name.into(), OsStr::from_bytes(value).into()));
    kept.chain(rules).collect()
}

fn to_run(start: &Start) -> Command {
    let mut command = Command::new(&start.program);
    if let Some((name, arguments)) = start.arguments.split_first() {
        command.arg0(name).args(arguments);
    }
    command
        .env_clear()
        .envs(start.environment.iter().map(|(name, value)| (name, value)));
    command
}

fn explained(start: &Start) -> String {
    let mut lines: Vec<String> = start
        .followed
        .iter()
        .map(|step| format!("followed    {}", step.display()))
        .collect();
    lines.push(format!("program     {}", start.program.display()));
    lines.push(format!("library     {}", start.why));
    lines.push(
        "children    have it too, but for what Apple's own programs start, such as /bin/sh and /usr/bin/env"
            .to_owned(),
    );
    let lines: Vec<_> = lines.iter().map(|line| sanitize(line)).collect();
    inert(&(lines.join("\n") + "\n")).into_owned()
}

fn answer(text: &str) -> ExitCode {
    match print(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            USAGE.into()
        }
    }
}

fn cannot_be_run(program: &Path, error: &io::Error) -> ExitCode {
    complain(&format!("{} cannot be run: {error}", program.display()));
    match error.kind() {
        io::ErrorKind::NotFound => 127.into(),
        _ => 126.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule_args::RuleArgs;

    fn start() -> Start {
        Start {
            program: "/bin/sh".into(),
            arguments: ["name", "-c", "echo \"$0 $A $B\"", "x"]
                .map(OsString::from)
                .into(),
            environment: vec![("A".into(), "1".into())],
            followed: vec!["/d/script".into(), "/usr/bin/env".into()],
            why: "It is signed ad hoc.".into(),
        }
    }

    #[test]
    fn the_program_gets_its_arguments_and_exactly_this_environment() {
        let output = to_run(&start()).output().unwrap();
        assert_eq!(output.stdout, b"x 1 \n");
    }

    #[test]
    fn rules_given_as_options_replace_those_of_the_environment() {
        let flags = RuleArgs {
            strip: Some("open".into()),
            ..RuleArgs::default()
        };
        let settings = Settings::new(&flags).unwrap();
        let before = vec![
            ("WATCHFIX_STRIP".into(), "chmod".into()),
            ("A".into(), "1".into()),
        ];
        let all = with_rules(before, &settings);
        let strip: Vec<_> = all
            .iter()
            .filter(|(name, _)| name == "WATCHFIX_STRIP")
            .collect();
        assert_eq!(strip, [&("WATCHFIX_STRIP".into(), "open".into())]);
        assert!(all.contains(&("A".into(), "1".into())));
    }

    #[test]
    fn a_log_that_cannot_be_written_is_known_before_anything_is_started() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).into_os_string().into_encoded_bytes();
        assert!(can_be_opened(Log::None) && can_be_opened(Log::Stderr));
        assert!(can_be_opened(Log::File(&path("log"))));
        assert!(!can_be_opened(Log::File(&path("none/log"))));
        assert!(!can_be_opened(Log::File(&path(""))));
        assert!(!can_be_opened(Log::File(b"/dev/null")));
    }

    #[test]
    fn what_was_followed_and_why_is_said() {
        let text = explained(&start());
        assert!(
            text.starts_with(
                "followed    /d/script\nfollowed    /usr/bin/env\nprogram     /bin/sh\n"
            )
        );
        assert!(
            text.contains("\nlibrary     It is signed ad hoc.\n"),
            "{text}"
        );
    }
}
