//! What the guardian tells the launcher.

use crate::sys::socket;
use std::io;
use std::os::fd::BorrowedFd;

/// A text is no longer than this; what is more is left out.
const MOST: usize = 32 << 10;

/// Begins a line that --quiet does not silence.
pub const PROBLEM: &str = "! ";

/// Lines for people, as they are shown: with `quiet` the problems alone.
pub fn lines(text: &str, quiet: bool) -> String {
    let lines = text
        .lines()
        .filter_map(|line| match line.strip_prefix(PROBLEM) {
            Some(line) => Some(format!("watchfix: {line}\n")),
            None => (!quiet).then(|| format!("watchfix: {line}\n")),
        });
    lines.collect()
}

/// One message: a kind, and lines for people.
pub enum Message<'a> {
    /// All is muted: the command may start.
    Ready(&'a str),
    /// It could not be; the reason.
    Failed(&'a str),
    /// The pause is over, and another one goes on.
    Waits(&'a str),
    /// It has ended.
    Done(&'a str),
}

/// Says it.
///
/// # Errors
/// EPIPE when the launcher has gone.
pub fn send(to: BorrowedFd<'_>, message: Message<'_>) -> io::Result<()> {
    let (kind, text) = match message {
        Message::Ready(text) => (b'r', text),
        Message::Failed(text) => (b'f', text),
        Message::Waits(text) => (b'w', text),
        Message::Done(text) => (b'd', text),
    };
    let mut bytes = vec![kind];
    bytes.extend(text.bytes().take(MOST - 1));
    socket::send(to, &bytes, &[])
}

/// Waits for the next one: its kind, as [`send`] writes it, and its text. `None` when the guardian has gone.
pub fn receive(from: BorrowedFd<'_>) -> Option<(u8, String)> {
    let mut bytes = vec![0; MOST];
    let (length, _) = socket::receive(from, &mut bytes).ok()?;
    let (&kind, text) = bytes.get(..length)?.split_first()?;
    Some((kind, String::from_utf8_lossy(text).into_owned()))
}
