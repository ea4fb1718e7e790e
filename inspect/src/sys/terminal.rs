//! The size of the terminal behind standard output.

use super::check;

/// The width in columns of the terminal behind standard output, or `None` if it is not a terminal.
pub fn terminal_width() -> Option<u16> {
    Some(size()?.ws_col).filter(|&columns| columns > 0)
}

/// The same of its height in rows.
pub fn terminal_rows() -> Option<u16> {
    Some(size()?.ws_row).filter(|&rows| rows > 0)
}

fn size() -> Option<libc::winsize> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one struct winsize to the pointer.
    check(unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) }).ok()?;
    Some(size)
}
