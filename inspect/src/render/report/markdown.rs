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
            // Its figures stand in the table above.
            Block::Plot(_) => {}
        }
    }
    Ok(())
}

/// Takes the meaning from what Markdown or HTML would obey. A backslash before punctuation is shown as the
/// punctuation (CommonMark 2.4).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // `@` would call a user on GitHub, `#` and `:` lead to issues and links.
        if "\\`*_{}[]()<>#|~&!@$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    // A link by its bare address.
    escaped.replace("://", ":\\//")
}

/// Longer than any run of backticks within.
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
    fn what_is_verbatim_cannot_end_its_fence() {
        assert_eq!(fence("a ```` b"), "`````");
        assert_eq!(fence("plain"), "```");
    }
}
