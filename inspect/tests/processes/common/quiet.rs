//! A walk for one process opens directories that another may watch. A test that counts such events asks
//! for quiet: no other test's fdscan runs until it has ended.

use std::cell::Cell;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static SCANS: RwLock<()> = RwLock::new(());

thread_local! {
    /// This test is the one that asked for quiet.
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Quiet until it is dropped.
pub struct Quiet {
    _scans: RwLockWriteGuard<'static, ()>,
}

/// Waits until no other test's fdscan runs, and keeps it so.
pub fn quiet() -> Quiet {
    let quiet = Quiet {
        _scans: SCANS.write().unwrap_or_else(PoisonError::into_inner),
    };
    OURS.set(true);
    quiet
}

/// The same, unless this test has asked for it already.
pub(super) fn quiet_here() -> Option<Quiet> {
    (!OURS.get()).then(quiet)
}

impl Drop for Quiet {
    fn drop(&mut self) {
        OURS.set(false);
    }
}

/// Held while an fdscan runs; `None` in the test that asked for quiet.
pub(super) fn scanning() -> Option<RwLockReadGuard<'static, ()>> {
    (!OURS.get()).then(|| SCANS.read().unwrap_or_else(PoisonError::into_inner))
}
