//! How a command runs as another user. All commands that must do so use this.

use super::Remedies;
use super::quote::{quote, quote_text};
use crate::model::{Login, Name};

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
    /// How to run a command as user `uid`, whose group is `gid` if that is known. `None` if nothing that is installed
    /// here can do that.
    pub(super) fn as_owner(&self, uid: u32, gid: Option<u32>) -> Option<Owner> {
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
                let gid = gid.unwrap_or(uid);
                words(
                    format!("{sudo}setpriv --reuid={uid} --regid={gid} --clear-groups"),
                    "HOME=/ ".into(),
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
