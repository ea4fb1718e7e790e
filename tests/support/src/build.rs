//! Builds what a test runs: through cargo or cc, so that no test sees a stale artefact.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// The repository's root.
pub fn root() -> &'static Path {
    // tests/support is two levels below it.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("tests/support lies in the repository")
}

/// The cargo target directory this test, or program of the tests, was built into.
pub fn target_dir() -> PathBuf {
    let program = std::env::current_exe().expect("a program has a path");
    // target/PROFILE/deps/TEST, target/PROFILE/PROGRAM
    let profile = program.ancestors().skip(1).find(|d| !d.ends_with("deps"));
    let target = profile.and_then(Path::parent);
    target
        .expect("cargo builds into target/PROFILE")
        .to_path_buf()
}

/// Set by scripts/test, which has just built everything at once: what is built alone has other features of its
/// dependencies, and is built from them anew.
const BUILT: &str = "WATCHFIX_TESTS_BUILT";

fn cargo_build(args: &[&str]) {
    if std::env::var_os(BUILT).is_some_and(|dir| Path::new(&dir) == target_dir()) {
        return;
    }
    let status = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["build", "--quiet", "--locked"])
        .args(args)
        .arg("--target-dir")
        .arg(target_dir())
        .current_dir(root())
        .status()
        .expect("cargo starts");
    assert!(status.success(), "cargo build {args:?} failed");
}

/// `libwatchfix.so` as users get it: the release build.
pub fn libwatchfix() -> &'static Path {
    static SO: OnceLock<PathBuf> = OnceLock::new();
    SO.get_or_init(|| {
        cargo_build(&["--release", "-p", "libwatchfix"]);
        target_dir().join("release/libwatchfix.so")
    })
}

/// `watchfix` as users get it, with the library beside it.
pub fn watchfix() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        libwatchfix();
        cargo_build(&["--release", "-p", "watchfix", "--bin", "watchfix"]);
        target_dir().join("release/watchfix")
    })
}

/// The same mask hook written with redhook (tests/reference-shim), release build.
pub fn reference_shim() -> &'static Path {
    static SO: OnceLock<PathBuf> = OnceLock::new();
    SO.get_or_init(|| {
        cargo_build(&["--release", "-p", "reference-shim"]);
        target_dir().join("release/libreference_shim.so")
    })
}

/// The debug build of a workspace binary: `binary("fdscan", "fdscan")`, `binary("mkfds", "mkfds")`.
pub fn binary(package: &str, name: &str) -> PathBuf {
    static BUILT: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
    let mut built = BUILT.lock().unwrap_or_else(|e| e.into_inner());
    let key = (package.to_owned(), name.to_owned());
    if !built.contains(&key) {
        cargo_build(&["-p", package, "--bin", name]);
        built.push(key);
    }
    target_dir().join("debug").join(name)
}

/// The same, linked statically: what no preload reaches.
///
/// # Errors
/// What the linker said: the C library's static archive may be missing.
pub fn static_binary(package: &str, name: &str) -> Result<PathBuf, String> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    // With a target named, build scripts and macros are built as ever, for the host.
    let run = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["build", "--quiet", "--locked", "-p", package, "--bin", name])
        .args(["--target", &target, "--target-dir"])
        .arg(target_dir().join("static"))
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .current_dir(root())
        .output()
        .map_err(|e| format!("cargo does not start: {e}"))?;
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into_owned());
    }
    Ok(target_dir()
        .join("static")
        .join(&target)
        .join("debug")
        .join(name))
}

/// Of the warnings that gcc 14 (Debian 13) makes errors, those that older ones know.
const ERRORS_SINCE_GCC_14: [&str; 4] = [
    "implicit-function-declaration",
    "implicit-int",
    "int-conversion",
    "incompatible-pointer-types",
];

/// Compiles one C file of the tests with `compiler` (`cc`, `musl-gcc`) into `into`.
///
/// # Errors
/// What the compiler printed, or that it could not be started.
pub fn compile_c(
    compiler: &str,
    source: &Path,
    into: &Path,
    args: &[&str],
) -> Result<PathBuf, String> {
    let stem = source.file_stem().expect("a C file has a name");
    let out = into.join(stem);
    let run = Command::new(compiler)
        .args(["-O1", "-g", "-Wall", "-D_GNU_SOURCE"])
        .args(ERRORS_SINCE_GCC_14.map(|name| format!("-Werror={name}")))
        .arg("-o")
        .arg(&out)
        .arg(source)
        .args(args)
        .output()
        .map_err(|e| format!("{compiler} does not start: {e}"))?;
    if run.status.success() {
        Ok(out)
    } else {
        Err(String::from_utf8_lossy(&run.stderr).into_owned())
    }
}

/// A program the tests need: from `target/tools/bin` (put there by scripts/test), else from PATH.
pub fn tool(name: &str) -> Option<PathBuf> {
    let mut dirs = vec![root().join("target/tools/bin")];
    dirs.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    dirs.into_iter().map(|d| d.join(name)).find(|p| p.is_file())
}
