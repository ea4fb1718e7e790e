//! Completions and man pages, made from the definition the command line is parsed by: they cannot be out
//! of date.

use crate::gather::unanswered;
use clap::{Args, Command, Subcommand};
use clap_complete::Shell;
use std::io::{self, Write};
use std::path::PathBuf;

/// Commands every program of this project has.
#[derive(Debug, Subcommand)]
pub enum Pages {
    /// Print the completions of this program for a shell
    Completions(CompletionsArgs),

    /// Write the man pages of this program to a directory
    Man(ManArgs),
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell to write them for
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Where they go: a directory that is there, as ~/.local/share/man/man1
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

impl Pages {
    /// Whether they go to standard output.
    pub fn are_printed(&self) -> bool {
        matches!(self, Pages::Completions(_))
    }

    /// Writes what was asked for about `program`.
    ///
    /// # Errors
    /// What could not be written where, as a sentence without its full stop.
    pub fn write(&self, mut program: Command) -> Result<(), String> {
        match self {
            Pages::Completions(args) => {
                let name = program.get_name().to_owned();
                let mut script = Vec::new();
                clap_complete::generate(args.shell, &mut program, name, &mut script);
                match io::stdout().write_all(&script) {
                    Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                        Err(format!("the completions could not be written: {e}"))
                    }
                    _ => Ok(()),
                }
            }
            Pages::Man(args) => {
                let directory = &args.directory;
                let failed = |why: String| {
                    let place = directory.display();
                    format!("the man pages could not be written to {place}: {why}")
                };
                if let Some(why) = unanswered(directory) {
                    return Err(failed(format!("it lies {why}")));
                }
                clap_mangen::generate_to(program, directory).map_err(|e| failed(e.to_string()))
            }
        }
    }
}
