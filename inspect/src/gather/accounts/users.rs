//! The names of users: passwd(5).

use crate::model::{Login, Name};
use std::collections::{BTreeMap, HashMap};

/// The users of /etc/passwd. Users of a directory service only have a number: asking the service may take long.
#[derive(Debug, Default)]
pub struct Users {
    by_uid: HashMap<u32, Login>,
}

impl Users {
    /// Reads the file; without it no name is known.
    pub fn read() -> Users {
        Users::parse(&std::fs::read("/etc/passwd").unwrap_or_default())
    }

    fn parse(text: &[u8]) -> Users {
        let mut by_uid = HashMap::new();
        for line in text.split(|&b| b == b'\n') {
            let mut fields = line.split(|&b| b == b':');
            let (name, uid) = (fields.next(), fields.nth(1));
            let uid = uid.and_then(|uid| std::str::from_utf8(uid).ok()?.parse().ok());
            // After the group and the comment.
            let home = fields.nth(2).filter(|home| !home.is_empty());
            if let (Some(name), Some(uid)) = (name, uid) {
                // Of two names for one number, getpwuid(3) returns the first.
                by_uid.entry(uid).or_insert_with(|| Login {
                    name: name.into(),
                    home: home.unwrap_or(b"/").into(),
                });
            }
        }
        Users { by_uid }
    }

    /// The name of a user.
    pub fn name(&self, uid: u32) -> Option<&Name> {
        self.by_uid.get(&uid).map(|login| &login.name)
    }

    /// All of them by number.
    pub fn logins(self) -> BTreeMap<u32, Login> {
        self.by_uid.into_iter().collect()
    }

    /// The names of people: numbers below 1,000 belong to the distribution, 65,534 is nobody (login.defs(5)).
    pub fn of_people(&self) -> Vec<Vec<u8>> {
        let people = self
            .by_uid
            .iter()
            .filter(|(uid, _)| (1000..65_534).contains(*uid));
        let mut people: Vec<_> = people.collect();
        people.sort_by_key(|(uid, _)| **uid);
        people
            .into_iter()
            .map(|(_, login)| login.name.as_bytes().to_vec())
            .collect()
    }

    /// The number of a user given by name or number.
    pub fn uid(&self, user: &str) -> Option<u32> {
        let named = |(uid, login): (&u32, &Login)| {
            (login.name.as_bytes() == user.as_bytes()).then_some(*uid)
        };
        self.by_uid
            .iter()
            .find_map(named)
            .or_else(|| user.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_name_and_by_number() {
        let users =
            Users::parse(b"root:x:0:0:r:/root:/bin/sh\ntoor:x:0:0::/:\nwww:x:33:33::/:\n#\n::\n");
        assert_eq!(users.name(0), Some(&"root".into()));
        assert_eq!(users.uid("www"), Some(33));
        assert_eq!(users.uid("4711"), Some(4711));
        assert_eq!(users.uid("nobody-here"), None);
        assert_eq!(users.name(4711), None);
    }
}
