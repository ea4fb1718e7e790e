//! What `fdscan reach` and the start of `watchfix run` make of the library as it is built, not of one made for a test.

use dylib::library;
use inspect::reach::{Cpu, Host, Start};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use support::MachO;

#[test]
fn fdscan_reach_reads_both_slices_of_the_library_and_their_signatures() {
    let Some(library) = library() else { return };
    let dir = super::dir();
    let path = dir.path().join("libwatchfix.dylib");
    fs::write(&path, library).unwrap();
    let run = Command::new(support::binary("fdscan", "fdscan"))
        .args(["reach", "--json"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    let answer: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    let file = &answer["files"][0];
    assert_eq!(file["kind"], "mach_o", "{answer}");
    let slices = file["slices"].as_array().unwrap();
    let cpus: Vec<_> = slices.iter().map(|slice| &slice["cpu"]).collect();
    assert_eq!(cpus, ["x86_64", "arm64"]);
    for slice in slices {
        // It is no program: who loads it decides.
        assert_eq!(slice["verdict"], "unknown", "{slice}");
        assert_eq!(slice["signature"]["ad_hoc"], true, "{slice}");
    }
}

#[test]
fn a_program_of_each_architecture_is_started_with_the_library() {
    let Some(library) = library() else { return };
    let dir = super::dir();
    let path = dir.path().join("libwatchfix.dylib");
    fs::write(&path, library).unwrap();
    let program = dir.path().join("tool");
    for (cpu, host) in [(MachO::X86_64, Cpu::X86_64), (MachO::ARM64, Cpu::Arm64)] {
        fs::write(&program, MachO::program(cpu).signed(0).bytes()).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let start = |path| {
            Start::of(
                &[program.clone().into()],
                Vec::new(),
                path,
                Host { cpu: host },
            )
        };
        let started = start(&path).unwrap_or_else(|no| panic!("{:?}", no.status_and_text()));
        let variable = ("DYLD_INSERT_LIBRARIES".into(), path.clone().into());
        assert!(started.environment.contains(&variable));
        // One slice is not enough for the other machine, and half a library is none.
        let half = dir.path().join("half.dylib");
        fs::write(&half, &library[..library.len() / 4]).unwrap();
        assert!(start(&half).is_err());
    }
}
