//! The report as Markdown, as GitHub shows it (GFM).

use super::{Block, blocks};
use crate::model::BugReport;
use std::io::{self, Write};

/// Writes the report.
///
/// # Errors
/// What writing to `to` failed with.
pub fn markdown(report: &BugReport, to: &mut impl Write) -> io::Result<()> {
    for block in blocks(report) {
        match block {
            Block::Heading(level, text) => {
                writeln!(to, "{} {}\n", "#".repeat(level.into()), escape(&text))?;
            }
            Block::Paragraph(text) => writeln!(to, "{}\n", escape(&text))?,
            Block::List(lines) if lines.is_empty() => {}
            Block::List(lines) => {
                for line in lines {
                    writeln!(to, "- {}", escape(&line))?;
                }
                writeln!(to)?;
            }
            Block::Facts(rows) => {
                writeln!(to, "| | |\n| --- | --- |")?;
                for (key, value) in rows {
                    writeln!(to, "| {} | {} |", escape(&key), escape(&value))?;
                }
                writeln!(to)?;
            }
            Block::Verbatim(text) => {
                let fence = fence(&text);
                writeln!(to, "{fence}text\n{text}\n{fence}\n")?;
            }
            // Its figures are in the table above.
            Block::Plot(_) => {}
        }
    }
    Ok(())
}

/// Escapes what Markdown or HTML would interpret. A backslash before punctuation is not shown (CommonMark 2.4).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // On GitHub `@` would notify a user, and `#` and `:` would become links.
        if "\\`*_{}[]()<>#|~&!@$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    // A bare address would become a link.
    escaped.replace("://", ":\\//")
}

/// A fence longer than any run of backticks in the text.
fn fence(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat(3.max(longest + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_markup() {
        assert_eq!(escape("a_b|c"), "a\\_b\\|c");
        assert_eq!(escape("<img> @you `x`"), "\\<img\\> \\@you \\`x\\`");
        assert_eq!(escape("http://x"), "http:\\//x");
    }

    #[test]
    fn verbatim_text_cannot_end_its_fence() {
        assert_eq!(fence("a ```` b"), "`````");
        assert_eq!(fence("plain"), "```");
    }
}
