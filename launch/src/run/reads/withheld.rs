//! What the watches of an instance report while a pause holds them: kept, and of each name only what is true in the end.
//!
//! ```text
//! CREATE x, MODIFY x, MODIFY x, CLOSE_WRITE x       ->  CREATE x, MODIFY x, CLOSE_WRITE x
//! CREATE x~, MODIFY x~, MOVED_FROM x~, MOVED_TO x   ->  MOVED_TO x
//! MODIFY y, DELETE y                                ->  DELETE y
//! DELETE z, CREATE z, CLOSE_WRITE z                 ->  DELETE z, CREATE z, CLOSE_WRITE z
//! ```
//!
//! What is left is in the order in which it came, but for the ends of watches, which come first. Each record is as the kernel
//! wrote it.

use super::released::{Most, One, Released};
use rules::event::{
    ACCESS, ALL_EVENTS, ATTRIB, CLOSE_NOWRITE, CLOSE_WRITE, CREATE, DELETE, IGNORED, MODIFY,
    MOVED_FROM, MOVED_TO, OPEN,
};
use rules::record::Record;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A pause, by its number.
pub type Pause = u64;

/// What tells of names that come and go. Who hears all of it is not told of what came and went.
const NAMES: u32 = CREATE | DELETE | MOVED_FROM | MOVED_TO;

/// The watch of a record that says that others were lost.
const NO_WATCH: i32 = -1;

/// What is withheld of one instance.
#[derive(Default)]
pub struct Withheld {
    /// The pauses that hold a watch.
    held: HashMap<i32, HashSet<Pause>>,
    /// By watch and name.
    names: HashMap<(i32, Vec<u8>), Told>,
    /// What is about the watched file itself, and the instance.
    own: Vec<(i32, One)>,
    count: u64,
}

/// What a name's records come to.
#[derive(Default)]
struct Told {
    /// It was not there before.
    is_new: bool,
    ended: Option<One>,
    began: Option<One>,
    /// Since it began, the last record of each kind.
    since: BTreeMap<u32, One>,
}

impl Withheld {
    /// A pause holds these watches from now on. Returns how many it did not hold before.
    pub fn hold(&mut self, pause: Pause, wds: &[i32]) -> usize {
        let is_more = |wd: &&i32| self.held.entry(**wd).or_default().insert(pause);
        wds.iter().filter(is_more).count()
    }

    /// Whether any watch is held.
    pub fn holds_any(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the records of this watch are withheld.
    pub fn holds(&self, wd: i32) -> bool {
        self.held.contains_key(&wd) || (wd == NO_WATCH && self.holds_any())
    }

    /// Withholds a record, which is to have this `mask`. `hears` is what its watch reports.
    pub fn keep(&mut self, record: &Record<'_>, mask: u32, hears: u32) {
        self.count += 1;
        let one = One {
            at: self.count,
            mask,
            cookie: record.cookie,
        };
        let event = mask & ALL_EVENTS;
        // Who looked at what, and when, is of no use afterwards.
        if event != 0 && event & !(ACCESS | OPEN | CLOSE_NOWRITE) == 0 {
            return;
        }
        let is_about_name = !record.name.is_empty()
            && event & (NAMES | MODIFY | ATTRIB | CLOSE_WRITE) == event
            && event != 0;
        if !is_about_name {
            let is_same = |(wd, last): &(i32, One)| (*wd, last.mask) == (record.wd, mask);
            self.own.retain(|own| !is_same(own));
            self.own.push((record.wd, one));
            return;
        }
        let key = (record.wd, record.name.to_vec());
        let is_first = !self.names.contains_key(&key);
        let told = self.names.entry(key).or_default();
        if event & (CREATE | MOVED_TO) != 0 {
            told.is_new |= is_first && event & CREATE != 0;
            told.began = Some(one);
            told.since.clear();
        } else if event & (DELETE | MOVED_FROM) != 0 {
            if told.is_new && hears & NAMES == NAMES {
                self.names.remove(&(record.wd, record.name.to_vec()));
                return;
            }
            *told = Told {
                ended: Some(one),
                ..Told::default()
            };
        } else {
            told.since.insert(mask, one);
        }
    }

    /// A pause has ended: the records to be handed over, of watches that no other one holds.
    pub fn release(&mut self, pause: Pause, most: Most) -> (Vec<u8>, Released) {
        self.held.retain(|_, pauses| {
            pauses.remove(&pause);
            !pauses.is_empty()
        });
        let (held, any) = (&self.held, self.holds_any());
        let is_free = |wd: i32| !held.contains_key(&wd) && (wd != NO_WATCH || !any);
        let own = self.own.extract_if(.., |(wd, _)| is_free(*wd));
        let mut all: Vec<_> = own.map(|(wd, one)| (wd, Vec::new(), one)).collect();
        let names = self.names.extract_if(|(wd, _), _| is_free(*wd));
        all.extend(names.flat_map(|((wd, name), told)| {
            let Told {
                ended,
                began,
                since,
                ..
            } = told;
            let ones = ended.into_iter().chain(began).chain(since.into_values());
            ones.map(move |one| (wd, name.clone(), one))
                .collect::<Vec<_>>()
        }));
        // What was watched and has ended comes first: who hears of a new file under its name may still watch the old one.
        let ended = all.iter().filter(|(.., one)| one.mask & IGNORED != 0);
        let ended: HashSet<i32> = ended.map(|(wd, ..)| *wd).collect();
        all.sort_by_key(|(wd, _, one)| (!ended.contains(wd), one.at));
        let mut changes = 0;
        all.retain(|(.., one)| {
            let is_change = one.mask & (NAMES | MODIFY | ATTRIB | CLOSE_WRITE) != 0;
            changes += usize::from(is_change);
            !is_change || most == Most::All || (most == Most::One && changes == 1)
        });
        let mut bytes = Vec::new();
        for (wd, name, one) in &all {
            one.write(&mut bytes, *wd, name);
        }
        (bytes, Released::of(&all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rules::event::{DELETE_SELF, ISDIR, Q_OVERFLOW};

    /// What is handed over of these records, each a mask and a name of watch 1, whose watch hears `hears`.
    fn left(records: &[(u32, &str)], hears: u32) -> Vec<(u32, String)> {
        let mut withheld = Withheld::default();
        withheld.hold(7, &[1]);
        for (mask, name) in records {
            withheld.keep(&record(1, *mask, name), *mask, hears);
        }
        read(&withheld.release(7, Most::All).0)
    }

    fn record(wd: i32, mask: u32, name: &str) -> Record<'_> {
        Record {
            wd,
            mask,
            cookie: 0,
            name: name.as_bytes(),
            size: 0,
        }
    }

    fn read(mut bytes: &[u8]) -> Vec<(u32, String)> {
        let mut all = Vec::new();
        while let Some(record) = Record::read(bytes) {
            let name = String::from_utf8(record.name.to_vec()).unwrap();
            all.push((record.mask, name));
            bytes = &bytes[record.size..];
        }
        assert!(bytes.is_empty());
        all
    }

    fn names(list: &[(u32, &str)]) -> Vec<(u32, String)> {
        let owned = |&(mask, name): &(u32, &str)| (mask, name.to_owned());
        list.iter().map(owned).collect()
    }

    #[test]
    fn of_each_name_what_is_true_in_the_end_is_left_in_its_order() {
        for (records, wanted) in [
            (
                &[
                    (MODIFY, "x"),
                    (MODIFY, "y"),
                    (MODIFY, "x"),
                    (CLOSE_WRITE, "x"),
                ][..],
                &[(MODIFY, "y"), (MODIFY, "x"), (CLOSE_WRITE, "x")][..],
            ),
            (
                &[
                    (CREATE, "x"),
                    (MODIFY, "x"),
                    (CLOSE_WRITE, "x"),
                    (MODIFY, "x"),
                ],
                &[(CREATE, "x"), (CLOSE_WRITE, "x"), (MODIFY, "x")],
            ),
            (&[(CREATE, "x"), (MODIFY, "x"), (DELETE, "x")], &[]),
            (
                &[
                    (CREATE, "x~"),
                    (CLOSE_WRITE, "x~"),
                    (MOVED_FROM, "x~"),
                    (MOVED_TO, "x"),
                ],
                &[(MOVED_TO, "x")],
            ),
            (&[(MODIFY, "x"), (DELETE, "x")], &[(DELETE, "x")]),
            (
                &[(DELETE, "x"), (CREATE, "x"), (DELETE, "x")],
                &[(DELETE, "x")],
            ),
            (
                &[(MOVED_FROM, "x"), (CREATE, "x"), (ATTRIB, "x")],
                &[(MOVED_FROM, "x"), (CREATE, "x"), (ATTRIB, "x")],
            ),
            // Another file may have had the name.
            (&[(MOVED_TO, "x"), (DELETE, "x")], &[(DELETE, "x")]),
            (
                &[
                    (CREATE | ISDIR, "d"),
                    (DELETE | ISDIR, "d"),
                    (CREATE | ISDIR, "d"),
                ],
                &[(CREATE | ISDIR, "d")],
            ),
            (
                &[
                    (OPEN, "x"),
                    (ACCESS, "x"),
                    (CLOSE_NOWRITE, "x"),
                    (OPEN | ISDIR, ""),
                ],
                &[],
            ),
            (
                &[(MODIFY, ""), (DELETE_SELF, ""), (IGNORED, "")],
                &[(MODIFY, ""), (DELETE_SELF, ""), (IGNORED, "")],
            ),
        ] {
            assert_eq!(left(records, ALL_EVENTS), names(wanted), "{records:?}");
        }
    }

    /// A name may have gone unheard before it was heard to come.
    #[test]
    fn who_does_not_hear_all_of_names_is_told_of_their_ends() {
        for hears in [
            CREATE | MOVED_FROM,
            ALL_EVENTS & !DELETE,
            ALL_EVENTS & !MOVED_FROM,
        ] {
            let left = left(&[(CREATE, "x"), (MOVED_FROM, "x")], hears);
            assert_eq!(left, names(&[(MOVED_FROM, "x")]), "{hears:x}");
        }
    }

    #[test]
    fn one_change_or_none_and_the_ends_of_what_was_watched_in_any_case() {
        for (most, wanted) in [
            (
                Most::All,
                &[
                    (DELETE_SELF, ""),
                    (IGNORED, ""),
                    (MODIFY, "x"),
                    (MODIFY, "y"),
                ][..],
            ),
            (
                Most::One,
                &[(DELETE_SELF, ""), (IGNORED, ""), (MODIFY, "x")],
            ),
            (Most::Ends, &[(DELETE_SELF, ""), (IGNORED, "")]),
        ] {
            let mut withheld = Withheld::default();
            withheld.hold(7, &[1, 2]);
            for (wd, mask, name) in [
                (1, MODIFY, "x"),
                (1, MODIFY, "y"),
                (2, DELETE_SELF, ""),
                (2, IGNORED, ""),
            ] {
                withheld.keep(&record(wd, mask, name), mask, ALL_EVENTS);
            }
            assert_eq!(
                read(&withheld.release(7, most).0),
                names(wanted),
                "{most:?}"
            );
        }
    }

    #[test]
    fn a_watch_that_several_pauses_hold_is_free_when_the_last_one_ends() {
        let mut withheld = Withheld::default();
        assert_eq!(withheld.hold(7, &[1, 2]), 2);
        assert_eq!((withheld.hold(7, &[2]), withheld.hold(8, &[2])), (0, 1));
        for (wd, name) in [(1, "x"), (2, "y")] {
            withheld.keep(&record(wd, MODIFY, name), MODIFY, ALL_EVENTS);
        }
        withheld.keep(&record(NO_WATCH, Q_OVERFLOW, ""), Q_OVERFLOW, 0);
        assert!(withheld.holds(1) && withheld.holds(NO_WATCH));
        let (bytes, released) = withheld.release(7, Most::All);
        assert_eq!(
            (read(&bytes), released.written),
            (names(&[(MODIFY, "x")]), 1)
        );
        assert!(!withheld.holds(1) && withheld.holds(2) && withheld.holds(NO_WATCH));
        let (bytes, _) = withheld.release(8, Most::All);
        let wanted = names(&[(MODIFY, "y"), (Q_OVERFLOW, "")]);
        assert_eq!(read(&bytes), wanted);
        assert!(!withheld.holds_any() && !withheld.holds(NO_WATCH));
    }
}
