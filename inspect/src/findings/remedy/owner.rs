//! How a command runs as another user. All commands that must do so use this.

use super::Remedies;
use super::quote::{quote, quote_text};
use crate::model::{Login, Name, Process};

/// How to run a command as another user.
#[derive(Debug, PartialEq, Eq)]
pub enum Owner {
    /// These words come first, followed by these variables. Such a command can enter a directory that the user who
    /// pastes it may not.
    Words {
        words: String,
        variables: String,
        enters: bool,
    },
    /// These words take the command as one more word, which a shell reads.
    Shell(String),
}

impl Remedies {
    /// How to run a command as user `uid`, or as a process of theirs does. `None` if nothing that is installed here can
    /// do that.
    pub(super) fn as_owner(&self, uid: u32, process: Option<&Process>) -> Option<Owner> {
        let here = self.system();
        let root = here.person == 0;
        let login = here.logins.get(&uid);
        let words = |words: String, variables: String| Owner::Words {
            words,
            variables,
            enters: !root,
        };
        Some(match login {
            // It is root, under any name.
            _ if here.sudo && uid == 0 => words("sudo".into(), String::new()),
            // sudo(8) does not accept a user without a name.
            Some(_) if here.sudo => words(format!("sudo -u '#{uid}'"), String::new()),
            // runuser(1) keeps HOME, which is root's.
            Some(Login { name, home }) if root && here.runuser => words(
                format!("runuser -u {} --", quote(name)),
                format!("HOME={} ", quote(home)),
            ),
            Some(Login { name, .. }) if root && here.su => {
                Owner::Shell(format!("su -s /bin/sh {} -c", quote(name)))
            }
            None if here.setpriv && (root || here.sudo) => {
                let sudo = if root { "" } else { "sudo " };
                let gid = process.and_then(|process| process.gid).unwrap_or(uid);
                let groups = process.map_or(&[][..], |process| &process.groups);
                let groups: Vec<_> = groups.iter().map(u32::to_string).collect();
                let groups = match groups.is_empty() {
                    true => "--clear-groups".to_owned(),
                    false => format!("--groups={}", groups.join(",")),
                };
                let home = process.and_then(|process| process.home.clone());
                words(
                    format!("{sudo}setpriv --reuid={uid} --regid={gid} {groups}"),
                    format!("HOME={} ", quote(&home.unwrap_or_else(|| "/".into()))),
                )
            }
            _ => return None,
        })
    }
}

impl Owner {
    /// The command, with variables that end in a blank.
    pub fn before(&self, variables: &str, command: &str) -> String {
        match self {
            Owner::Words { words, .. } => format!("{words} {variables}{command}"),
            Owner::Shell(words) => format!("{words} {}", quote_text(command)),
        }
    }

    /// The command, with variables, in a directory.
    pub fn starts(&self, dir: Option<&Name>, command: &str) -> String {
        let dir = dir.map(quote);
        match (self, dir) {
            (Owner::Shell(_), Some(dir)) => self.before("", &format!("cd {dir} && {command}")),
            (Owner::Shell(_), None) => self.before("", command),
            (
                Owner::Words {
                    words,
                    variables,
                    enters,
                },
                dir,
            ) => match (dir, enters) {
                (Some(dir), true) => format!("{words} env -C {dir} {variables}{command}"),
                (Some(dir), false) => format!("cd {dir} && {words} env {variables}{command}"),
                (None, _) => format!("{words} env {variables}{command}"),
            },
        }
    }
}
