//! The same tests on arm64, by qemu-user.

use std::path::Path;
use std::process::{Command, Output};

use dylib::library;
use support::{skip_optional, target_dir, tool};

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// The C library for arm64 that Debian's cross compiler brings.
const ROOT: &str = "/usr/aarch64-linux-gnu";

#[test]
fn all_of_it_holds_on_arm64() {
    if support::is_left_out() {
        return;
    }
    let Some(library) = library() else { return };
    let missing = ["qemu-aarch64", "aarch64-linux-gnu-gcc"]
        .into_iter()
        .find(|name| tool(name).is_none());
    if let Some(missing) = missing {
        return skip_optional(&format!(
            "there is no {missing}: the arm64 code is not executed"
        ));
    }
    if !target_is_there(TARGET) {
        return skip_optional(&format!(
            "rustup cannot add {TARGET}: the arm64 code is not executed"
        ));
    }
    let into = target_dir().join("dylib-arm64");
    std::fs::create_dir_all(&into).unwrap();
    let given = into.join("libwatchfix.dylib");
    std::fs::write(&given, library).unwrap();
    let run = cargo_test(&into, &given);
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let passed = said.lines().filter(|line| line.ends_with("... ok")).count();
    assert!(passed > 50, "{said}");
}

fn cargo_test(into: &Path, library: &Path) -> Output {
    let emulator = format!("qemu-aarch64 -L {ROOT}");
    let linker = "aarch64-linux-gnu-gcc";
    Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["test", "--locked", "-p", "dylib", "--test", "executed"])
        .args(["--target", TARGET, "--target-dir"])
        .arg(into)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", linker)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", &emulator)
        .env(crate::EMULATOR, emulator)
        .env(library::GIVEN, library)
        .current_dir(support::root())
        .output()
        .unwrap()
}

/// rustup has the target, or can add it.
fn target_is_there(target: &str) -> bool {
    let sysroot = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .unwrap();
    let sysroot = String::from_utf8(sysroot.stdout).unwrap();
    let library = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(target)
        .join("lib");
    library.is_dir()
        || Command::new("rustup")
            .args(["target", "add", target])
            .output()
            .is_ok_and(|run| run.status.success())
}
