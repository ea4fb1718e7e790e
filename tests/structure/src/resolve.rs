//! From a path as it is written to the file that defines what it names.

use crate::read::{Module, Names};

/// `pub use` in circles end somewhere.
const DEPTH: usize = 20;

/// The module in which `path`, written in module `from`, is defined.
pub fn definition(modules: &[Module], from: usize, path: &[String]) -> Option<usize> {
    written_in(modules, from, path, DEPTH)
}

fn written_in(modules: &[Module], from: usize, path: &[String], depth: usize) -> Option<usize> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => below(modules, 0, rest, depth),
        "self" => below(modules, from, rest, depth),
        "super" => {
            let parent = modules[from].parent?;
            match rest.first().map(String::as_str) {
                Some("super") => written_in(modules, parent, rest, depth),
                _ => below(modules, parent, rest, depth),
            }
        }
        _ => below(modules, from, path, depth),
    }
}

/// What `path` means inside of `module`.
fn below(modules: &[Module], module: usize, path: &[String], depth: usize) -> Option<usize> {
    let (first, rest) = path.split_first()?;
    let depth = depth.checked_sub(1)?;
    let here = &modules[module];
    if let Some(&child) = here.children.get(first) {
        return below(modules, child, rest, depth);
    }
    if here.items.contains(first) {
        return Some(module);
    }
    let onward = |names: &Names| {
        let whole: Names = names.iter().chain(rest).cloned().collect();
        written_in(modules, module, &whole, depth)
    };
    if let Some(import) = here.imports.get(first) {
        return onward(import);
    }
    here.globs.iter().find_map(|glob| {
        let whole: Names = glob.iter().chain(path).cloned().collect();
        written_in(modules, module, &whole, depth)
    })
}
