//! A counter over time: its rate and its shape.

use std::collections::VecDeque;
use std::time::Instant;

/// How many points are kept: the width of the widest sparkline.
const KEPT: usize = 120;
/// How many points a rate is computed from. A burst passes quickly; a leak stays.
const RATED: usize = 10;
/// A forecast beyond this many seconds (30 days) is meaningless.
const FAR: f64 = 30.0 * 86_400.0;

/// The last values of one counter.
#[derive(Debug, Default)]
pub struct Trend {
    points: VecDeque<(Instant, u64)>,
}

impl Trend {
    /// Adds a value. After an unknown value the trend starts again, because what lies between is unknown too.
    pub fn push(&mut self, at: Instant, value: Option<u64>) {
        let Some(value) = value else {
            return self.points.clear();
        };
        if self.points.len() == KEPT {
            self.points.pop_front();
        }
        self.points.push_back((at, value));
    }

    /// The increase per second over the last points; `None` with fewer than two points.
    pub fn per_second(&self) -> Option<f64> {
        let first = self.points.len().saturating_sub(RATED);
        let (begin, from) = self.points.get(first)?;
        let (end, to) = self.points.back()?;
        let seconds = end.duration_since(*begin).as_secs_f64();
        // Three decimal places: the clock is no more precise.
        let rate = (*to as f64 - *from as f64) / seconds;
        (seconds > 0.0).then(|| (rate * 1000.0).round() / 1000.0)
    }

    /// Seconds until `left` more are used; `None` if that is far in the future.
    pub fn seconds_until(&self, left: u64) -> Option<u64> {
        let rate = self.per_second().filter(|&rate| rate > 0.0)?;
        let seconds = left as f64 / rate;
        (seconds < FAR).then_some(seconds as u64)
    }

    /// The last `width` values as bars, scaled between the smallest and the largest. With `ascii`, only ASCII
    /// characters.
    pub fn sparkline(&self, width: usize, ascii: bool) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        const MARKS: [char; 8] = ['_', '.', ',', '-', '=', '+', '*', '#'];
        let bars = if ascii { MARKS } else { BARS };
        let shown = self.points.len().saturating_sub(width);
        let values = self.points.range(shown..).map(|(_, value)| *value);
        let least = values.clone().min().unwrap_or(0);
        let span = values.clone().max().unwrap_or(0) - least;
        let top = bars.len() as u128 - 1;
        let bar = |value: u64| {
            let height = u128::from(value - least) * top / u128::from(span.max(1));
            bars.get(height as usize).copied().unwrap_or('#')
        };
        values.map(bar).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn trend(values: &[Option<u64>]) -> Trend {
        let start = Instant::now();
        let mut trend = Trend::default();
        for (at, value) in values.iter().enumerate() {
            trend.push(start + Duration::from_secs(2 * at as u64), *value);
        }
        trend
    }

    #[test]
    fn a_rate_is_taken_over_the_last_ten_samples() {
        let grown: Vec<_> = (0..20)
            .map(|n| Some(if n < 10 { 0 } else { n * 6 }))
            .collect();
        assert_eq!(trend(&grown).per_second(), Some(3.0));
        assert_eq!(trend(&[Some(5)]).per_second(), None);
        assert_eq!(trend(&[Some(5), Some(1)]).per_second(), Some(-2.0));
    }

    #[test]
    fn a_forecast_needs_growth_and_does_not_reach_beyond_a_month() {
        let growing = trend(&[Some(0), Some(20)]);
        assert_eq!(growing.seconds_until(100), Some(10));
        assert_eq!(growing.seconds_until(u64::MAX), None);
        assert_eq!(trend(&[Some(9), Some(9)]).seconds_until(1), None);
    }

    #[test]
    fn no_rate_is_computed_across_a_gap() {
        assert_eq!(trend(&[Some(1), None, Some(9)]).per_second(), None);
    }

    #[test]
    fn a_sparkline_spans_from_the_least_to_the_most() {
        let values = trend(&[Some(100), Some(107), Some(103), Some(100)]);
        assert_eq!(values.sparkline(10, false), "▁█▄▁");
        assert_eq!(values.sparkline(2, false), "█▁");
        assert_eq!(trend(&[Some(7), Some(7)]).sparkline(9, false), "▁▁");
        assert_eq!(trend(&[Some(0), Some(u64::MAX)]).sparkline(9, false), "▁█");
    }
}
