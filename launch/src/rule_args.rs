//! The rules on a command line: those of every command that has some.

use clap::Args;
use std::ffi::OsString;

/// The rules. Where a flag is not given, the variable counts that the library reads (`WATCHFIX_STRIP` for
/// `--strip`), then the default.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Rules")]
pub struct RuleArgs {
    /// Events taken out of every watch's mask: open,access,close_nowrite,chmod. Attribute changes that are neither a
    /// touch nor an end are chmod: they are told where events are seen; attrib takes out all of them
    #[arg(long, value_name = "EVENTS")]
    pub strip: Option<OsString>,

    /// Directories whose watches never fire, with everything below: /abs, ~/dir, **/name
    #[arg(long, value_name = "DIRS")]
    pub drop: Option<OsString>,

    /// Files whose events are ignored; by default SQLite databases and their logs
    #[arg(long, value_name = "NAMES")]
    pub ignore: Option<OsString>,

    /// Directories in which a file is reported when it is closed, not at every write; by default those in
    /// which the program holds a SQLite database open
    #[arg(long, value_name = "DIRS")]
    pub settle: Option<OsString>,

    /// Watches a process may have; more of them cost nothing and never fire
    #[arg(long, value_name = "N")]
    pub max_watches: Option<OsString>,

    /// Where every decision is written: stderr, or an absolute path
    #[arg(long, value_name = "WHERE")]
    pub log: Option<OsString>,
}
