//! That these tests can fail: faults are put into the library, one at a time, and each must be found.

mod list;

use std::path::{Path, PathBuf};
use std::process::Command;

use dylib::library::{self, library};
use list::{FAULTS, Fault};

#[test]
fn each_fault_is_found() {
    // Under an emulator the library is given.
    if std::env::var_os(library::GIVEN).is_some() || support::is_left_out() || library().is_none() {
        return;
    }
    let dir = super::dir();
    let copy = Copy::make(dir.path());
    let unnoticed: Vec<&str> = FAULTS
        .iter()
        .filter(|fault| !copy.is_found(fault))
        .map(|fault| fault.what)
        .collect();
    assert!(unnoticed.is_empty(), "no test notices: {unnoticed:#?}");
}

/// The library's sources, to be changed.
struct Copy {
    root: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn make(root: &Path) -> Copy {
        let from = support::root();
        for part in ["rules", "shim-macos"] {
            copy_all(&from.join(part), &root.join(part));
        }
        std::fs::create_dir(root.join("scripts")).unwrap();
        std::fs::copy(
            from.join("scripts/build-macos"),
            root.join("scripts/build-macos"),
        )
        .unwrap();
        std::fs::copy(from.join("Cargo.lock"), root.join("Cargo.lock")).unwrap();
        let whole = std::fs::read_to_string(from.join("Cargo.toml")).unwrap();
        // The same profile and versions, and two members.
        let (_, rest) = whole.split_once("[workspace.package]").unwrap();
        let members = "[workspace]\nresolver = \"3\"\nmembers = [\"rules\", \"shim-macos\"]\n\n[workspace.package]";
        let other_profile = "[profile.release.package.libwatchfix]";
        let (before, after) = rest.split_once(other_profile).unwrap();
        let (_, after) = after.split_once("\n\n").unwrap();
        std::fs::write(root.join("Cargo.toml"), [members, before, after].concat()).unwrap();
        let lock = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
            .args(["update", "--workspace", "--offline", "--quiet"])
            .current_dir(root)
            .status();
        assert!(lock.unwrap().success());
        let target = support::target_dir().join("dylib-faults");
        Copy {
            root: root.to_owned(),
            target,
        }
    }

    /// Puts the fault in, builds, has the test fail, and takes it out again.
    fn is_found(&self, fault: &Fault) -> bool {
        let path = self.root.join("shim-macos/src").join(fault.file);
        let whole = std::fs::read_to_string(&path).unwrap();
        let places = whole.matches(fault.from).count();
        assert_eq!(places, 1, "{}: {places} places", fault.what);
        std::fs::write(&path, whole.replace(fault.from, fault.to)).unwrap();
        let library = self.build();
        std::fs::write(&path, whole).unwrap();
        let run = Command::new("timeout")
            .arg("60")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", fault.found_by])
            .env(library::GIVEN, library)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(
            said.contains("running 1 test"),
            "there is no test {}",
            fault.found_by
        );
        !run.status.success()
    }

    fn build(&self) -> PathBuf {
        let run = Command::new(self.root.join("scripts/build-macos"))
            .env("CARGO_TARGET_DIR", &self.target)
            .env("WATCHFIX_ARCHITECTURES", std::env::consts::ARCH)
            .output()
            .unwrap();
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
        PathBuf::from(String::from_utf8(run.stdout).unwrap().trim())
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = {
            let name = entry.unwrap().file_name();
            (from.join(&name), to.join(&name))
        };
        if from.is_dir() {
            copy_all(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}
