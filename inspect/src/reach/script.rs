//! The first line of a script, and what env(1) makes of its words.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// How much of a script is looked at: the kernels take 256 bytes (Linux, BINPRM_BUF_SIZE) and 512 (xnu, IMG_SHSIZE).
pub const HEAD: u64 = 512;

/// What follows `#!`, without the spaces around it; `None` if this is not a script.
pub fn line(head: &[u8]) -> Option<&[u8]> {
    let rest = head.strip_prefix(b"#!")?;
    let line = rest.split(|&c| c == b'\n').next()?.trim_ascii();
    (!line.is_empty()).then_some(line)
}

/// The words of such a line. xnu hands all of them over one by one (exec_shell_imgact); Linux hands what follows the
/// first over as one, which env(1) takes apart with -S.
pub fn words(line: &[u8]) -> Vec<OsString> {
    line.split(|&c| c == b' ' || c == b'\t')
        .filter(|word| !word.is_empty())
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect()
}

/// The words of the first line of a file that begins with `head`; `None` if it is not a script.
pub fn first_words(head: &[u8]) -> Option<Vec<OsString>> {
    line(head).map(words)
}

/// Whether a program is env(1), which becomes the one it is told.
pub fn is_env(path: &Path) -> bool {
    path.file_name() == Some(OsStr::new("env"))
}

/// What env(1) does before it becomes another program.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EnvCall {
    /// It begins with an empty environment.
    pub clear: bool,
    /// Variables it sets and, where there is no value, takes out, in this order.
    pub changes: Vec<(OsString, Option<OsString>)>,
    /// The program and its arguments.
    pub command: Vec<OsString>,
}

/// Reads the arguments of env(1), without its name.
///
/// # Errors
/// An option that is not followed here, such as `-C`.
pub fn env_call(arguments: &[OsString]) -> Result<EnvCall, OsString> {
    let mut call = EnvCall::default();
    let mut rest: Vec<OsString> = arguments.iter().rev().cloned().collect();
    let mut options = true;
    while let Some(word) = rest.pop() {
        let bytes = word.as_bytes();
        match bytes {
            b"--" if options => options = false,
            b"-" | b"-i" | b"--ignore-environment" if options => call.clear = true,
            b"-u" if options => {
                let name = rest.pop().ok_or_else(|| word.clone())?;
                call.changes.push((name, None));
            }
            b"-S" | b"--split-string" if options => {
                let text = rest.pop().ok_or_else(|| word.clone())?;
                split(text.as_bytes(), &mut rest).ok_or(text)?;
            }
            _ if options && bytes.starts_with(b"--split-string=") => {
                let text = bytes.get(15..).unwrap_or_default();
                split(text, &mut rest).ok_or_else(|| word.clone())?;
            }
            [b'-', b'S', text @ ..] if options => {
                split(text, &mut rest).ok_or_else(|| word.clone())?;
            }
            [b'-', b'u', name @ ..] if options => {
                let name = OsString::from_vec(name.to_vec());
                call.changes.push((name, None));
            }
            [b'-', ..] if options => return Err(word),
            _ => match bytes.iter().position(|&b| b == b'=') {
                Some(at) if at > 0 => {
                    options = false;
                    let (name, value) = bytes.split_at(at);
                    let value = value.get(1..).unwrap_or_default();
                    let own = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
                    call.changes.push((own(name), Some(own(value))));
                }
                _ => {
                    call.command.push(word);
                    call.command.extend(rest.drain(..).rev());
                }
            },
        }
    }
    Ok(call)
}

/// Puts the words of a -S text in front of `rest`, whose first word is its last. `None` where it quotes or expands
/// something.
fn split(text: &[u8], rest: &mut Vec<OsString>) -> Option<()> {
    if text.iter().any(|b| b"\"'\\$#".contains(b)) {
        return None;
    }
    rest.extend(words(text).into_iter().rev());
    Some(())
}
