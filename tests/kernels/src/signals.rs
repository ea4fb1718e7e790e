//! A program that is interrupted by a timer while it places watches.

use std::ffi::CString;
use std::io::Error;

extern "C" fn ignore(_: i32) {}

/// The call's result, once no signal ended it.
fn made_again(interrupted: &mut u32, call: impl Fn() -> i32) -> i32 {
    loop {
        let result = call();
        if result >= 0 || Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return result;
        }
        *interrupted += 1;
    }
}

/// Places a watch on `path` and removes it, `count` times, with a signal `hertz` times a second; prints what came of it. Calls ended by
/// EINTR are made again, as programs do. IN_MASK_CREATE tells a watch that stands from one that was placed.
pub fn place(count: u32, path: &str, hertz: i64) {
    let path = CString::new(path).unwrap();
    let interval = libc::timeval {
        tv_sec: 0,
        tv_usec: 1_000_000 / hertz,
    };
    let timer = libc::itimerval {
        it_interval: interval,
        it_value: interval,
    };
    let (mut placed, mut interrupted, mut passed_over, mut last, mut errors) =
        (0, 0, 0, 0, Vec::new());
    // SAFETY: plain system calls on values that live here; the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ignore as *const () as usize;
        libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut());
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
        let instance = made_again(&mut interrupted, || libc::inotify_init1(libc::IN_CLOEXEC));
        for _ in 0..count {
            let mask = libc::IN_ALL_EVENTS | libc::IN_MASK_CREATE;
            let add = || libc::inotify_add_watch(instance, path.as_ptr(), mask);
            let wd = made_again(&mut interrupted, add);
            if wd < 0 {
                errors.push(Error::last_os_error().to_string());
                continue;
            }
            passed_over += wd - last - 1;
            (placed, last) = (placed + 1, wd);
            libc::inotify_rm_watch(instance, wd);
        }
    }
    println!(
        "placed {placed} interrupted {interrupted} passed over {passed_over} errors {errors:?}"
    );
}
