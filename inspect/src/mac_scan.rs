//! `fdscan PID...` on a Mac: what [`libproc`](crate::libproc) reads is judged and handed on as data.

use crate::findings::{self, Facts, Remedies};
use crate::libproc::{self, Kernel};
use crate::model::{Gaps, InotifyLimits, Report, SCHEMA, Scan};

/// Scans processes of this Mac.
#[cfg(target_os = "macos")]
pub fn scan_here(pids: &[u32], all: bool) -> Scan {
    use crate::macos::{ThisMac, local_system};
    scan(&ThisMac, pids, all, &Remedies::on_a_mac(local_system))
}

/// Scans the processes `pids` in this order; with `all`, every descriptor is in the report.
pub fn scan(kernel: &impl Kernel, pids: &[u32], all: bool, remedies: &Remedies) -> Scan {
    let mut scan = Scan {
        schema: SCHEMA,
        fdscan_version: env!("CARGO_PKG_VERSION"),
        taken_at: jiff::Timestamp::now().to_string(),
        // There is no inotify.
        limits: InotifyLimits::default(),
        processes: Vec::new(),
        errors: Vec::new(),
    };
    for &pid in pids {
        let mut gaps = Gaps::default();
        let (process, failure) = libproc::process(kernel, pid, all, &mut gaps);
        scan.errors.extend(failure);
        let Some(process) = process else { continue };
        let findings = findings::all(&Facts {
            process: &process,
            limits: &scan.limits,
            remedies,
        });
        scan.processes.push(Report {
            notes: remedies.notes(&process, &findings),
            process,
            findings,
            healed: None,
            paused: None,
            incomplete: gaps.into_list(),
        });
    }
    scan
}
