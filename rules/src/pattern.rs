//! Pattern lists: names to ignore, directories to drop.
//!
//! `*` is any run of characters and `?` one character, both inside one path component and both
//! matching a leading dot; `\` makes the next character literal. There are no classes and no braces:
//! `[id].tsx` and `{a}` are ordinary names.

/// A colon-separated pattern list that was checked when it was parsed.
///
/// It borrows its text: nothing is copied and nothing is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patterns<'a> {
    /// The list that stands without being asked for.
    default: &'a [u8],
    /// The caller's own list.
    own: &'a [u8],
    /// The last bytes that a matching name can have, of those below 128: nearly every name that does
    /// not match is told by it alone.
    last: u128,
}

impl<'a> Patterns<'a> {
    /// A list that matches nothing.
    pub const EMPTY: Patterns<'static> = Patterns::new(b"", b"");

    /// Two lists, both checked, as one.
    pub(crate) const fn new(default: &'a [u8], own: &'a [u8]) -> Patterns<'a> {
        let last = last_bytes(default) | last_bytes(own);
        Patterns { default, own, last }
    }

    /// True if no pattern is in it, so that nothing needs to be resolved to compare with it.
    pub fn is_empty(&self) -> bool {
        self.default.is_empty() && self.own.is_empty()
    }

    /// True if one of the patterns is what `wanted` looks for. Not generic: it stands in the library once.
    fn any(&self, wanted: &dyn Fn(&[u8]) -> bool) -> bool {
        [self.default, self.own]
            .into_iter()
            .any(|list| Items::of(list, b':').any(|(_, item)| wanted(item)))
    }

    /// True if a file name (one component, no slash) matches.
    pub fn match_name(&self, name: &[u8]) -> bool {
        match name.last() {
            Some(&c @ ..128) if self.last >> c & 1 == 0 => false,
            _ => self.any(&|pattern| glob(pattern, name)),
        }
    }

    /// True if `path`, absolute and resolved, is a directory named by a pattern or lies below one.
    /// `home` is what `~` stands for; without it such patterns match nothing.
    pub fn match_below(&self, path: &[u8], home: Option<&[u8]>) -> bool {
        self.any(&|pattern| below(pattern, path, home))
    }
}

/// Every byte below 128 that ends a name some item matches, and perhaps others.
const fn last_bytes(list: &[u8]) -> u128 {
    let mut set = 0;
    let mut left = list;
    while let [c, rest @ ..] = left {
        // An escaped colon ends no item: then one byte too many is in the set.
        if matches!(rest, [] | [b':', ..]) {
            set |= match c {
                b'*' | b'?' => u128::MAX,
                0..128 => 1 << *c,
                128.. => 0,
            };
        }
        left = rest;
    }
    set
}

/// The items of a list with their byte offsets; a separator behind a backslash is none. An empty text has none.
pub(crate) struct Items<'a> {
    text: &'a [u8],
    separator: u8,
    next: Option<usize>,
}

impl<'a> Items<'a> {
    pub(crate) fn of(text: &'a [u8], separator: u8) -> Items<'a> {
        Items {
            text,
            separator,
            next: (!text.is_empty()).then_some(0),
        }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = (usize, &'a [u8]);

    #[inline(never)]
    fn next(&mut self) -> Option<(usize, &'a [u8])> {
        let start = self.next.take()?;
        let rest = self.text.get(start..)?;
        let end = unescaped(self.separator, rest).unwrap_or(rest.len());
        if end < rest.len() {
            self.next = Some(start + end + 1);
        }
        Some((start, rest.get(..end)?))
    }
}

fn unescaped(separator: u8, text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&c| {
        let found = c == separator && !escaped;
        escaped = c == b'\\' && !escaped;
        found
    })
}

/// True if an item ends in the middle of an escape.
pub(crate) fn unterminated(item: &[u8]) -> bool {
    item.iter().rev().take_while(|&&c| c == b'\\').count() % 2 == 1
}

/// True if `name` matches `pattern`; neither has a slash.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (pattern, name);
    // Where to go on when what follows the last `*` did not match: one character further.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (p, n) {
            ([b'*', rest @ ..], _) => {
                retry = Some((rest, n));
                p = rest;
                continue;
            }
            ([], []) => return true,
            ([b'?', rest @ ..], [_, ..]) => {
                p = rest;
                n = after_char(n);
                continue;
            }
            ([b'\\', c, rest @ ..], [d, tail @ ..]) if c == d => {
                p = rest;
                n = tail;
                continue;
            }
            ([c, rest @ ..], [d, tail @ ..]) if c == d && *c != b'\\' => {
                p = rest;
                n = tail;
                continue;
            }
            _ => {}
        }
        match retry {
            Some((rest, [_, tail @ ..])) => {
                retry = Some((rest, tail));
                p = rest;
                n = tail;
            }
            _ => return false,
        }
    }
}

/// What follows the first character: one UTF-8 sequence, or one byte of anything else.
fn after_char(text: &[u8]) -> &[u8] {
    match text {
        [0xc0..=0xff, tail @ ..] => {
            let more = tail
                .iter()
                .take(3)
                .take_while(|&&c| (0x80..0xc0).contains(&c))
                .count();
            tail.get(more..).unwrap_or(b"")
        }
        [_, tail @ ..] => tail,
        [] => text,
    }
}

fn below(pattern: &[u8], path: &[u8], home: Option<&[u8]>) -> bool {
    match pattern {
        [b'~', rest @ ..] => {
            let Some(home) = home else { return false };
            let home = home.strip_suffix(b"/").unwrap_or(home);
            match path.strip_prefix(home) {
                Some(tail @ ([] | [b'/', ..])) => prefix(rest, tail),
                _ => false,
            }
        }
        [b'*', b'*', b'/', rest @ ..] => {
            let mut tail = path;
            loop {
                if prefix(rest, tail) {
                    return true;
                }
                match components(tail) {
                    Some((_, deeper)) => tail = deeper,
                    None => return false,
                }
            }
        }
        _ => prefix(pattern, path),
    }
}

/// True if the components of `pattern` match the first components of `path`.
fn prefix(mut pattern: &[u8], mut path: &[u8]) -> bool {
    while let Some((want, rest)) = components(pattern) {
        match components(path) {
            Some((name, deeper)) if glob(want, name) => {
                pattern = rest;
                path = deeper;
            }
            _ => return false,
        }
    }
    true
}

/// The first component and what follows it; `None` when only slashes are left.
fn components(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = path.iter().position(|&c| c != b'/')?;
    let path = path.get(start..)?;
    let end = path.iter().position(|&c| c == b'/').unwrap_or(path.len());
    path.split_at_checked(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(own: &[u8]) -> Patterns<'_> {
        Patterns::new(b"", own)
    }

    #[test]
    fn a_star_and_a_question_mark_match_inside_a_name() {
        assert!(glob(b"*.*-wal", b"logs_2.sqlite-wal"));
        assert!(!glob(b"*.*-wal", b"wal"));
        assert!(!glob(b"*.*-wal", b"a-wal"));
        assert!(glob(b"logs_?.sqlite", b"logs_2.sqlite"));
        assert!(glob(b"?", "\u{e9}".as_bytes()));
        assert!(!glob(b"?", b""));
        assert!(glob(b"*", b""));
        assert!(glob(b"*", b".hidden"));
        assert!(glob(b"a*b*c", b"a-b-b-c"));
        assert!(!glob(b"a*b*c", b"a-b-b-"));
    }

    #[test]
    fn a_backslash_makes_the_next_character_literal() {
        assert!(glob(br"\*", b"*"));
        assert!(!glob(br"\*", b"x"));
        assert!(list(br"a\:b:c").match_name(b"a:b"));
        assert!(list(br"a\:b:c").match_name(b"c"));
        assert!(!list(br"a\:b:c").match_name(b"b"));
    }

    #[test]
    fn brackets_and_braces_are_ordinary_characters() {
        assert!(glob(b"[id].tsx", b"[id].tsx"));
        assert!(!glob(b"[id].tsx", b"i.tsx"));
        assert!(glob(b"{a,b}", b"{a,b}"));
    }

    #[test]
    fn a_directory_pattern_names_the_directory_and_everything_below() {
        let p = list(b"/var/lib/app:/srv/*/state/");
        assert!(p.match_below(b"/var/lib/app", None));
        assert!(p.match_below(b"/var/lib/app/x/y", None));
        assert!(!p.match_below(b"/var/lib/apple", None));
        assert!(!p.match_below(b"/var/lib", None));
        assert!(p.match_below(b"/srv/a/state/x", None));
        assert!(!p.match_below(b"/srv/a/b/state", None));
        assert!(list(b"/").match_below(b"/anything", None));
    }

    #[test]
    fn two_stars_find_a_directory_of_that_name_anywhere() {
        let p = list(b"**/node_modules:**/a/b");
        assert!(p.match_below(b"/w/x/node_modules/y", None));
        assert!(p.match_below(b"/node_modules", None));
        assert!(!p.match_below(b"/w/node_modules2", None));
        assert!(p.match_below(b"/x/a/b/c", None));
        assert!(!p.match_below(b"/x/a/c/b", None));
    }

    #[test]
    fn a_tilde_is_the_home_directory() {
        let p = list(b"~/.codex");
        assert!(p.match_below(b"/home/me/.codex/log", Some(b"/home/me")));
        assert!(p.match_below(b"/home/me/.codex", Some(b"/home/me/")));
        assert!(!p.match_below(b"/home/me2/.codex", Some(b"/home/me")));
        assert!(!p.match_below(b"/home/me/.codex", None));
        assert!(p.match_below(b"/.codex", Some(b"/")));
    }
}
