//! `fdscan report PID`: everything about one process, with a short sample, to attach to a bug.

use crate::findings::Remedies;
use crate::gather::{self, Gaps, Monitors, Options, Sampler, Session};
use crate::model::{BugReport, Failure, FailureKind, Growth, Point, SCHEMA, Sample, Scan};
use crate::sys::Signals;
use std::time::{Duration, Instant};

/// Samples taken, as far as they do not come faster than every [`FASTEST`].
const SAMPLES: u32 = 60;
const FASTEST: Duration = Duration::from_millis(100);

/// Looks at a process, and samples it for `time` or until this program is interrupted.
///
/// # Errors
/// There is no such process, or nothing of it may be read.
pub fn bug_report(pid: u32, options: Options, time: Duration) -> Result<BugReport, Failure> {
    let taken_at = jiff::Timestamp::now().to_string();
    let remedies = Remedies::new(gather::local_system);
    let mut session = Session::new(options).with(Monitors::default());
    let mut gaps = Gaps::default();
    let mut sampler = Sampler::open(pid).ok();
    let (process, failure) = session.process(pid, &mut gaps);
    let mut process = match (process, failure) {
        (Some(process), None) => process,
        (_, Some(failure)) => return Err(failure),
        (None, None) => {
            return Err(Failure {
                pid: Some(pid),
                why: format!("process {pid} could not be read"),
                kind: FailureKind::NoProcess,
            });
        }
    };
    session.begin_to_hear();
    let samples = sampler
        .as_mut()
        .map(|sampler| sample(sampler, time))
        .unwrap_or_default();
    process.woken = session.woken(pid).or(process.woken.take());
    if let (Some(first), Some(last)) = (samples.first(), samples.last())
        && samples.len() > 1
    {
        process.grew(Growth::between(first, last));
    }
    let mut report = crate::scans::judged(process, &session.limits, &remedies, gaps);
    crate::scans::look_below(&mut report, &session.limits, &remedies, options);
    Ok(BugReport {
        scan: Scan {
            schema: SCHEMA,
            fdscan_version: env!("CARGO_PKG_VERSION"),
            taken_at,
            limits: session.limits,
            processes: vec![report],
            errors: Vec::new(),
        },
        points: points(&samples),
        system: gather::system(),
    })
}

/// Samples until the time is up, a signal comes or the process ends.
fn sample(sampler: &mut Sampler, time: Duration) -> Vec<Sample> {
    let interval = (time / SAMPLES).max(FASTEST);
    let signals = Signals::catch(&[]);
    let began = Instant::now();
    let mut samples = Vec::new();
    loop {
        match sampler.sample() {
            Ok(sample) => samples.push(sample),
            Err(_) => return samples,
        }
        let left = time.saturating_sub(began.elapsed());
        let interrupted = match &signals {
            Ok(signals) => signals.wait(&[], interval.min(left)),
            Err(_) => true,
        };
        if left.is_zero() || interrupted {
            return samples;
        }
    }
}

fn points(samples: &[Sample]) -> Vec<Point> {
    let Some(first) = samples.first() else {
        return Vec::new();
    };
    let point = |sample: &Sample| {
        let databases = sample.databases.iter();
        Point {
            seconds: sample.at.saturating_duration_since(first.at).as_secs_f64(),
            descriptors: sample.descriptors,
            watches: sample.watches,
            wals: databases
                .filter_map(|(path, database)| Some((path.clone(), database.wal_bytes?)))
                .collect(),
        }
    };
    samples.iter().map(point).collect()
}
