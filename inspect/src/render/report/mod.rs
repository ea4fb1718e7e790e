//! A report to attach to a bug: built once as blocks, then written as Markdown or HTML.

mod escape;
mod html;
mod markdown;
mod plot;

pub use html::html;
pub use markdown::markdown;

use super::Style;
use super::text::{Detail, Layout, lines_of, tables_text};
use crate::model::{BugReport, Finding, Gap, Name, Point, Report};
use crate::words::{bytes, number, plural, sanitize};

/// A part of the report. Its texts may contain any names: the writers escape them.
pub enum Block {
    Heading(u8, String),
    Paragraph(String),
    List(Vec<String>),
    /// Two columns: a name and its value.
    Facts(Vec<(String, String)>),
    /// Lines whose blanks are kept.
    Verbatim(String),
    Plot(Plot),
}

/// A counter over time.
pub struct Plot {
    pub title: String,
    /// Seconds and value.
    pub points: Vec<(f64, u64)>,
    /// How a value is written.
    pub figure: fn(u64) -> String,
}

/// The whole report.
pub fn blocks(report: &BugReport) -> Vec<Block> {
    let mut blocks = Vec::new();
    for process in &report.scan.processes {
        let comm = process
            .process
            .comm
            .as_ref()
            .map_or_else(|| "?".into(), Name::to_string);
        let pid = process.process.pid;
        blocks.push(Block::Heading(
            1,
            format!("fdscan report: {} (PID {pid})", sanitize(&comm)),
        ));
        blocks.push(Block::Facts(facts(report, process)));
        findings(process, &mut blocks);
        samples(&report.points, &mut blocks);
        blocks.push(Block::Heading(2, "Tables".into()));
        let layout = Layout {
            width: 110,
            style: Style { colour: false },
            detail: Detail::Tables,
            ascii: false,
        };
        let mut tables = Vec::new();
        // Writing to memory cannot fail.
        let _ = tables_text(&report.scan, process, layout, &mut tables);
        let tables = String::from_utf8_lossy(&tables)
            .trim_matches('\n')
            .to_owned();
        blocks.push(Block::Verbatim(tables));
        not_seen(&process.incomplete, &mut blocks);
    }
    blocks
}

fn facts(report: &BugReport, process: &Report) -> Vec<(String, String)> {
    let (system, scan) = (&report.system, &report.scan);
    let unknown = || "not known".to_owned();
    let count = |n: Option<u64>| n.map_or_else(unknown, number);
    let words = process.process.cmdline.iter().flatten();
    let words: Vec<_> = words.map(Name::to_string).collect();
    let limits = &scan.limits;
    let rows = [
        ("taken", scan.taken_at.clone()),
        ("command", words.join(" ")),
        (
            "started",
            process.process.start_time.clone().unwrap_or_else(unknown),
        ),
        (
            "kernel",
            format!(
                "{} {}",
                system.kernel.clone().unwrap_or_else(unknown),
                system.machine
            ),
        ),
        (
            "distribution",
            system.distribution.clone().unwrap_or_else(unknown),
        ),
        ("fdscan", scan.fdscan_version.into()),
        ("max_user_watches", count(limits.max_user_watches)),
        ("max_user_instances", count(limits.max_user_instances)),
        ("max_queued_events", count(limits.max_queued_events)),
        (
            "ptrace_scope (Yama)",
            system
                .ptrace_scope
                .map_or_else(|| "none".into(), |n| n.to_string()),
        ),
    ];
    rows.map(|(key, value)| (key.to_owned(), sanitize(&value).into_owned()))
        .into()
}

fn findings(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(Block::Heading(2, "Findings".into()));
    if report.findings.is_empty() {
        blocks.push(Block::Paragraph("Nothing wrong was found.".into()));
    }
    for finding in &report.findings {
        let Finding { code, severity, .. } = finding;
        blocks.push(Block::Heading(3, format!("{}: {code}", severity.name())));
        blocks.push(Block::Paragraph(sanitize(&finding.message).into_owned()));
        let evidence = lines_of(&finding.evidence);
        blocks.push(Block::List(
            evidence
                .iter()
                .map(|line| sanitize(line).into_owned())
                .collect(),
        ));
        for (lead, command) in finding.commands() {
            if let Some(command) = command {
                blocks.push(Block::Paragraph(format!("{lead}:")));
                blocks.push(Block::Verbatim(sanitize(command).into_owned()));
            }
        }
    }
    for note in &report.notes {
        blocks.push(Block::Paragraph(sanitize(note).into_owned()));
    }
}

fn samples(points: &[Point], blocks: &mut Vec<Block>) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return;
    };
    blocks.push(Block::Heading(
        2,
        format!("Sample of {:.1} s", last.seconds),
    ));
    let mut plots = vec![
        plot("descriptors", points, number, |point| point.descriptors),
        plot("watches", points, number, |point| point.watches),
    ];
    for (path, _) in &first.wals {
        let title = format!("-wal of {path}");
        plots.push(plot(&title, points, bytes, |point| {
            let mut wals = point.wals.iter();
            wals.find(|(other, _)| other == path).map(|(_, size)| *size)
        }));
    }
    let plots: Vec<_> = plots
        .into_iter()
        .filter(|plot| !plot.points.is_empty())
        .collect();
    let looks = plural(points.len(), "look", "looks");
    blocks.push(Block::Paragraph(format!("{looks} at the process.")));
    let rows = plots.iter().map(|plot| {
        let values = plot.points.iter().map(|(_, value)| *value);
        let (least, most) = (values.clone().min().unwrap_or(0), values.max().unwrap_or(0));
        let ends =
            |end: Option<&(f64, u64)>| end.map_or_else(String::new, |(_, n)| (plot.figure)(*n));
        let text = format!(
            "{} at first, {} at last; between {} and {}",
            ends(plot.points.first()),
            ends(plot.points.last()),
            (plot.figure)(least),
            (plot.figure)(most),
        );
        (plot.title.clone(), text)
    });
    blocks.push(Block::Facts(rows.collect()));
    blocks.extend(plots.into_iter().map(Block::Plot));
}

fn plot(
    title: &str,
    points: &[Point],
    figure: fn(u64) -> String,
    value: impl Fn(&Point) -> Option<u64>,
) -> Plot {
    let points = points
        .iter()
        .filter_map(|point| Some((point.seconds, value(point)?)));
    Plot {
        title: sanitize(title).into_owned(),
        points: points.collect(),
        figure,
    }
}

fn not_seen(gaps: &[Gap], blocks: &mut Vec<Block>) {
    if gaps.is_empty() {
        return;
    }
    blocks.push(Block::Heading(2, "Not seen".into()));
    let line = |gap: &Gap| {
        let count = gap
            .count
            .map_or_else(String::new, |n| format!(" ({})", number(n as u64)));
        sanitize(&format!("{}{count}: {}.", gap.what, gap.why)).into_owned()
    };
    blocks.push(Block::List(gaps.iter().map(line).collect()));
}
