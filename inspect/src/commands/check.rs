//! `fdscan check PID|CMD`

use super::processes::several;
use super::{complain, layout};
use inspect::Exit;
use inspect::check::{self, NotStarted};
use inspect::cli::CheckArgs;
use inspect::export;
use inspect::model::CheckScan;
use inspect::render::{self, Detail, Guard, Layout};
use inspect::words::sanitize;
use std::io::{self, Write};
use std::process::ExitCode;

/// Checks, says what was broken, and ends as the command did.
pub fn check(args: &CheckArgs) -> ExitCode {
    let rules = args.rules();
    if args.command.is_empty() {
        let found = match several(&args.processes, "check", args.json) {
            Ok(found) => found,
            Err(exit) => return exit.into(),
        };
        let mut scan = check::processes(&found.pids, &rules);
        scan.errors.extend(found.failures);
        if let Err(exit) = report(&scan, args, io::stdout().lock()) {
            return exit.into();
        }
        for error in &scan.errors {
            complain(&sanitize(&error.why));
        }
        return Exit::of_check(&scan).into();
    }
    match check::command(&args.command, &rules, args.json) {
        Ok(scan) => {
            // The command's own output is not to be mixed with this.
            let written = if args.json {
                report(&scan, args, io::stdout().lock())
            } else {
                report(&scan, args, io::stderr().lock())
            };
            let status = scan.command.as_ref().map_or(0, |run| run.exit_status);
            match written {
                Err(exit) => exit.into(),
                Ok(()) if scan.passed => status.into(),
                Ok(()) => Exit::Found.into(),
            }
        }
        Err(NotStarted { why, status }) => {
            complain(&sanitize(&why));
            status.into()
        }
    }
}

/// A reader that has seen enough is not an error.
fn report(scan: &CheckScan, args: &CheckArgs, to: impl Write) -> Result<(), Exit> {
    if let Some(path) = &args.json_file {
        let mut text = Vec::new();
        let written = render::json(scan, &mut text)
            .and_then(|()| export::replace(path, &String::from_utf8_lossy(&text)));
        if let Err(e) = written {
            let what = path.display().to_string();
            complain(&format!("{} could not be written: {e}", sanitize(&what)));
            return Err(Exit::Usage);
        }
    }
    match write(scan, args, to) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(super::unwritten(&e)),
        _ => Ok(()),
    }
}

fn write(scan: &CheckScan, args: &CheckArgs, to: impl Write) -> io::Result<()> {
    let mut to = Guard::new(io::BufWriter::new(to));
    if args.json {
        render::json(scan, to.unguarded())?;
    } else {
        let layout = Layout {
            // A line for a rule is one line in a log.
            width: u16::MAX,
            ..layout(args.color, Detail::Short)
        };
        render::check_text(scan, layout, &mut to)?;
    }
    to.flush()?;
    // https://docs.github.com: set to true on every runner, and never shown by --json.
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        let mut lines = Vec::new();
        render::annotations(scan, &mut lines)?;
        if args.json {
            return io::stderr().write_all(&lines);
        }
        to.unguarded().write_all(&lines)?;
    }
    to.flush()
}
