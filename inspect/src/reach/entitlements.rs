//! The entitlements that decide about libraries, in the two forms a signature has them: a property list as XML, and
//! DER.

/// What is read of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Entitlements {
    /// `com.apple.security.cs.allow-dyld-environment-variables`
    pub allows_dyld_variables: bool,
    /// `com.apple.security.cs.disable-library-validation`
    pub disables_library_validation: bool,
}

impl Entitlements {
    /// Of a property list (plist(5)): what its outermost dictionary gives as true. Of a list that is cut off or is not
    /// one, what could be read before.
    pub fn of_xml(text: &[u8]) -> Entitlements {
        let mut found = Entitlements::default();
        let mut rest = text;
        let mut depth = 0u32;
        // The key that the next element of the outermost dictionary belongs to.
        let mut key: Option<&[u8]> = None;
        while let Some((content, tag)) = next_tag(&mut rest) {
            let name = tag.split(|b| b.is_ascii_whitespace() || *b == b'/').next();
            match (tag, name.unwrap_or_default()) {
                ([b'/', closed @ ..], _) => {
                    let closed = closed.trim_ascii();
                    if closed == b"key" && depth == 1 {
                        key = Some(content.trim_ascii());
                    } else if closed == b"dict" || closed == b"array" {
                        depth = depth.saturating_sub(1);
                    }
                }
                ([b'?' | b'!', ..], _) | (_, b"key" | b"plist") => {}
                (_, b"dict" | b"array") => {
                    key = None;
                    if !tag.ends_with(b"/") {
                        depth = depth.saturating_add(1);
                    }
                }
                (_, name) => {
                    if let Some(key) = key.take() {
                        found.set(key, name == b"true");
                    }
                }
            }
        }
        found
    }

    /// Of the DER form: `[APPLICATION 16] { version INTEGER, [16] { { key UTF8String, value }... } }`. Of what is not
    /// that, what could be read before.
    pub fn of_der(bytes: &[u8]) -> Entitlements {
        const SEQUENCE: u8 = 0x30;
        const TEXT: u8 = 0x0c;
        const BOOLEAN: u8 = 0x01;
        let mut found = Entitlements::default();
        let mut rest = bytes;
        let Some((0x70, mut outer)) = next_value(&mut rest) else {
            return found;
        };
        let mut pairs = loop {
            match next_value(&mut outer) {
                Some((0xb0, pairs)) => break pairs,
                Some(_) => {}
                None => return found,
            }
        };
        while let Some((SEQUENCE, mut pair)) = next_value(&mut pairs) {
            if let (Some((TEXT, key)), Some((kind, value))) =
                (next_value(&mut pair), next_value(&mut pair))
            {
                let holds = kind == BOOLEAN && value.iter().any(|&b| b != 0);
                found.set(key, holds);
            }
        }
        found
    }

    fn set(&mut self, key: &[u8], value: bool) {
        match key {
            b"com.apple.security.cs.allow-dyld-environment-variables" => {
                self.allows_dyld_variables = value;
            }
            b"com.apple.security.cs.disable-library-validation" => {
                self.disables_library_validation = value;
            }
            _ => {}
        }
    }
}

/// The text up to the next tag, and that tag without its brackets. Comments are left out.
fn next_tag<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    loop {
        let open = rest.iter().position(|&b| b == b'<')?;
        let (content, from) = (rest.get(..open)?, rest.get(open + 1..)?);
        if from.starts_with(b"!--") {
            let end = from.windows(3).position(|three| three == b"-->")?;
            *rest = from.get(end + 3..)?;
            continue;
        }
        let close = from.iter().position(|&b| b == b'>')?;
        let tag = from.get(..close)?;
        *rest = from.get(close + 1..)?;
        return Some((content, tag));
    }
}

/// The next value of a DER text: its tag, which has one byte here, and its content (X.690, 8.1).
fn next_value<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, after) = rest.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, after) = match first {
        0..=0x7f => (usize::from(first), after),
        0x81..=0x84 => {
            let (digits, after) = after.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0usize, |length, &digit| length << 8 | usize::from(digit));
            (length, after)
        }
        _ => return None,
    };
    let (content, after) = after.split_at_checked(length)?;
    *rest = after;
    Some((tag, content))
}
