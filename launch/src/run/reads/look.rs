//! What a record does not say and its file does: whether it was touched or written to.

use super::super::owners::{Found, Owner};
use super::super::rights::Finder;
use super::instance::{Instance, Place, Shared, identity, now};
use crate::sys::lock;
use rules::Rules;
use rules::attrib::{Look, Time, is_change};
use rules::record::{Record, Watches};
use rules::watch::{Asked, Fate};
use rules::written::was_written;
use std::ffi::{CStr, CString};
use std::sync::Arc;

/// An instance, and the thread that reads from it.
pub struct Reader<'a> {
    /// The instance.
    pub instance: &'a Shared,
    /// The thread: what a path means to it.
    pub owner: &'a Owner,
    /// Whose rights files are found with, and from where.
    pub finder: &'a Finder<'a>,
    /// The rules.
    pub rules: &'a Rules<'a>,
}

impl Watches for Reader<'_> {
    fn asked(&self, record: &Record<'_>) -> Asked {
        let instance = lock(self.instance);
        let watch = instance.watches.get(&record.wd);
        watch.map_or(Asked::NONE, |watch| match watch.burst.has_settled() {
            true => Asked::of(self.rules.strip, Fate::Settled, watch.wanted),
            false => watch.asked,
        })
    }

    fn was_written(&self, record: &Record<'_>) -> bool {
        let Some((place, _)) = self.place(record.wd) else {
            return true;
        };
        let Some(look) = self.file(&place, record) else {
            return true;
        };
        let instance = lock(self.instance);
        instance.watches.get(&record.wd).is_none_or(|watch| {
            match watch.asked.settled() {
                true => was_written(&look, watch.placed, now()),
                // It was settled for a while. Who copies a file with its times sets only the one back.
                false => watch.burst.covers(look.modified) || watch.burst.covers(look.changed),
            }
        })
    }

    fn is_change(&self, record: &Record<'_>) -> bool {
        let Some((place, read)) = self.place(record.wd) else {
            return true;
        };
        let own = self.at(&place);
        let entry = || self.entry(&place, record.name);
        is_change(
            place.identity,
            read,
            own,
            (!record.name.is_empty()).then_some(entry),
        )
    }
}

impl Reader<'_> {
    /// Where a watch is, and when its instance was last read.
    fn place(&self, wd: i32) -> Option<(Arc<Place>, Time)> {
        let instance: &Instance = &lock(self.instance);
        let place = instance.watches.get(&wd)?.place.clone()?;
        Some((place, instance.read))
    }

    /// The file the record is about.
    fn file(&self, place: &Place, record: &Record<'_>) -> Option<Look> {
        let own = self
            .at(place)
            .filter(|own| own.identity == place.identity)?;
        match record.name.is_empty() {
            true => Some(own),
            false => self.entry(place, record.name),
        }
    }

    fn at(&self, place: &Place) -> Option<Look> {
        self.find(&place.path, place.follow)
    }

    fn entry(&self, place: &Place, name: &[u8]) -> Option<Look> {
        let path = CString::new([place.path.to_bytes(), b"/", name].concat()).ok()?;
        self.find(&path, false)
    }

    fn find(&self, path: &CStr, follow: bool) -> Option<Look> {
        let rights = self.finder.guard.rights_of(self.owner).ok()?;
        let find = || self.owner.find(path, follow, self.finder.own_root);
        let found = rights.act(find).ok()?.ok()?;
        Some(look(&found))
    }
}

fn look(found: &Found) -> Look {
    Look {
        identity: identity(found),
        modified: found.known.modified,
        changed: found.known.changed,
    }
}
