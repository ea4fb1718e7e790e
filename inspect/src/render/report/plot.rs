//! A counter over time as a line, in SVG.

use super::Plot;
use super::escape::escape;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 120.0;
/// Room for the figures on the left and for the time below.
const LEFT: f64 = 90.0;
const BELOW: f64 = 20.0;
const ABOVE: f64 = 22.0;

/// The plot as one element.
pub fn svg(plot: &Plot) -> String {
    let values = || plot.points.iter().map(|(_, value)| *value);
    let (least, most) = (values().min().unwrap_or(0), values().max().unwrap_or(0));
    let end = plot.points.last().map_or(0.0, |(seconds, _)| *seconds);
    let (bottom, top) = (ABOVE + HEIGHT, ABOVE);
    let x = |seconds: f64| LEFT + WIDTH * if end > 0.0 { seconds / end } else { 0.0 };
    // A constant value is a line in the middle.
    let y = |value: u64| match most - least {
        0 => (bottom + top) / 2.0,
        range => bottom - HEIGHT * (value - least) as f64 / range as f64,
    };
    let line: Vec<_> = plot
        .points
        .iter()
        .map(|&(seconds, value)| format!("{:.1},{:.1}", x(seconds), y(value)))
        .collect();
    let figure = |value: u64| escape(&(plot.figure)(value));
    let mut labels = format!(
        "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        LEFT - 6.0,
        y(least) + 4.0,
        figure(least)
    );
    if most > least {
        labels += &format!(
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            y(most) + 4.0,
            figure(most)
        );
    }
    format!(
        "<svg width=\"{}\" height=\"{}\" role=\"img\" font-size=\"12\" fill=\"#444\">\
         <text x=\"{LEFT}\" y=\"14\" font-weight=\"bold\">{}</text>{labels}\
         <path d=\"M{LEFT} {top}V{bottom}H{}\" fill=\"none\" stroke=\"#bbb\"/>\
         <polyline points=\"{}\" fill=\"none\" stroke=\"#06c\" stroke-width=\"1.5\"/>\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{end:.1} s</text></svg>",
        LEFT + WIDTH + 10.0,
        ABOVE + HEIGHT + BELOW,
        escape(&plot.title),
        LEFT + WIDTH,
        line.join(" "),
        LEFT + WIDTH,
        bottom + 15.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::number;

    #[test]
    fn the_smallest_value_is_at_the_bottom_and_the_largest_at_the_top() {
        let plot = Plot {
            title: "a<b".into(),
            points: vec![(0.0, 10), (5.0, 30), (10.0, 20)],
            figure: number,
        };
        let svg = svg(&plot);
        assert!(
            svg.contains("points=\"90.0,142.0 450.0,22.0 810.0,82.0\""),
            "{svg}"
        );
        assert!(svg.contains("a&lt;b"));
    }

    #[test]
    fn one_point_and_a_constant_are_drawn_without_dividing_by_zero() {
        let plot = Plot {
            title: String::new(),
            points: vec![(0.0, 7)],
            figure: number,
        };
        assert!(svg(&plot).contains("points=\"90.0,82.0\""));
    }
}
