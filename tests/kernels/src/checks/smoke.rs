//! scripts/smoke: the library, loaded by the system's own loader, and `fdscan`.

use crate::machine::{Ended, Machine};
use std::process::Command;

/// Every line of it says ok.
pub fn works(machine: &Machine) {
    let mut smoke = Command::new("bash");
    smoke.arg(machine.file("scripts/smoke"));
    smoke
        .arg(machine.file("libwatchfix.so"))
        .arg(machine.file("fdscan"));
    let ended = Ended::of(&mut smoke);
    let wrong: Vec<_> = ended
        .out
        .lines()
        .filter(|line| !line.starts_with("ok "))
        .collect();
    assert_eq!((ended.status, wrong), (Some(0), vec![]), "{}", ended.err);
}
