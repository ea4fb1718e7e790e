//! Verdicts that follow from a claim's content and age, and from what became of the process it names.

use crate::model::{Claim, ClaimKind, Verdict};
use crate::words::duration;
use std::time::Duration;

/// How long a stop file holds and an empty claim may stay empty: the limit of incident 3.
pub const TTL: Duration = Duration::from_secs(30);

/// Of a stop file, which holds for `ttl`.
pub fn sentinel(claim: &mut Claim, ttl: Duration) {
    let ttl = ttl.as_secs();
    (claim.verdict, claim.why) = match claim.age_seconds {
        Some(age) if age > ttl => (
            Verdict::Expired,
            format!("It is {age} s old and holds for {ttl} s: it counts as absent."),
        ),
        Some(age) => (
            Verdict::InProgress,
            format!("It is {age} s old and holds for {ttl} s."),
        ),
        None => (Verdict::Unknown, "Its age is not known.".into()),
    };
}

/// Of an empty file, which somebody may be about to write within `ttl`.
pub fn empty(claim: &mut Claim, ttl: Duration) {
    (claim.verdict, claim.why) = match claim.age_seconds {
        Some(age) if age > ttl.as_secs() => (
            Verdict::Corrupt,
            format!("It is empty and {age} s old: the process that created it never wrote to it."),
        ),
        _ => (
            Verdict::InProgress,
            "It is empty and new: somebody is about to write it.".into(),
        ),
    };
}

/// Of a file that names neither what its kind should name nor anything else.
pub fn names_nothing(claim: &mut Claim) {
    claim.verdict = Verdict::Corrupt;
    let what = match claim.kind {
        ClaimKind::Pid => "PID",
        _ => "port",
    };
    claim.why = format!("It names no {what}: it counts as absent.");
}

/// Of a claim that names a process that runs. `same` says whether its start is the one in the file, where that can be
/// told; `too_young` by how many seconds it began after the file was written, if it has nothing to do with it.
pub fn of_running(claim: &mut Claim, pid: u32, same: Option<bool>, too_young: Option<u64>) {
    (claim.verdict, claim.why) = match (same, too_young) {
        (Some(true), _) => (
            Verdict::Live,
            format!("Process {pid} runs, and its start is the one in the file."),
        ),
        (Some(false), _) => (
            Verdict::Reused,
            format!(
                "Process {pid} runs, but started at another time: the PID was given to another process."
            ),
        ),
        (None, Some(seconds)) => (
            Verdict::Reused,
            format!(
                "Process {pid} runs, but began {} after this was written, and has nothing open here: the PID was given to another process.",
                duration(seconds)
            ),
        ),
        (None, None) => (
            Verdict::Live,
            format!("Process {pid} runs; the file does not tell whether it is the right one."),
        ),
    };
}

/// Whether a start in a claim fits a process that began `began` seconds after 1970, and on Linux `ticks` after boot.
/// `None` if it cannot be read.
///
/// Clock ticks since boot (field 22 of proc_pid_stat(5)) must be equal. A time since 1970 (seconds,
/// milliseconds or RFC 3339) may be that of the claim itself: it fits unless the process began after it,
/// by more than two seconds for the rounding of the boot time.
pub fn start_fits(start: &str, began: u64, ticks: Option<u64>) -> Option<bool> {
    const SLACK: u64 = 2;
    let epoch = |seconds: u64| began <= seconds.saturating_add(SLACK);
    if let Ok(time) = start.parse::<jiff::Timestamp>() {
        return Some(epoch(u64::try_from(time.as_second()).ok()?));
    }
    let number = match start.parse::<u64>() {
        Ok(number) => number,
        Err(_) => start.parse::<f64>().ok().filter(|n| *n >= 0.0)? as u64,
    };
    // 10^9 s was in 2001, 10^12 ms as well; 10^9 ticks are 115 days of uptime, so equality comes first.
    Some(match number {
        _ if Some(number) == ticks => true,
        1_000_000_000_000.. => epoch(number / 1000),
        1_000_000_000.. => epoch(number),
        _ => false,
    })
}
