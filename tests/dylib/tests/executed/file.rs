//! The library as a file: for which machines, linked against what, and signed.

use std::collections::BTreeSet;

use dylib::image::CPU;
use dylib::macho::{ARM64, File, Signature, What, X86_64, slices};
use dylib::{library, program::Program};

const BOTH: [u32; 2] = [X86_64, ARM64];

#[test]
fn it_holds_both_architectures_each_on_a_page_of_its_own() {
    let Some(library) = library() else { return };
    let found: Vec<_> = slices(library)
        .into_iter()
        .map(|(slice, at, align)| {
            assert_eq!(at % (1 << align), 0);
            (File::parse(slice).cpu, align)
        })
        .collect();
    assert_eq!(found, [(X86_64, 12), (ARM64, 14)]);
    for cpu in BOTH {
        let file = File::of(library, cpu);
        assert_eq!(file.kind, 6, "MH_DYLIB");
        assert_eq!(file.built_for, Some((1, 0x000b_0000)), "macOS 11.0");
        assert_eq!(file.own_name.as_deref(), Some("@rpath/libwatchfix.dylib"));
    }
}

/// A pair whose second half is not there when the program starts is not taken, and many programs load CoreServices late.
#[test]
fn it_links_what_it_replaces_strongly() {
    let Some(library) = library() else { return };
    for cpu in BOTH {
        let file = File::of(library, cpu);
        let names: Vec<&str> = file.dylibs.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "/System/Library/Frameworks/CoreServices.framework/Versions/A/CoreServices",
                "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation",
                "/usr/lib/libSystem.B.dylib",
            ]
        );
        assert!(file.dylibs.iter().all(|d| !d.weak));
        for fixup in &file.fixups {
            let What::Bind {
                name,
                library,
                weak,
                ..
            } = &fixup.what
            else {
                continue;
            };
            let expected = match name.as_str() {
                name if name.starts_with("_FSEvent") => 1,
                name if name.starts_with("_CF") || name.starts_with("_kCF") => 2,
                _ => 3,
            };
            assert_eq!((*library, *weak), (expected, false), "{name}");
        }
    }
}

#[test]
fn each_hook_has_its_pair() {
    let Some(library) = library() else { return };
    let wanted = [
        "_FSEventStreamCreate",
        "_FSEventStreamCreateRelativeToDevice",
        "_execve",
        "_kevent",
        "_kevent64",
        "_posix_spawn",
        "_posix_spawnp",
    ];
    for cpu in BOTH {
        let file = File::of(library, cpu);
        let section = file.section("__interpose").unwrap();
        assert_eq!(section.segment, "__DATA");
        assert_eq!(section.size, 16 * wanted.len() as u64);
        let inside = section.address..section.address + section.size;
        let mut pairs = BTreeSet::new();
        for fixup in file.fixups.iter().filter(|f| inside.contains(&f.at)) {
            let second = (fixup.at - section.address) % 16 == 8;
            match &fixup.what {
                What::Bind { name, .. } if second => drop(pairs.insert(name.as_str())),
                What::Rebase(_) if !second => {}
                other => panic!("{other:?} at {:#x}", fixup.at),
            }
        }
        assert_eq!(pairs.into_iter().collect::<Vec<_>>(), wanted);
    }
}

#[test]
fn it_exports_nothing_and_imports_what_there_are_stand_ins_for() {
    let Some(library) = library() else { return };
    for cpu in BOTH {
        let file = File::of(library, cpu);
        let exported: Vec<_> = file
            .symbols
            .iter()
            .filter(|s| s.exported)
            .map(|s| &s.name)
            .collect();
        assert_eq!(exported, [""; 0]);
        let imports = file.imports();
        assert!(imports.len() > 20, "{imports:?}");
        for name in &imports {
            dylib::system::resolve(name);
            assert!(
                !name.contains("unwind") && !name.contains("personality"),
                "{name}"
            );
        }
    }
}

#[test]
fn the_signature_is_that_of_the_file() {
    let Some(library) = library() else { return };
    for cpu in BOTH {
        let file = File::of(library, cpu);
        let signature = Signature::of(&file).expect("a signature");
        assert!(
            signature.wrong.is_empty() && signature.covers_all,
            "{signature:?}"
        );
        assert!(signature.pages >= 8);
        // CS_ADHOC, CS_LINKER_SIGNED
        assert_eq!(signature.flags, 0x2_0002);
        // One bit of the code.
        let mut changed = file.bytes.to_vec();
        let text = file.section("__text").unwrap();
        changed[text.address as usize + 100] ^= 1;
        let found = Signature::of(&File::parse(&changed)).unwrap();
        assert_eq!(found.wrong, [(text.address as usize + 100) / 4096]);
    }
}

/// The panic handler's text is in the library only if something in it can still panic.
#[test]
fn nothing_in_it_can_panic() {
    let Some(library) = library() else { return };
    assert!(!library.windows(8).any(|w| w == b"panicked"));
}

#[test]
fn it_is_at_most_160_kib_and_has_no_thread_local_storage() {
    let Some(library) = library() else { return };
    assert!(library.len() <= 160 * 1024, "{} bytes", library.len());
    for cpu in BOTH {
        let file = File::of(library, cpu);
        assert!(!file.sections.iter().any(|s| s.name.starts_with("__thread")));
    }
}

/// dyld knows two forms of fixups. What is written in them is the same, and so is what is executed.
#[test]
fn both_forms_of_fixups_load_alike() {
    let Some(library) = library() else { return };
    if std::env::var_os(library::GIVEN).is_some() {
        return;
    }
    let target = support::target_dir().join("dylib-chained");
    let path = library::build(&target, &[("WATCHFIX_FIXUPS", "-fixup_chains")]).unwrap();
    let chained = std::fs::read(path).unwrap();
    for cpu in BOTH {
        let (opcodes, chains) = (File::of(library, cpu), File::of(&chained, cpu));
        assert!(!opcodes.chained && chains.chained);
        let names = |file: &File<'_>| {
            let bind = |what: &What| match what {
                What::Bind { name, .. } => Some(name.clone()),
                What::Rebase(_) => None,
            };
            let all: BTreeSet<String> = file.fixups.iter().filter_map(|f| bind(&f.what)).collect();
            all
        };
        let mut older = names(&opcodes);
        // What lazy binds go through.
        assert!(older.remove("dyld_stub_binder"));
        assert_eq!(older, names(&chains));
    }
    assert!(BOTH.contains(&CPU));
    let dir = super::dir();
    let path = super::file(&super::real(&dir), "config.toml");
    let mut queue = Program::with(&chained, &[]).queue();
    queue.watch(&path, dylib::system::kqueue::CLEAR);
    dylib::program::chmod(&path);
    assert_eq!(queue.heard(), [0; 0]);
    dylib::program::touch(&path);
    assert_eq!(queue.heard(), [dylib::system::kqueue::N_ATTRIB]);
}
