//! Which paths are paused.

use super::state::Inode;
use inspect::gather::{devices_below, is_below};
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
}

impl Trees {
    /// Of a pause.
    pub fn of(record: &PauseRecord) -> Trees {
        Trees {
            dirs: record.dirs.clone(),
            exclude: record.exclude.clone(),
            home: crate::settings::resolved_home(),
        }
    }

    /// Whether a path, absolute and resolved, is in one.
    pub fn have(&self, path: &[u8]) -> bool {
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

    /// What lies in them, by device and number. Where a file system tells one number inside and another one outside
    /// (overlayfs, btrfs), nothing of it is found.
    pub fn inodes(&self) -> HashMap<Inode, Vec<u8>> {
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
