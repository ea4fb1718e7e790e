//! Which paths are paused.

use super::state::Inode;
use inspect::gather::{Alias, aliases, devices_below, is_below};
use inspect::model::{Device, Name, PauseRecord};
use rules::{Engine, Rule, Rules, Texts};
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Directories with what lies below them, and what is left alone there.
#[derive(Debug, Clone)]
pub struct Trees {
    dirs: Vec<Name>,
    exclude: Vec<u8>,
    home: Option<Vec<u8>>,
    /// Other paths of what lies in them.
    aliases: Vec<Alias>,
}

impl Trees {
    /// Of a pause.
    pub fn of(record: &PauseRecord) -> Trees {
        let dirs = record.dirs.iter();
        Trees {
            aliases: dirs.flat_map(|dir| aliases(dir.as_bytes())).collect(),
            dirs: record.dirs.clone(),
            exclude: record.exclude.clone(),
            home: crate::settings::resolved_home(),
        }
    }

    /// The path by which something is in one of them, for any path of it, absolute and resolved.
    pub fn place(&self, path: &[u8]) -> Option<Vec<u8>> {
        if self.have(path) {
            return Some(path.to_vec());
        }
        let mut places = self
            .aliases
            .iter()
            .filter_map(|alias| alias.translate(path));
        places.find(|place| self.have(place))
    }

    fn have(&self, path: &[u8]) -> bool {
        // To read the patterns takes longer than to compare: of most pauses there are none.
        self.dirs.iter().any(|dir| is_below(path, dir.as_bytes()))
            && (self.exclude.is_empty()
                || !(self.rules().drop).match_below(path, self.home.as_deref()))
    }

    /// The file systems they lie on.
    pub fn devices(&self) -> HashSet<Device> {
        let devices = self.dirs.iter();
        devices
            .flat_map(|dir| devices_below(dir.as_bytes()))
            .collect()
    }

    /// The directories.
    pub fn dirs(&self) -> &[Name] {
        &self.dirs
    }

    /// By device and number, as it is now. Where a file system tells one number inside and another one outside
    /// (overlayfs, btrfs), nothing of it is found.
    fn inodes(&self) -> HashMap<Inode, Vec<u8>> {
        let mut found = HashMap::new();
        let path = |dir: &Name| PathBuf::from(OsString::from_vec(dir.as_bytes().to_vec()));
        let mut left: Vec<_> = self.dirs.iter().map(path).collect();
        while let Some(path) = left.pop() {
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            let inode = (Device::of(metadata.dev()).0, metadata.ino());
            if metadata.is_dir() {
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                left.extend(entries.map(|entry| entry.path()));
            }
            found.insert(inode, path.into_os_string().into_vec());
        }
        found
    }

    /// What is left alone, as a rule.
    fn rules(&self) -> Rules<'_> {
        parse(&self.exclude, self.home.as_deref(), &mut |_| {})
    }
}

/// What lies in trees, for processes that see it by other paths.
#[derive(Default)]
pub struct Listed {
    places: HashMap<Inode, Vec<u8>>,
    /// What was looked for, and was not there.
    missed: HashSet<Inode>,
    is_made: bool,
}

impl Listed {
    /// Lists the trees the first time; later only if one of these inodes is new and `again` says so.
    pub fn seek(&mut self, trees: &Trees, inodes: &[Inode], again: bool) {
        let is_new = |inode| !self.places.contains_key(inode) && !self.missed.contains(inode);
        if self.is_made && !(again && inodes.iter().any(is_new)) {
            return;
        }
        self.places = trees.inodes();
        self.is_made = true;
        let missed = inodes
            .iter()
            .filter(|inode| !self.places.contains_key(inode));
        self.missed.extend(missed);
    }

    /// Where it is in the trees.
    pub fn place(&self, inode: Inode) -> Option<&[u8]> {
        self.places.get(&inode).map(Vec::as_slice)
    }
}

/// What is wrong with patterns, if anything is.
pub fn problem(exclude: &[u8]) -> Option<String> {
    let mut wrong = None;
    parse(exclude, None, &mut |error| {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = error.about("--exclude", &mut text);
        wrong = Some(text);
    });
    wrong
}

fn parse<'a>(
    exclude: &'a [u8],
    home: Option<&'a [u8]>,
    wrong: &mut dyn FnMut(rules::Error<'_>),
) -> Rules<'a> {
    let texts = Texts {
        values: Rule::ALL.map(|rule| (rule == Rule::Drop).then_some(exclude)),
        home,
    };
    Rules::parse(Engine::Masks, &texts, &mut |error| wrong(error))
}
