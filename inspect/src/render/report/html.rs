//! The report as one HTML file, without scripts and without anything to load.

use super::escape::escape;
use super::{Block, blocks, plot};
use crate::model::BugReport;
use std::io::{self, Write};

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<title>fdscan report</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
pre { background: #f4f4f4; padding: 1em; overflow-x: auto; font-size: 13px; }
td { padding: 0 1em 0 0; vertical-align: top; }
td:first-child { color: #666; white-space: nowrap; }
svg { display: block; margin: 1em 0; max-width: 100%; }
h3 { margin-bottom: 0; }
</style>
</head>
<body>
";

/// Writes the report.
///
/// # Errors
/// What writing to `to` failed with.
pub fn html(report: &BugReport, to: &mut impl Write) -> io::Result<()> {
    to.write_all(HEAD.as_bytes())?;
    for block in blocks(report) {
        match block {
            Block::Heading(level, text) => writeln!(to, "<h{level}>{}</h{level}>", escape(&text))?,
            Block::Paragraph(text) => writeln!(to, "<p>{}</p>", escape(&text))?,
            Block::List(lines) if lines.is_empty() => {}
            Block::List(lines) => {
                writeln!(to, "<ul>")?;
                for line in lines {
                    writeln!(to, "<li>{}</li>", escape(&line))?;
                }
                writeln!(to, "</ul>")?;
            }
            Block::Facts(rows) => {
                writeln!(to, "<table>")?;
                for (key, value) in rows {
                    let (key, value) = (escape(&key), escape(&value));
                    writeln!(to, "<tr><td>{key}</td><td>{value}</td></tr>")?;
                }
                writeln!(to, "</table>")?;
            }
            Block::Verbatim(text) => writeln!(to, "<pre>{}</pre>", escape(&text))?,
            Block::Plot(plot) => writeln!(to, "{}", plot::svg(&plot))?,
        }
    }
    writeln!(to, "</body>\n</html>")
}
