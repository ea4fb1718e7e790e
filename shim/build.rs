//! The library needs none of a C program's start files: no destructors, no profiling hooks.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-nostartfiles");
}
