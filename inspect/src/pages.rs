//! Completions and man pages, made from the definition the command line is parsed by: they cannot be out
//! of date. What that definition does not say of a program, such as its files, is written by hand: [`Manual`].

#[cfg(target_os = "linux")]
use crate::gather::unanswered;
use crate::output::print;
use clap::{Args, Command, Subcommand};
use clap_complete::Shell;
use clap_mangen::Man;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a command line's definition does not say, in man(7).
#[derive(Debug, Clone, Copy)]
pub struct Manual {
    /// The last sections of the program's own page.
    pub sections: &'static str,
    /// Whole pages, with the names of their files.
    pub pages: &'static [(&'static str, &'static str)],
}

/// When this version came out, as CHANGELOG.md has it.
const DATE: &str = "2026-11-28";

/// That of fdscan.
pub const FDSCAN: Manual = Manual {
    sections: include_str!("../man/fdscan.man"),
    pages: &[],
};

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
    /// Where they go: a directory that is there, such as ~/.local/share/man/man1
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
    pub fn write(&self, mut program: Command, manual: Manual) -> Result<(), String> {
        match self {
            Pages::Completions(args) => {
                let name = program.get_name().to_owned();
                let mut script = Vec::new();
                clap_complete::generate(args.shell, &mut program, name, &mut script);
                print(&script)
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
                manual
                    .write(program, directory)
                    .map_err(|e| failed(e.to_string()))
            }
        }
    }
}

impl Manual {
    fn write(self, program: Command, directory: &Path) -> io::Result<()> {
        let mut program = program.disable_help_subcommand(true);
        program.build();
        for command in program.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let parent = program.get_name();
            let sections = format!(".SH SEE ALSO\n.BR {parent} (1)\n");
            let (name, page) = page(command, &sections)?;
            fs::write(directory.join(name), page)?;
        }
        // What follows its help is for a screen; the page has sections for that.
        let program = program.after_help(None).after_long_help(None);
        let (name, page) = page(&program, self.sections)?;
        fs::write(directory.join(name), page)?;
        for (name, text) in self.pages {
            fs::write(directory.join(name), text)?;
        }
        Ok(())
    }
}

/// The page of a command, and the name of its file. `sections` are its last.
fn page(command: &Command, sections: &str) -> io::Result<(String, Vec<u8>)> {
    let man = Man::new(command.clone()).date(DATE).manual("watchfix");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if command.get_after_long_help().is_some() || command.get_after_help().is_some() {
        page.extend(notes(command));
    }
    page.extend(sections.bytes());
    Ok((man.get_filename(), page))
}

/// What follows the help of a command, as paragraphs.
fn notes(command: &Command) -> Vec<u8> {
    let text = command.get_after_long_help().or(command.get_after_help());
    let text = text.map(ToString::to_string).unwrap_or_default();
    let mut notes = b".SH NOTES\n".to_vec();
    for line in text.lines() {
        // A line that begins with a dot or an apostrophe would be a macro; a backslash begins an escape.
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        let line = match line.strip_prefix("  ") {
            Some(example) => format!(".RS 4\n\\&{}\n.RE\n", example.trim_start()),
            None if line.is_empty() => ".PP\n".to_owned(),
            None => format!("\\&{line}\n"),
        };
        notes.extend(line.bytes());
    }
    notes
}

/// Only where /proc says what is mounted it can be told whether a place answers.
#[cfg(not(target_os = "linux"))]
fn unanswered(_: &Path) -> Option<&'static str> {
    None
}
