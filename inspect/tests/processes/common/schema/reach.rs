//! The answer of `fdscan reach`.

use super::Key::Must;
use super::Shape::*;
use super::{Key, SEVERITIES, Shape, TEXTS};

pub const DOCUMENT: Shape = Object(&[
    Must("schema", Const("fdscan/1")),
    Must("fdscan_version", Text),
    Must("taken_at", Time),
    Must("files", List(&Object(FILE))),
    Must(
        "errors",
        List(&Object(&[Must("path", Text), Must("why", Text)])),
    ),
]);

const VERDICT: Shape = OneOf(&["reached", "not_reached", "killed", "unknown"]);

const FILE: &[Key] = &[
    Must("path", Text),
    Must("kind", OneOf(&["mach_o", "elf", "script", "other"])),
    Must(
        "variable",
        OrNull(&OneOf(&["LD_PRELOAD", "DYLD_INSERT_LIBRARIES"])),
    ),
    Must("verdict", VERDICT),
    Must("severity", OrNull(&OneOf(SEVERITIES))),
    Must("why", Text),
    Must("remedy", OrNull(&Text)),
    Must("interpreters", TEXTS),
    Must("program", OrNull(&Text)),
    Must("slices", List(&Object(SLICE))),
];

const SLICE: &[Key] = &[
    Must("cpu", Text),
    Must("verdict", VERDICT),
    Must("why", Text),
    Must("signature", OrNull(&Object(SIGNATURE))),
];

const SIGNATURE: &[Key] = &[
    Must("ad_hoc", Flag),
    Must("hardened_runtime", Flag),
    Must("library_validation", Flag),
    Must("restricted", Flag),
    Must("platform", Flag),
    Must("team", OrNull(&Text)),
    Must("allows_dyld_variables", Flag),
    Must("disables_library_validation", Flag),
];
