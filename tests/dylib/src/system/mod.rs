//! Stand-ins for what the library is bound to: libSystem's calls with a Mac's numbers and layouts, kqueue over inotify,
//! CoreFoundation's few types, and an FSEvents that says what a test wants.
//!
//! What a test sets here is its own: the library calls back on the thread it was called on.

pub mod calls;
pub mod core_foundation;
mod event;
pub mod fsevents;
pub mod kqueue;
pub mod processes;
mod queue;
pub mod scripted;
mod variadic;

/// The address of what stands behind an imported name.
pub fn resolve(name: &str) -> usize {
    let known = [
        calls::resolve,
        kqueue::resolve,
        core_foundation::resolve,
        fsevents::resolve,
        processes::resolve,
    ];
    let found = known.iter().find_map(|resolve| resolve(name));
    found.unwrap_or_else(|| panic!("no stand-in for {name}"))
}
