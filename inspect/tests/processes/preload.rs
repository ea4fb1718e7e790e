//! LD_PRELOAD: asked for, and whether it is there.

use std::path::{Path, PathBuf};

use crate::common::{Fixture, Process, Stage, is_root};

/// mkfds with LD_PRELOAD.
fn preloaded(stage: &Stage, libraries: &str) -> Fixture {
    // The loader says that it cannot load some of them, and goes on.
    stage.mkfds_with(&["idle"], |c| {
        c.env("LD_PRELOAD", libraries);
    })
}

fn requested(process: &Process) -> Vec<&str> {
    process.0["preload"]["requested"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l.as_str().unwrap())
        .collect()
}

/// The product's library, where every user may read it.
fn library(stage: &Stage) -> PathBuf {
    let copy = stage.make("lib").join("libwatchfix.so");
    support::install(support::libwatchfix(), &copy);
    copy
}

/// A static program that does what mkfds does.
fn static_program(stage: &Stage) -> Option<PathBuf> {
    let source = support::root().join("tests/mkfds/static.c");
    let Some(compiler) = support::tool("musl-gcc") else {
        support::skip("musl-gcc is missing (Debian: musl-tools)");
        return None;
    };
    let into = stage.make("static");
    let compiler = compiler.to_str().unwrap();
    let program = support::compile_c(compiler, &source, &into, &["-static"]).unwrap();
    Some(program)
}

#[test]
fn a_static_program_does_not_load_the_library() {
    let stage = Stage::new();
    let Some(program) = static_program(&stage) else {
        return;
    };
    let library = library(&stage);
    let tree = stage.make("tree");
    let mut command = stage.command(&program);
    command.arg(&tree).env("LD_PRELOAD", &library);
    let fixture = Fixture::start(command.env("WATCHFIX_IGNORE", "+app.log"));
    let process = stage.look(&fixture);
    assert_eq!(process.0["linkage"], "static");
    assert_eq!(process.0["preload"]["mapped"], false);
    assert_eq!(requested(&process), [library.to_str().unwrap()]);
    let finding = process.finding("preload-ineffective", "warning");
    // A preload line would be no remedy here.
    let remedy = finding["remedy"].as_str().unwrap();
    assert!(remedy.contains("watchfix run"), "{remedy}");
    // The rules that were asked for are those of the commands.
    assert!(remedy.contains("WATCHFIX_IGNORE=+app.log "), "{remedy}");
    let live = finding["remedy_live"].as_str().unwrap();
    let heal = format!(" heal --ignore +app.log {}", fixture.pid());
    assert!(live.ends_with(&heal), "{live}");
    // The same holds for what is wrong with its watches.
    let remedy = &process.finding("watch-wakes-on-read", "info")["remedy"];
    assert!(!remedy.as_str().unwrap().contains("LD_PRELOAD"), "{remedy}");
}

#[test]
fn a_static_program_without_a_preload_is_not_told_about_one() {
    let stage = Stage::new();
    let Some(program) = static_program(&stage) else {
        return;
    };
    let fixture = Fixture::start(&mut stage.command(&program));
    let process = stage.look(&fixture);
    assert_eq!(process.0["linkage"], "static");
    assert!(requested(&process).is_empty());
    process.must_not_raise("preload-ineffective");
}

#[test]
fn a_dynamic_program_maps_the_library() {
    let stage = Stage::new();
    let library = library(&stage);
    let fixture = preloaded(&stage, library.to_str().unwrap());
    let process = stage.look(&fixture);
    assert_eq!(process.0["linkage"], "dynamic");
    assert_eq!(process.0["preload"]["mapped"], true);
    assert_eq!(requested(&process), [library.to_str().unwrap()]);
    process.must_not_raise("preload-ineffective");
}

#[test]
fn an_unprivileged_user_sees_the_library_in_its_own_process() {
    let stage = Stage::unprivileged(60161);
    let library = library(&stage);
    // Root's own setpriv must not be preloaded, so it only passes the variable on.
    let fixture = preloaded(&stage, library.to_str().unwrap());
    let process = stage.look_as_user(&fixture);
    assert_eq!(process.0["preload"]["mapped"], true);
    process.must_not_raise("preload-ineffective");
}

#[test]
fn a_library_that_is_not_there_is_not_mapped() {
    let stage = Stage::new();
    let fixture = preloaded(&stage, "/nonexistent/libwatchfix.so");
    let process = stage.look(&fixture);
    assert_eq!(process.0["preload"]["mapped"], false);
    process.finding("preload-ineffective", "warning");
}

#[test]
fn another_preloaded_library_is_ignored() {
    let stage = Stage::new();
    let fixture = preloaded(&stage, "/nonexistent/libother.so");
    let process = stage.look(&fixture);
    assert_eq!(requested(&process), ["/nonexistent/libother.so"]);
    process.must_not_raise("preload-ineffective");
}

#[test]
fn libraries_are_separated_by_colons_and_blanks() {
    let stage = Stage::new();
    let library = library(&stage);
    let path = library.to_str().unwrap();
    let list = format!("/nonexistent/a.so:{path} /nonexistent/b.so");
    let fixture = preloaded(&stage, &list);
    let process = stage.look(&fixture);
    assert_eq!(
        requested(&process),
        ["/nonexistent/a.so", path, "/nonexistent/b.so"]
    );
    process.must_not_raise("preload-ineffective");
}

#[test]
fn a_preload_that_was_deleted_after_the_start_is_still_mapped() {
    let stage = Stage::new();
    let library = library(&stage);
    let fixture = preloaded(&stage, library.to_str().unwrap());
    std::fs::remove_file(&library).unwrap();
    let process = stage.look(&fixture);
    assert_eq!(process.0["preload"]["mapped"], true);
    process.must_not_raise("preload-ineffective");
}

#[test]
fn a_process_without_a_preload_has_no_finding_about_one() {
    let stage = Stage::new();
    let fixture = stage.mkfds_with(&["idle"], |c| {
        c.env_remove("LD_PRELOAD");
    });
    let process = stage.look(&fixture);
    assert!(requested(&process).is_empty());
    assert_eq!(process.0["preload"]["mapped"], false);
}

#[test]
fn a_musl_program_of_its_own_loader_is_dynamic() {
    let stage = Stage::new();
    let Some(compiler) = support::tool("musl-gcc") else {
        return support::skip("musl-gcc is missing (Debian: musl-tools)");
    };
    if !Path::new("/lib/ld-musl-x86_64.so.1").exists() {
        return support::skip_optional("musl's loader is not installed");
    }
    let source = support::root().join("tests/mkfds/static.c");
    let into = stage.make("dynamic");
    let program = support::compile_c(compiler.to_str().unwrap(), &source, &into, &[]).unwrap();
    let fixture = Fixture::start(&mut stage.command(&program));
    assert_eq!(stage.look(&fixture).0["linkage"], "dynamic");
}

#[test]
fn an_unreadable_environment_is_said_to_be_unknown() {
    if !is_root() {
        return support::skip("only root can start another user's process");
    }
    // Covered for whole processes by exit status 4; here: whatever is shown, null stands for unknown.
    let stage = Stage::as_user(60162);
    let fixture = Stage::new().mkfds(&["idle"]);
    let doc = stage
        .scan_as_user(&[&fixture.pid().to_string(), "--json"])
        .json();
    for process in doc["processes"].as_array().unwrap() {
        assert!(process["preload"]["requested"].is_null());
        assert!(process["preload"]["mapped"].is_null());
    }
}
