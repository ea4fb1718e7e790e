//! Names and paths as the kernel has them: bytes.

use super::redact;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A file name, path or argument: any bytes. Shown and serialised as text, with every byte that is no
/// UTF-8 as `\xNN`; redacted where that was asked for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Name(Box<[u8]>);

impl Name {
    /// The bytes themselves, to open the file by.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What is shown of it: the bytes themselves, or what stands for them (`--redact`).
    pub fn shown(&self) -> Cow<'_, [u8]> {
        match redact::shown(&self.0) {
            Some(text) => Cow::Owned(text.into_bytes()),
            None => Cow::Borrowed(&self.0),
        }
    }

    /// The last component of a path.
    pub fn base(&self) -> &[u8] {
        split_path(&self.0).1
    }

    /// What follows the last dot of the last component, if it looks like an extension: up to 12 letters,
    /// digits, `_` or `-`, not a mere number, and something before the dot.
    pub fn extension(&self) -> Option<&[u8]> {
        let base = self.base();
        let dot = base.iter().rposition(|&b| b == b'.').filter(|&at| at > 0)?;
        let rest = base.get(dot + 1..)?;
        let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let fits = (1..=12).contains(&rest.len()) && rest.iter().all(word);
        (fits && !rest.iter().all(u8::is_ascii_digit)).then_some(rest)
    }

    /// The path of the directory a path lies in: `/` for `/x`, `None` for what has no `/`.
    pub fn parent(&self) -> Option<&[u8]> {
        split_path(&self.0).0
    }
}

/// Splits a path at its last `/` into directory (`None` if it has no `/`) and name.
pub fn split_path(path: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match path.iter().rposition(|&b| b == b'/') {
        Some(0) => (Some(b"/"), path.get(1..).unwrap_or_default()),
        Some(at) => (path.get(..at), path.get(at + 1..).unwrap_or_default()),
        None => (None, path),
    }
}

impl From<&[u8]> for Name {
    fn from(bytes: &[u8]) -> Name {
        Name(bytes.into())
    }
}

impl From<Vec<u8>> for Name {
    fn from(bytes: Vec<u8>) -> Name {
        Name(bytes.into_boxed_slice())
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        text.as_bytes().into()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.shown().utf8_chunks() {
            f.write_str(chunk.valid())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.shown()) {
            Ok(text) => to.serialize_str(text),
            Err(_) => to.collect_str(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_are_escaped_and_the_rest_stays() {
        let name = Name::from(&b"a\xff\xc3\xa9\xc3"[..]);
        assert_eq!(name.to_string(), "a\\xffé\\xc3");
        assert_eq!(serde_json::to_string(&name).unwrap(), r#""a\\xffé\\xc3""#);
    }

    #[test]
    fn an_extension_is_a_short_word_after_the_last_dot() {
        let extension = |name: &str| Name::from(name).extension().map(<[u8]>::to_vec);
        assert_eq!(extension("/d/a.b.jsonl"), Some(b"jsonl".to_vec()));
        for none in ["/d.x/a", "/d/.profile", "/d/log.1", "/d/a.", "/d/a.b c"] {
            assert_eq!(extension(none), None, "{none}");
        }
    }

    #[test]
    fn a_path_in_the_root_has_the_root_as_parent() {
        assert_eq!(split_path(b"/x"), (Some(&b"/"[..]), &b"x"[..]));
        assert_eq!(split_path(b"/a/x"), (Some(&b"/a"[..]), &b"x"[..]));
        assert_eq!(split_path(b"x"), (None, &b"x"[..]));
    }
}
