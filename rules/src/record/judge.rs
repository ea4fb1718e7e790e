//! What the rules make of one record.

use crate::event::{
    ALL_EVENTS, ATTRIB, CLOSE_WRITE, DELETE_SELF, IGNORED, ISDIR, MODIFY, MOVE_SELF, Q_OVERFLOW,
    UNMOUNT,
};
use crate::rule::{Log, Rules};
use crate::watch::Asked;

use super::format::Record;

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
    /// It stays with this mask.
    As(u32),
    /// It stays, and a copy with this mask comes before it; without room for two there is the copy alone.
    After(u32),
}

/// What is known of an instance's watches. It is asked only where a record depends on it.
pub trait Watches {
    /// What the record's watch was asked for. The record is a CLOSE_WRITE.
    fn asked(&self, record: &Record<'_>) -> Asked;

    /// False if the file that was closed is known not to have been written to while its watch was settled: then its
    /// CLOSE_WRITE stands in for nothing. So it is with most lock files.
    fn was_written(&self, record: &Record<'_>) -> bool;

    /// True if the record's ATTRIB is a touch or the end of a file, or cannot be judged
    /// ([`crate::attrib::is_change`]).
    fn is_change(&self, record: &Record<'_>) -> bool;
}

/// Decides one record.
pub fn judge(rules: &Rules<'_>, watches: &impl Watches, record: &Record<'_>) -> Verdict {
    let Record { mask, name, .. } = *record;
    if mask & (Q_OVERFLOW | UNMOUNT | IGNORED) != 0 {
        return Verdict::Keep;
    }
    if mask & (ISDIR | DELETE_SELF | MOVE_SELF) == 0 && !name.is_empty() && ignored(rules, name) {
        return Verdict::Remove;
    }
    if mask & CLOSE_WRITE != 0 {
        let asked = watches.asked(record);
        let modify = mask & !CLOSE_WRITE | MODIFY;
        match (asked.settled(), asked.close_write()) {
            (true, false) if !watches.was_written(record) => return Verdict::Remove,
            (true, false) => return Verdict::As(modify),
            (true, true) if watches.was_written(record) => return Verdict::After(modify),
            _ => {}
        }
    }
    match mask & ALL_EVENTS & !rules.strip {
        0 => Verdict::Remove,
        ATTRIB if rules.chmod && !watches.is_change(record) => Verdict::Remove,
        _ => Verdict::Keep,
    }
}

/// True if events naming this file are removed. The log's own name is always one: a decision that
/// is logged must not become an event that is logged.
pub fn ignored(rules: &Rules<'_>, name: &[u8]) -> bool {
    if let Log::File(path) = rules.log
        && path.rsplit(|&c| c == b'/').next() == Some(name)
    {
        return true;
    }
    rules.ignore.match_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::*;
    use crate::record::HEADER;
    use crate::rule::{Engine, Texts};
    use crate::watch::Fate;

    /// A watch of which nothing is known but what it was asked for.
    struct Settled(bool);

    impl Watches for Settled {
        fn asked(&self, _: &Record<'_>) -> Asked {
            let fate = if self.0 { Fate::Settled } else { Fate::Plain };
            Asked::of(0, fate, MODIFY)
        }

        fn was_written(&self, record: &Record<'_>) -> bool {
            record.name != b"lock"
        }

        fn is_change(&self, _: &Record<'_>) -> bool {
            false
        }
    }

    fn judged(rules: &Rules<'_>, settled: bool, mask: u32, name: &[u8]) -> Verdict {
        let record = Record {
            wd: 1,
            mask,
            cookie: 0,
            name,
            size: HEADER,
        };
        judge(rules, &Settled(settled), &record)
    }

    fn rules(place: usize, text: &'static [u8]) -> Rules<'static> {
        let mut texts = Texts::default();
        texts.values[place] = Some(text);
        Rules::parse(Engine::Library, &texts, &mut |error| panic!("{error}"))
    }

    #[test]
    fn what_says_that_something_has_ended_is_always_kept() {
        let all = rules(0, b"all_events");
        for mask in [Q_OVERFLOW, UNMOUNT, IGNORED, IGNORED | ISDIR] {
            assert_eq!(
                judged(&all, true, mask, b"x.sqlite"),
                Verdict::Keep,
                "{mask:#x}"
            );
        }
        for mask in [DELETE_SELF, MOVE_SELF, CREATE | ISDIR] {
            let verdict = judged(&Rules::DEFAULT, false, mask, b"x.sqlite");
            assert_eq!(verdict, Verdict::Keep, "{mask:#x}");
        }
    }

    /// A watch that was placed unseen has bits that would have been taken out.
    #[test]
    fn what_is_stripped_is_removed_on_reading_too() {
        for mask in [OPEN, ACCESS, CLOSE_NOWRITE | ISDIR] {
            assert_eq!(judged(&Rules::DEFAULT, false, mask, b"f"), Verdict::Remove);
        }
        assert_eq!(
            judged(&Rules::DEFAULT, false, OPEN | MODIFY, b"f"),
            Verdict::Keep
        );
    }

    #[test]
    fn only_a_close_of_a_settled_watch_becomes_a_modify() {
        let settle = rules(3, b"/settled");
        assert_eq!(
            judged(&settle, true, CLOSE_WRITE, b"f"),
            Verdict::As(MODIFY)
        );
        assert_eq!(judged(&settle, false, CLOSE_WRITE, b"f"), Verdict::Keep);
        assert_eq!(judged(&settle, true, CREATE, b"f"), Verdict::Keep);
    }

    #[test]
    fn the_close_of_a_file_that_was_not_written_to_stands_in_for_no_modify() {
        let lock = |mask| judged(&Rules::DEFAULT, true, mask, b"lock");
        assert_eq!(lock(CLOSE_WRITE), Verdict::Remove);
        assert_eq!(lock(MODIFY), Verdict::Keep);
    }

    #[test]
    fn the_log_s_own_name_is_ignored_and_its_path_s_other_names_are_not() {
        let log = rules(5, b"/var/log/watchfix.txt");
        assert!(ignored(&log, b"watchfix.txt"));
        for name in [&b"log"[..], b"var", b"", b"/var/log/watchfix.txt"] {
            assert!(!ignored(&log, name));
        }
        assert!(!ignored(&Rules::DEFAULT, b"watchfix.txt"));
    }
}
