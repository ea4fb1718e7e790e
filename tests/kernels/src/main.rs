//! Checks `fdscan`, `watchfix` and the library on the kernel this runs on, as the user it is started by. Linked statically, it runs in
//! any virtual machine or container; scripts/test-kernels says how.
//!
//! ```text
//! kernels check LABEL DIR       a line for each check; DIR holds the programs. Status 1 if one failed
//! kernels docker COMMAND...     runs COMMAND with the system calls refused that Docker's default profile refuses
//! kernels signals N PATH HZ     places and removes a watch N times under a timer, for the check of that name
//! ```

// A check fails by panicking, with a sentence that says what is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod checks;
mod docker;
mod machine;
mod signals;
mod tree;
mod watcher;

use machine::Machine;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["check", label, directory] => check(label, &Machine::seen(directory.as_ref())),
        ["docker", ref command @ ..] if !command.is_empty() => docker::exec(command),
        ["signals", count, path, hertz] => {
            signals::place(count.parse().unwrap(), path, hertz.parse().unwrap());
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: kernels check LABEL DIR | docker COMMAND... | signals N PATH HZ");
            ExitCode::from(2)
        }
    }
}

/// Runs every check. What one panics with is its reason.
fn check(label: &str, machine: &Machine) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    println!("# {label}: {machine}");
    let mut failed = false;
    for (name, check) in checks::of(label) {
        let ended = catch_unwind(AssertUnwindSafe(|| check(machine)));
        let line = match ended {
            Ok(()) => format!("ok      {label}: {name}"),
            Err(panic) => {
                failed = true;
                let why = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no reason");
                let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
                format!("FAILED  {label}: {name}: {why}")
            }
        };
        println!("{line}");
        let _ = std::io::stdout().flush();
    }
    ExitCode::from(u8::from(failed))
}
