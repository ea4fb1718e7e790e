//! The files of a crate and what they take from each other.

use crate::{read, resolve};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// For each file, those it takes names from and the names.
pub struct Graph(BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>);

impl Graph {
    /// Of the crate whose root file is `root`; paths are below its directory.
    ///
    /// # Panics
    /// If a file cannot be read or parsed.
    pub fn of(root: &Path) -> Graph {
        let modules = read::modules(root);
        let directory = root.parent().unwrap_or(root);
        let name = |module: usize| {
            let file = &modules[module].file;
            file.strip_prefix(directory).unwrap_or(file).to_owned()
        };
        let mut files = BTreeMap::new();
        for (number, module) in modules.iter().enumerate() {
            let takes: &mut BTreeMap<_, BTreeSet<_>> = files.entry(name(number)).or_default();
            for path in &module.paths {
                let Some(source) = resolve::definition(&modules, number, path) else {
                    continue;
                };
                if modules[source].file != module.file {
                    takes
                        .entry(name(source))
                        .or_default()
                        .insert(path.join("::"));
                }
            }
        }
        Graph(files)
    }

    /// Each file with those it takes names from.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &BTreeMap<PathBuf, BTreeSet<String>>)> {
        self.0.iter().map(|(file, takes)| (file.as_path(), takes))
    }

    /// The files that take names from each other in a circle, a list for each circle.
    pub fn circles(&self) -> Vec<Vec<&Path>> {
        let reach: BTreeMap<_, _> = self
            .0
            .keys()
            .map(|f| (f.as_path(), self.reach(f)))
            .collect();
        let mut seen = BTreeSet::new();
        let mut circles = Vec::new();
        for (file, reached) in &reach {
            if seen.contains(file) || !reached.contains(file) {
                continue;
            }
            let back = |other: &&Path| reach.get(*other).is_some_and(|r| r.contains(file));
            let circle: Vec<&Path> = reached.iter().copied().filter(back).collect();
            seen.extend(circle.iter().copied());
            circles.push(circle);
        }
        circles
    }

    /// All files whose names come to `file`, directly or through others.
    fn reach<'a>(&'a self, file: &Path) -> BTreeSet<&'a Path> {
        let mut reached = BTreeSet::new();
        let mut next = vec![file];
        while let Some(file) = next.pop() {
            for source in self.0.get(file).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(source.as_path()) {
                    next.push(source);
                }
            }
        }
        reached
    }
}
