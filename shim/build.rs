//! The library needs none of a C program's start files: no destructors, no profiling hooks.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // It is a C compiler that adds them. scripts/package has the linker alone, which does not know the argument.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if !flags.contains("linker-flavor=ld.lld") {
        println!("cargo::rustc-cdylib-link-arg=-nostartfiles");
    }
}
