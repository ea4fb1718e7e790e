//! What is read of a Mach-O file, and what of damaged ones.

use super::search::any_may_be_looked_at as any;
use super::*;
use crate::model::ReachVerdict::{Killed, NotReached, Reached, Unknown};
use std::ffi::OsString;
use std::fs;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use support::{MachO, fat};

fn read(bytes: &[u8]) -> Result<Option<Vec<Image>>, &'static str> {
    let source = Source::new(Cursor::new(bytes.to_vec()));
    images(source.whole())
}

#[track_caller]
fn one(file: &MachO) -> Image {
    let mut all = read(&file.bytes()).unwrap().unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[track_caller]
fn judged(file: &MachO, verdict: ReachVerdict, why: &str) {
    let judged = judge::of_image(&one(file));
    assert_eq!(judged.verdict, verdict, "{}", judged.why);
    assert!(judged.why.contains(why), "{}", judged.why);
}

#[test]
fn the_signature_and_its_entitlements_decide() {
    let arm = || MachO::program(MachO::ARM64);
    let (dyld, validation) = (MachO::DYLD, MachO::VALIDATION);
    judged(&MachO::program(MachO::X86_64), Reached, "not signed");
    judged(&arm(), Killed, "not signed");
    judged(&arm().signed(MachO::ADHOC), Reached, "ad hoc");
    judged(&arm().signed(0), Reached, "without the hardened runtime");
    let hard = || arm().signed(MachO::RUNTIME);
    judged(&hard(), NotReached, dyld);
    judged(&hard().entitled(&[validation]), NotReached, dyld);
    judged(&hard().entitled(&[dyld]), Killed, validation);
    judged(
        &hard().entitled(&[dyld, validation]),
        Reached,
        "both entitlements",
    );
    let validates = || arm().signed(MachO::LIBRARY_VALIDATION);
    judged(&validates(), Killed, validation);
    judged(&validates().entitled(&[validation]), Reached, "");
    judged(&arm().signed(MachO::RESTRICT), NotReached, "CS_RESTRICT");
}

#[test]
fn apples_own_programs_and_restricted_ones_are_not_reached() {
    let mut own = MachO::program(MachO::ARM64).signed(0);
    own.platform = 15;
    judged(&own, NotReached, "platform binary");
    let mut restricted = MachO::program(MachO::X86_64);
    restricted.section = ("__RESTRICT", "__restrict");
    judged(&restricted, NotReached, "__RESTRICT,__restrict");
    restricted.section = ("__RESTRICT", "__text");
    judged(&restricted, Reached, "");
}

#[test]
fn a_processor_the_library_has_no_slice_for_is_said() {
    let program = |cpu| MachO::program(cpu).signed(MachO::ADHOC);
    judged(&program(MachO::ARM64E), Killed, "arm64e");
    judged(&program(MachO::I386), NotReached, "processor");
    assert_eq!(one(&program(MachO::ARM64E)).cpu, Cpu::Arm64e);
}

#[test]
fn of_several_code_directories_the_one_with_the_strongest_hash_counts() {
    let mut file = MachO::program(MachO::ARM64);
    // SHA-1 first, as for old systems; then SHA-256.
    file.directories = vec![(0, 1, 0), (0x1000, 2, MachO::RUNTIME)];
    assert!(one(&file).signature.unwrap().hardened_runtime);
    file.directories = vec![(0, 2, 0), (0x1000, 1, MachO::RUNTIME)];
    assert!(!one(&file).signature.unwrap().hardened_runtime);
    // No slot of a code directory.
    file.directories = vec![(0x2000, 2, 0)];
    assert_eq!(
        read(&file.bytes()),
        Err("its signature has no code directory")
    );
}

#[test]
fn an_entitlement_counts_that_is_in_every_form_a_signature_has() {
    let both = MachO::program(MachO::ARM64)
        .signed(MachO::RUNTIME)
        .entitled(&[MachO::DYLD]);
    let (xml, der) = both.entitlements.clone();
    let allows = |entitlements| {
        let mut file = both.clone();
        file.entitlements = entitlements;
        one(&file).signature.unwrap().allows_dyld_variables
    };
    assert!(allows((xml.clone(), der.clone())));
    assert!(allows((xml.clone(), None)) && allows((None, der.clone())));
    assert!(!allows((None, None)));
    assert!(!allows((xml, Some(b"\x70\x03\x02\x01\x01".to_vec()))));
    assert!(!allows((Some(b"<plist><dict/></plist>".to_vec()), der)));
}

#[test]
fn only_what_the_outermost_dictionary_gives_as_true_is_an_entitlement() {
    const KEY: &str = "<key>com.apple.security.cs.allow-dyld-environment-variables</key>";
    let allows = |text: &str| Entitlements::of_xml(text.as_bytes()).allows_dyld_variables;
    for yes in [
        format!("<plist><dict>{KEY}<true/></dict></plist>"),
        format!("<dict>{KEY}\n <!-- <false/> --> <true></true></dict>"),
        format!("<dict><key>a</key><array><string>b</string></array>{KEY}<true /></dict>"),
        format!("<dict><key>a</key><dict><key>b</key><true/></dict>{KEY}<true/></dict>"),
    ] {
        assert!(allows(&yes), "{yes}");
    }
    for no in [
        format!("<dict>{KEY}<false/></dict>"),
        format!("<dict>{KEY}<string>true</string><true/></dict>"),
        format!("<dict><key>a</key><dict>{KEY}<true/></dict></dict>"),
        format!("<dict>{KEY}<dict/><true/></dict>"),
        format!("<dict><key>a</key><dict>{KEY}</dict><true/></dict>"),
        format!("<dict><!-- {KEY}<true/> --></dict>"),
        format!("{KEY}<true/>"),
        format!("<dict>{KEY}"),
        format!("<dict>{KEY}<true"),
    ] {
        assert!(!allows(&no), "{no}");
    }
}

#[test]
fn each_slice_of_a_fat_file_is_judged_and_the_worst_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tool");
    let old = MachO::program(MachO::I386);
    let intel = MachO::program(MachO::X86_64);
    let hard = MachO::program(MachO::ARM64).signed(MachO::RUNTIME);
    fs::write(&path, fat(&[old.clone(), intel.clone(), hard])).unwrap();
    let found = file(&path, System::Mac, any).unwrap();
    let each: Vec<_> = found.slices.iter().map(|s| (&*s.cpu, s.verdict)).collect();
    assert_eq!(
        each,
        [
            ("i386", NotReached),
            ("x86_64", Reached),
            ("arm64", NotReached)
        ]
    );
    assert_eq!(found.verdict, NotReached);
    assert!(
        found.why.starts_with("The slice for arm64: "),
        "{}",
        found.why
    );
    // A slice that no Mac of today runs does not count beside one that does.
    fs::write(&path, fat(&[old, intel])).unwrap();
    assert_eq!(file(&path, System::Mac, any).unwrap().verdict, Reached);
}

#[test]
fn set_user_id_programs_and_libraries_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tool");
    fs::write(&path, MachO::program(MachO::X86_64).bytes()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).unwrap();
    let found = file(&path, System::Mac, any).unwrap();
    assert_eq!(found.verdict, NotReached);
    assert!(found.why.contains("set-user-ID"), "{}", found.why);
    fs::write(&path, MachO::library(MachO::ARM64).bytes()).unwrap();
    let found = file(&path, System::Mac, any).unwrap();
    assert_eq!(found.verdict, Unknown);
    assert_eq!(found.slices[0].verdict, Unknown);
}

#[test]
fn on_a_mac_each_program_on_the_way_may_take_the_variable_out() {
    let dir = tempfile::tempdir().unwrap();
    let has = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let tool = has("tool", &MachO::program(MachO::X86_64).bytes());
    let of = |line: &str| {
        file(
            &has("script", format!("#!{line}\n").as_bytes()),
            System::Mac,
            any,
        )
        .unwrap()
    };
    let found = of(&format!("{} -x", tool.display()));
    assert_eq!((found.verdict, found.remedy), (Reached, None));
    let found = of(&format!("/usr/bin/env {}", tool.display()));
    assert_eq!(found.verdict, NotReached);
    let start =
        "It is a script of /usr/bin/env: /usr/bin/env lies where System Integrity Protection holds";
    assert!(found.why.starts_with(start), "{}", found.why);
    let remedy = format!(
        "watchfix run starts {} itself, which is reached.",
        tool.display()
    );
    assert_eq!(found.remedy, Some(remedy));
    // Nothing of the way is left out.
    let hard = has(
        "hard",
        &MachO::program(MachO::ARM64).signed(MachO::RUNTIME).bytes(),
    );
    let found = of(&format!("/usr/bin/env {}", hard.display()));
    assert_eq!(found.verdict, NotReached);
    assert!(found.why.contains(MachO::DYLD), "{}", found.why);
    assert_eq!(of("/bin/sh -e").verdict, NotReached);
    let inner = has("inner", format!("#!{}\n", tool.display()).as_bytes());
    assert_eq!(of(&inner.display().to_string()).verdict, Unknown);
}

#[test]
fn damaged_files_are_answered_with_what_is_wrong() {
    let signed = MachO::program(MachO::ARM64).signed(MachO::RUNTIME);
    let whole = signed.entitled(&[MachO::DYLD]).bytes();
    for end in 4..whole.len() {
        let cut = read(&whole[..end]);
        assert!(cut.is_err(), "{end}: {cut:?}");
    }
    let with = |at: usize, word: u32| {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        read(&bytes)
    };
    // The number and the size of the load commands; the size of a command; the number of sections.
    for (at, word) in [
        (16, u32::MAX),
        (20, u32::MAX),
        (36, 0),
        (36, u32::MAX),
        (96, u32::MAX),
    ] {
        assert!(with(at, word).is_err(), "{at}");
    }
    // Where the signature is, how large, and how many parts it has.
    let signature = 32 + 72 + 80 + 16;
    for (at, word) in [
        (signature - 8, u32::MAX),
        (signature - 4, u32::MAX),
        (signature - 4, 4),
        (signature + 8, u32::MAX),
        (signature + 8, 65u32.to_be()),
    ] {
        assert!(with(at, word).is_err(), "{at}");
    }
}

#[test]
fn a_signature_with_more_parts_than_anybody_writes_is_refused() {
    let mut file = MachO::program(MachO::ARM64);
    file.directories = vec![(0, 2, 0); 64];
    assert!(read(&file.bytes()).is_ok());
    file.directories.push((0, 2, 0));
    assert_eq!(read(&file.bytes()), Err("its signature has too many parts"));
}

#[test]
fn overlapping_slices_are_refused_as_the_kernel_does() {
    let slices = [
        MachO::program(MachO::X86_64),
        MachO::program(MachO::ARM64).signed(MachO::ADHOC),
    ];
    let whole = fat(&slices);
    assert_eq!(read(&whole).unwrap().unwrap().len(), 2);
    let start = |number: usize| 8 + 20 * number + 8;
    let mut same = whole.clone();
    same.copy_within(start(0)..start(0) + 4, start(1));
    assert_eq!(read(&same), Err("its slices overlap"));
    let mut beyond = whole.clone();
    beyond[start(1)] = 0xff;
    assert_eq!(read(&beyond), Err("a slice ends behind its end"));
    let mut none = whole.clone();
    none[7] = 0;
    assert_eq!(read(&none), Err("it has no slice"));
    assert!(read(&whole[..20]).is_err());
}

#[test]
fn a_java_class_is_not_a_fat_file() {
    // Version 52.0 stands where a fat file has the number of its slices.
    assert_eq!(read(b"\xca\xfe\xba\xbe\0\0\0\x34\0\x10"), Ok(None));
}

#[test]
fn no_more_of_a_file_is_read_than_fits() {
    let mut bytes = MachO::program(MachO::X86_64).bytes();
    let read = |size: u32| {
        bytes[20..24].copy_from_slice(&size.to_le_bytes());
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &bytes).unwrap();
        // The rest of its load commands is a hole.
        file.as_file().set_len(100 << 20).unwrap();
        let source = Source::new(file.reopen().unwrap());
        images(source.whole()).map(|images| images.map_or(0, |images| images.len()))
    };
    assert_eq!(
        [1 << 20, 65 << 20].map(read),
        [Ok(1), Err("its load commands are incomplete")]
    );
}

#[test]
fn words_of_env_are_followed() {
    let call = |line: &str| {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        script::env_call(&words)
    };
    let command = |line: &str| call(line).unwrap().command.join(&OsString::from(" "));
    assert_eq!(command("node x"), "node x");
    assert_eq!(command("-S node --flag x"), "node --flag x");
    assert_eq!(command("-Snode x"), "node x");
    assert_eq!(command("--split-string=node x"), "node x");
    assert_eq!(command("-i -u B A=1 node -u x"), "node -u x");
    let changes = call("-uB A=1=2 node").unwrap();
    assert_eq!(
        changes.changes,
        [("B".into(), None), ("A".into(), Some("1=2".into()))]
    );
    assert!(call("-i node").unwrap().clear);
    assert_eq!(command("-- node"), "node");
    assert_eq!(call("A=1").unwrap().command, Vec::<OsString>::new());
    for not_followed in ["-C / node", "--chdir=/ node", "-P /bin node", "-u"] {
        assert!(call(not_followed).is_err(), "{not_followed}");
    }
    assert!(script::env_call(&["-S".into(), "node \"a b\"".into()]).is_err());
}
