//! Programs that are started: the variable is taken out for those that dyld would end.

mod files;

use std::ffi::{CString, c_char};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::ptr::{null, null_mut, without_provenance};

use dylib::image::CPU;
use dylib::macho::{ARM64, X86_64};
use dylib::system::processes::{set_path, starts};
use dylib::{Program, library};
use files::{HARDENED, LIBRARIES, VALIDATION, VARIABLE, fat, program_file, thin};

use super::{dir, real};

/// What a program is started with that is given these variables.
fn given(program: &Program, path: &str, variables: &[&str]) -> Vec<String> {
    let texts: Vec<CString> = variables
        .iter()
        .map(|v| CString::new(*v).unwrap())
        .collect();
    let mut list: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
    list.push(null());
    let path = CString::new(path).unwrap();
    let (path, list) = (path.as_ptr(), list.as_ptr());
    let arguments = without_provenance(0x77);
    // SAFETY: a path and strings.
    unsafe {
        (program.posix_spawn)(null_mut(), path, null(), null(), arguments, list);
        (program.posix_spawnp)(null_mut(), path, null(), null(), arguments, list);
        (program.execve)(path, arguments, list);
    }
    let [one, two, three] = starts().try_into().unwrap();
    assert_eq!(
        [one.call, two.call, three.call],
        ["posix_spawn", "posix_spawnp", "execve"]
    );
    for start in [&two, &three] {
        assert_eq!((&start.path, &start.variables), (&one.path, &one.variables));
        assert_eq!(start.arguments, 0x77);
    }
    one.variables
}

const INSERTED: &str = "DYLD_INSERT_LIBRARIES=/opt/libwatchfix.dylib";

/// Whether it is started with the library.
fn keeps(library: &[u8], bytes: &[u8]) -> bool {
    let dir = dir();
    let path = real(&dir).join("program");
    program_file(&path, bytes);
    let path = path.to_str().unwrap();
    let variables = ["A=1", INSERTED, "B=2"];
    assert_eq!(given(&Program::bare(), path, &variables), variables);
    let found = given(&Program::with(library, &[]), path, &variables);
    if found == variables {
        return true;
    }
    assert_eq!(found, ["A=1", "B=2"]);
    false
}

#[test]
fn one_that_takes_the_variable_and_refuses_the_library_is_started_without_it() {
    let Some(library) = library() else { return };
    for cpu in [X86_64, ARM64] {
        let program =
            |flags, entitlements: &[(&str, bool)]| thin(cpu, 0, Some((flags, entitlements)));
        for (bytes, kept, what) in [
            (thin(cpu, 0, None), true, "no signature"),
            (program(2, &[]), true, "ad hoc"),
            (
                program(HARDENED, &[]),
                true,
                "hardened: the variable is ignored",
            ),
            (program(HARDENED, &[(LIBRARIES, true)]), true, "the same"),
            (
                program(HARDENED, &[(VARIABLE, true)]),
                false,
                "it takes the variable",
            ),
            (program(HARDENED, &[(VARIABLE, false)]), true, "it does not"),
            (
                program(HARDENED, &[(VARIABLE, true), (LIBRARIES, true)]),
                true,
                "node",
            ),
            (
                program(HARDENED, &[(VARIABLE, true), (LIBRARIES, false)]),
                false,
                "refused",
            ),
            (program(VALIDATION, &[]), false, "library validation"),
            (
                program(VALIDATION, &[(LIBRARIES, true)]),
                true,
                "which is disabled",
            ),
        ] {
            assert_eq!(keeps(library, &bytes), kept, "{what}");
            let fat = fat(&[(cpu, 0, bytes)]);
            assert_eq!(keeps(library, &fat), kept, "{what}, in a fat file");
        }
    }
}

#[test]
fn one_for_arm64e_is_started_without_it() {
    let Some(library) = library() else { return };
    let (arm64e, arm64, x86) = (
        thin(ARM64, 0x8000_0002, None),
        thin(ARM64, 0, None),
        thin(X86_64, 3, None),
    );
    assert!(!keeps(library, &arm64e));
    let universal = |slices: &[(u32, u32, &Vec<u8>)]| {
        let slices: Vec<_> = slices
            .iter()
            .map(|(cpu, sub, slice)| (*cpu, *sub, (*slice).clone()))
            .collect();
        fat(&slices)
    };
    let native_is_x86 = CPU == X86_64;
    let both = universal(&[(X86_64, 3, &x86), (ARM64, 0x8000_0002, &arm64e)]);
    assert_eq!(keeps(library, &both), native_is_x86);
    let three = universal(&[
        (X86_64, 3, &x86),
        (ARM64, 0, &arm64),
        (ARM64, 0x8000_0002, &arm64e),
    ]);
    assert_eq!(keeps(library, &three), native_is_x86);
    let old = universal(&[(7, 3, &x86), (ARM64, 0, &arm64)]);
    assert!(keeps(library, &old));
}

#[test]
fn a_script_is_its_interpreter() {
    let Some(library) = library() else { return };
    let dir = dir();
    let interpreter = real(&dir).join("interpreter");
    program_file(&interpreter, &thin(ARM64, 2, None));
    for line in ["#!INTERPRETER\n", "#! INTERPRETER -x\n", "#!\tINTERPRETER"] {
        let script = line.replace("INTERPRETER", interpreter.to_str().unwrap());
        assert!(!keeps(library, script.as_bytes()), "{line}");
    }
    for script in [
        "#!/no/such\n",
        "#!",
        "#!\n",
        &format!("#!{}", "x".repeat(600)),
    ] {
        assert!(keeps(library, script.as_bytes()), "{script}");
    }
}

#[test]
fn what_is_no_program_or_cut_off_is_left_to_the_system() {
    let Some(library) = library() else { return };
    let whole = thin(ARM64, 0, Some((HARDENED, &[(VARIABLE, true)])));
    for bytes in [
        &b""[..],
        b"x",
        b"echo hello\n",
        &whole[..20],
        &whole[..60],
        &whole[..4100],
        &whole[..4140],
    ] {
        assert!(keeps(library, bytes), "{} bytes", bytes.len());
    }
    // A class of Java, and a signature that is said to lie nowhere.
    assert!(keeps(library, &[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52, 0, 0]));
    let mut nowhere = whole;
    nowhere[64..68].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(keeps(library, &nowhere));
    let program = Program::with(library, &[]);
    for path in ["/no/such", "/", "/dev/null", ""] {
        assert_eq!(given(&program, path, &[INSERTED]), [INSERTED]);
    }
}

/// Whoever may write a file may write any.
#[test]
fn no_file_harms_the_program_that_starts_it() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = real(&dir).join("program");
    let name = CString::new(path.to_str().unwrap()).unwrap();
    let program = Program::with(library, &[]);
    let variable = CString::new(INSERTED).unwrap();
    let list = [variable.as_ptr(), null()];
    let slice = thin(CPU, 0, Some((HARDENED, &[(VARIABLE, true)])));
    let whole = fat(&[(CPU, 0, slice)]);
    program_file(&path, &whole);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let meaningful = (0..whole.len()).filter(|at| at % 4096 < 256);
    for (at, byte) in meaningful.flat_map(|at| [0, 1, 0x7f, 0xff].map(|byte| (at, byte))) {
        file.write_all_at(&[byte], at as u64).unwrap();
        // SAFETY: a path and strings.
        unsafe {
            let (name, list) = (name.as_ptr(), list.as_ptr());
            (program.posix_spawn)(null_mut(), name, null(), null(), null(), list);
        }
        assert_eq!(starts().len(), 1);
        file.write_all_at(&[whole[at]], at as u64).unwrap();
    }
}

#[test]
fn other_libraries_stay_inserted() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = real(&dir).join("program");
    program_file(&path, &thin(ARM64, 2, None));
    let path = path.to_str().unwrap();
    let program = Program::with(library, &[]);
    for (list, left) in [
        (
            "/opt/libwatchfix.dylib:/opt/other.dylib",
            Some("/opt/other.dylib"),
        ),
        ("/a:/opt/libwatchfix.dylib:/b", Some("/a:/b")),
        ("/a:libwatchfix.dylib", Some("/a")),
        ("/opt/libwatchfix.dylib:/usr/libwatchfix.dylib", None),
        ("/opt/other.dylib", Some("/opt/other.dylib")),
        (
            "/opt/libwatchfix.dylib.old",
            Some("/opt/libwatchfix.dylib.old"),
        ),
        ("", Some("")),
    ] {
        let variable = |list: &str| format!("DYLD_INSERT_LIBRARIES={list}");
        let left: Vec<String> = left.iter().map(|left| variable(left)).collect();
        assert_eq!(given(&program, path, &[&variable(list)]), left, "{list}");
    }
    // As many as do not fit on the stack.
    let many: Vec<String> = (0..2000)
        .map(|i| format!("V{i}={}", "x".repeat(i % 90)))
        .collect();
    let mut variables: Vec<&str> = many.iter().map(String::as_str).collect();
    variables.push(INSERTED);
    assert_eq!(given(&program, path, &variables), many);
    assert_eq!(given(&program, path, &[]), [""; 0]);
    let off = Program::with(library, &["WATCHFIX_OFF=1"]);
    assert_eq!(given(&off, path, &[INSERTED]), [INSERTED]);
}

#[test]
fn posix_spawnp_looks_where_the_system_looks() {
    let Some(library) = library() else { return };
    let dir = dir();
    let (first, second) = (real(&dir).join("first"), real(&dir).join("second"));
    for directory in [&first, &second] {
        std::fs::create_dir(directory).unwrap();
    }
    program_file(&second.join("tool"), &thin(ARM64, 2, None));
    // It cannot be executed, so it is passed over.
    std::fs::write(first.join("tool"), thin(ARM64, 0, None)).unwrap();
    let permissions = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(first.join("tool"), permissions).unwrap();
    let program = Program::with(library, &[]);
    let spawn = |path: Option<&str>| {
        set_path(path);
        let variable = CString::new(INSERTED).unwrap();
        let list = [variable.as_ptr(), null()];
        // SAFETY: a name and strings.
        unsafe {
            let (name, list) = (c"tool".as_ptr(), list.as_ptr());
            (program.posix_spawnp)(null_mut(), name, null(), null(), null(), list);
        }
        starts()[0].variables.len()
    };
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    assert_eq!(spawn(Some(&format!("/no/such:{first}:{second}"))), 0);
    assert_eq!(spawn(Some(second)), 0);
    assert_eq!(spawn(Some(first)), 1);
    assert_eq!(spawn(Some(&"/x".repeat(600))), 1);
    assert_eq!(spawn(None), 1);
}

#[test]
fn pointers_that_lead_nowhere_are_the_systems_to_refuse() {
    let Some(library) = library() else { return };
    let program = Program::with(library, &[]);
    let variable = CString::new(INSERTED).unwrap();
    let nowhere = without_provenance::<c_char>(16);
    let good = [variable.as_ptr(), null()];
    let bad = [variable.as_ptr(), nowhere, null()];
    let path = c"/bin/sh".as_ptr();
    for (path, list) in [
        (nowhere, good.as_ptr()),
        (path, bad.as_ptr()),
        (path, nowhere.cast()),
    ] {
        // SAFETY: the system is to refuse it.
        let answers = unsafe {
            let spawned = (program.posix_spawn)(null_mut(), path, null(), null(), null(), list);
            let executed = (program.execve)(path, null(), list);
            (
                spawned,
                executed,
                std::io::Error::last_os_error().raw_os_error(),
            )
        };
        assert_eq!(answers, (libc::EFAULT, -1, Some(libc::EFAULT)));
    }
    // Without variables, and the system's own answer.
    // SAFETY: a path.
    let executed = unsafe { (program.execve)(path, null(), null()) };
    assert_eq!(
        (executed, std::io::Error::last_os_error().raw_os_error()),
        (-1, Some(libc::ENOENT))
    );
}
