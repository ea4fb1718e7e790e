//! The library as a file: what it exports, what it needs, how large it is.

use std::process::Command;

use support::libwatchfix;

fn run(program: &str, args: &[&str]) -> String {
    let out = Command::new(program)
        .args(args)
        .arg(libwatchfix())
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(out.status.success());
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn exactly_the_hooks_are_exported() {
    let symbols = run("nm", &["-D", "--defined-only"]);
    let mut names: Vec<_> = symbols
        .lines()
        .map(|l| l.split_whitespace().nth(2).unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "__read",
            "__read_chk",
            "inotify_add_watch",
            "inotify_init",
            "inotify_init1",
            "inotify_rm_watch",
            "prctl",
            "read",
            "readv",
            "syscall"
        ]
    );
}

#[test]
fn libc_alone_is_needed() {
    let needed: Vec<_> = run("readelf", &["-dW"])
        .lines()
        .filter(|l| l.contains("(NEEDED)"))
        .map(str::to_owned)
        .collect();
    assert_eq!(needed.len(), 1, "{needed:?}");
    assert!(needed[0].contains("[libc.so.6]"), "{needed:?}");
}

/// A preload library that needs a newer glibc than the host's is fatal to every process.
#[test]
fn any_glibc_of_the_last_ten_years_is_new_enough() {
    for version in run("readelf", &["-VW"])
        .split_whitespace()
        .filter_map(|w| w.strip_prefix("GLIBC_"))
    {
        let mut parts = version.split('.').map(|n| n.parse::<u32>().unwrap());
        let version = (parts.next().unwrap(), parts.next().unwrap());
        // aarch64 glibc begins with 2.17.
        assert!(version <= (2, 17), "needs glibc {version:?}");
    }
}

/// The released library is linked against these names alone: one more, and it cannot be built.
#[test]
fn it_takes_from_libc_what_scripts_package_has_for_it() {
    let script = std::fs::read_to_string(support::root().join("scripts/package")).unwrap();
    let list = script.split("\nsymbols=(").nth(1).unwrap();
    let listed: Vec<_> = list.split(')').next().unwrap().split(' ').collect();
    let all = run("readelf", &["--dyn-syms", "-W"]);
    let undefined = all.lines().filter(|line| line.contains(" UND "));
    let names = undefined.filter_map(|line| line.split_whitespace().nth(7));
    let mut taken: Vec<_> = names.map(|name| name.split('@').next().unwrap()).collect();
    // There atomics out of line ask for it, which scripts/package turns off.
    taken.retain(|name| cfg!(not(target_arch = "aarch64")) || *name != "getauxval");
    taken.sort_unstable();
    assert_eq!(taken, listed);
}

#[test]
fn it_is_at_most_44_kib() {
    let size = std::fs::metadata(libwatchfix()).unwrap().len();
    assert!(size <= 44 * 1024, "{size} bytes");
}

/// The panic handler's text is in the library only if something in it can still panic.
#[test]
fn nothing_in_it_can_panic() {
    let bytes = std::fs::read(libwatchfix()).unwrap();
    assert!(!bytes.windows(8).any(|w| w == b"panicked"));
}

/// Lazily allocated thread-local storage may be first touched in a signal handler, and allocates.
#[test]
fn it_has_no_thread_local_storage() {
    assert!(!run("readelf", &["-lW"]).contains("TLS"));
}

/// A thread cancelled in a read is unwound through the hook.
#[test]
fn its_frames_can_be_unwound() {
    assert!(run("readelf", &["-SW"]).contains(".eh_frame"));
}
