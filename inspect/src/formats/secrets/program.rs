//! Secrets that can be recognised only by knowing the program: `curl -u user:password`, `mysql -ppassword`.

use crate::formats::secrets::tables::HIDDEN;
use crate::model::Name;

/// What follows a flag.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Flag {
    /// Nothing secret.
    #[default]
    None,
    /// A secret.
    Secret,
    /// A user's name, a colon and a password.
    Login,
}

/// The programs that a command line names, directly or in a script.
#[derive(Clone, Copy, Default)]
pub struct Programs {
    curl: bool,
    mysql: bool,
    sshpass: bool,
    heroku: bool,
}

impl Programs {
    /// The programs among these words.
    pub fn of<'a>(words: impl Iterator<Item = &'a [u8]>) -> Programs {
        let mut found = Programs::default();
        for word in words.flat_map(|word| word.split(u8::is_ascii_whitespace)) {
            let quote = |b: &u8| matches!(b, b'"' | b'\'' | b'`' | b'(' | b'$' | b';');
            let start = word.iter().take_while(|b| quote(b)).count();
            let name = Name::from(word.get(start..).unwrap_or_default());
            let name = name.base();
            found.curl |= name == b"curl";
            found.sshpass |= name == b"sshpass";
            found.mysql |= name.starts_with(b"mysql") || name.starts_with(b"mariadb");
            let lower = word.to_ascii_lowercase();
            found.heroku |= lower.windows(6).any(|part| part == b"heroku");
        }
        found
    }

    /// What follows this word.
    pub fn flag(self, word: &[u8]) -> Flag {
        match word {
            b"-p" if self.sshpass => Flag::Secret,
            b"--user" | b"--proxy-user" if self.curl => Flag::Login,
            // Flags of one letter may stand together, and the last one takes a value.
            [b'-', letters @ .., b'u' | b'U']
                if self.curl && letters.iter().all(u8::is_ascii_alphabetic) =>
            {
                Flag::Login
            }
            _ => Flag::None,
        }
    }

    /// A flag and its value in one word, as it is shown; `None` if the word is something else.
    pub fn glued(self, word: &[u8]) -> Option<Vec<u8>> {
        let behind = |flag: &[u8]| {
            let value = word.strip_prefix(flag)?;
            (!value.is_empty()).then_some(value)
        };
        if (self.mysql || self.sshpass) && behind(b"-p").is_some() {
            return Some([b"-p", HIDDEN].concat());
        }
        let flags = [&b"-u"[..], b"-U", b"--user=", b"--proxy-user="];
        let (flag, value) = flags
            .iter()
            .filter(|_| self.curl)
            .find_map(|flag| Some((*flag, behind(flag)?)))?;
        Some([flag, &login(value)].concat())
    }

    /// Whether a UUID may be a key, as with Heroku.
    pub fn keys_are_uuids(self) -> bool {
        self.heroku
    }
}

/// `user:password` without the password.
pub fn login(word: &[u8]) -> Vec<u8> {
    match word.iter().position(|&b| b == b':') {
        Some(at) => [word.get(..=at).unwrap_or_default(), HIDDEN].concat(),
        None => word.to_vec(),
    }
}
