//! redhook's way to make a pair, of which an optimised build leaves nothing (tests/reference-shim).

use std::path::{Path, PathBuf};
use std::process::Command;

use dylib::library::{self, library};

/// The object rustc makes of the hook, before any linker sees it.
fn object(into: &Path, target: &str, optimised: &str) -> Vec<u8> {
    let run = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args([
            "rustc",
            "--quiet",
            "--locked",
            "-p",
            "reference-shim",
            "--lib",
        ])
        .args(["--crate-type", "rlib", "--target", target, "--target-dir"])
        .arg(into)
        .args(["--", "--emit=obj", "-C", "codegen-units=1", "-C"])
        .arg(format!("opt-level={optimised}"))
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(support::root())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    let directory = into.join(target).join("debug/deps");
    let is_object = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("reference_shim") && name.ends_with(".o") && !name.contains(".rcgu.")
    };
    let entries = std::fs::read_dir(directory).unwrap();
    let objects: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(is_object)
        .collect();
    assert_eq!(objects.len(), 1, "{objects:?}");
    let bytes = std::fs::read(&objects[0]).unwrap();
    // The next one has another name.
    std::fs::remove_file(&objects[0]).unwrap();
    bytes
}

#[test]
fn its_pairs_are_left_out_of_every_optimised_build() {
    if std::env::var_os(library::GIVEN).is_some() || library().is_none() {
        return;
    }
    let has = |object: &[u8], name: &[u8]| object.windows(name.len()).any(|w| w == name);
    let dir = super::dir();
    for target in ["x86_64-apple-darwin", "aarch64-apple-darwin"] {
        for (optimised, pair) in [("0", true), ("1", false), ("3", false), ("s", false)] {
            let object = object(dir.path(), target, optimised);
            assert_eq!(has(&object, b"__interpose"), pair, "{target} {optimised}");
        }
    }
}
