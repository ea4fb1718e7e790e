//! The shape of the code: a way down through the layers and none back up.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use structure::Graph;

fn repository() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    tests.and_then(Path::parent).unwrap()
}

fn graph(root: &str) -> Graph {
    Graph::of(&repository().join(root))
}

/// The layers of `fdscan`, the lowest first.
const LAYERS: &[&str] = &[
    "words",
    "model",
    "sys",
    "output",
    "reach",
    "process_tree",
    "formats",
    "libproc",
    "macos",
    "gather",
    "findings",
    "render",
    "targets",
    "scans",
    "mac_scan",
    "schema",
    "events",
    "check",
    "export",
    "watch",
    "bug_report",
    "exit",
    "pages",
    "cli",
];

/// The rooms of `gather`, the lowest first.
const ROOMS: &[&str] = &[
    "subject",
    "process",
    "descriptors",
    "accounts",
    "system",
    "inotify",
    "sqlite",
    "servers",
    "claims",
    "change",
    "survey",
];

#[test]
fn no_files_take_names_from_each_other_in_a_circle() {
    for root in [
        "inspect/src/lib.rs",
        "inspect/src/main.rs",
        "launch/src/main.rs",
        "rules/src/lib.rs",
        "shim/src/lib.rs",
        "shim-macos/src/lib.rs",
        "tests/support/src/lib.rs",
        "tests/dylib/src/lib.rs",
    ] {
        let graph = graph(root);
        assert_eq!(graph.circles(), Vec::<Vec<&Path>>::new(), "{root}");
    }
}

#[test]
fn no_layer_of_fdscan_takes_names_from_one_above_it() {
    against_the_order(&graph("inspect/src/lib.rs"), LAYERS, 0);
}

#[test]
fn no_room_of_gather_takes_names_from_one_above_it() {
    against_the_order(&graph("inspect/src/lib.rs"), ROOMS, 1);
}

/// Fails if a file takes names from a later one of `order`. What is compared is part `depth` of their paths.
fn against_the_order(graph: &Graph, order: &[&str], depth: usize) {
    let place = |file: &Path| {
        let mut parts = file
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        let inside = depth == 0 || parts.next().as_deref() == Some("gather");
        let room = parts.next().filter(|_| inside)?;
        order
            .iter()
            .position(|name| *name == room.trim_end_matches(".rs"))
    };
    let mut seen = 0;
    for (file, takes) in graph.files() {
        let Some(here) = place(file) else { continue };
        seen += 1;
        for (source, names) in takes {
            assert!(
                place(source).is_none_or(|there| there <= here),
                "{} takes {names:?} from {}, which is above it: {order:?}",
                file.display(),
                source.display()
            );
        }
    }
    assert!(seen > order.len(), "{seen} files in {order:?}");
}

#[test]
fn every_file_of_fdscan_has_its_place_in_the_order() {
    for (directory, order) in [("inspect/src", LAYERS), ("inspect/src/gather", ROOMS)] {
        for entry in std::fs::read_dir(repository().join(directory)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let name = name.trim_end_matches(".rs");
            let faces = ["lib", "main", "mod", "commands"];
            assert!(
                order.contains(&name) || faces.contains(&name),
                "{directory}/{name} is on no layer"
            );
        }
    }
}

/// A crate of these files, and the graph of it.
fn of(files: &[(&str, &str)]) -> (tempfile::TempDir, Graph) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let graph = Graph::of(&dir.path().join("lib.rs"));
    (dir, graph)
}

fn arrows(graph: &Graph) -> BTreeMap<PathBuf, Vec<PathBuf>> {
    let files = graph.files();
    let arrows = files.map(|(file, takes)| (file.to_owned(), takes.keys().cloned().collect()));
    arrows
        .filter(|(_, takes): &(PathBuf, Vec<PathBuf>)| !takes.is_empty())
        .collect()
}

#[test]
fn a_circle_through_a_name_that_is_handed_on_is_found() {
    let (_dir, graph) = of(&[
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a/mod.rs", "mod inner;\npub use inner::One;\n"),
        (
            "a/inner.rs",
            "pub struct One;\npub fn f() { crate::b::g(); }\n",
        ),
        ("b.rs", "use crate::a::One;\npub fn g() -> One { One }\n"),
    ]);
    assert_eq!(
        graph.circles(),
        [[Path::new("a/inner.rs"), Path::new("b.rs")]]
    );
}

#[test]
fn names_in_macros_and_inline_modules_count_and_those_in_tests_do_not() {
    let (_dir, graph) = of(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\n"),
        (
            "a.rs",
            "use super::b;\nfn f() { println!(\"{}\", b::N); }\n",
        ),
        (
            "b.rs",
            "pub const N: u8 = 1;\nmod inline { pub fn g() -> u8 { super::super::c::M } }\n",
        ),
        (
            "c.rs",
            "pub const M: u8 = 1;\n#[cfg(test)]\nmod tests { use crate::d::K; }\n",
        ),
        ("d.rs", "pub const K: u8 = 1;\n"),
    ]);
    let to = |file: &str| vec![PathBuf::from(file)];
    assert_eq!(
        arrows(&graph),
        BTreeMap::from([("a.rs".into(), to("b.rs")), ("b.rs".into(), to("c.rs"))])
    );
}

#[test]
fn a_variable_is_not_the_function_of_its_name() {
    let (_dir, graph) = of(&[
        ("lib.rs", "mod a;\n"),
        (
            "a/mod.rs",
            "mod b;\npub use b::size;\npub fn f() { let size = 1; drop(size); }\n",
        ),
        ("a/b.rs", "pub fn size() { super::f() }\n"),
    ]);
    assert_eq!(
        arrows(&graph),
        BTreeMap::from([("a/b.rs".into(), vec!["a/mod.rs".into()])])
    );
}
