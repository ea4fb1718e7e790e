//! What the launcher hands to the supervisor.

use super::command::Command;
use super::filter::Trapped;
use super::log::Log;
use crate::sys::seccomp::InFlight;
use crate::sys::signal;
use rules::Rules;

/// What the supervisor is started with.
pub struct Start<'a> {
    /// The command.
    pub command: &'a Command,
    /// The rules.
    pub rules: Rules<'a>,
    /// What the filter traps.
    pub trapped: &'a Trapped,
    /// Nothing is to be started without a filter.
    pub forced: bool,
    /// Why the library does not reach the command, if that is to be said where it is not supervised either.
    pub unreached: Option<String>,
    /// Where decisions are written.
    pub log: Log,
    /// The launcher.
    pub launcher: u32,
    /// What the command is to do about signals.
    pub inherited: signal::Inherited,
    /// The calls that were received and not answered.
    pub in_flight: InFlight,
}
