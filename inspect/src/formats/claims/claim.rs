//! A claim of which only the path is known.

use crate::formats::claims::kind_of;
use crate::model::{Claim, ClaimKind, Name, Place, Verdict};

/// A claim of which only this is known.
pub fn claim(path: Name, verdict: Verdict, why: String) -> Claim {
    Claim {
        kind: kind_of(path.base()).unwrap_or(ClaimKind::Unknown),
        path,
        verdict,
        severity: verdict.severity(),
        pid: None,
        start: None,
        address: None,
        holders: Vec::new(),
        age_seconds: None,
        why,
        remedy: None,
        place: Place::Written,
        denied: false,
    }
}
