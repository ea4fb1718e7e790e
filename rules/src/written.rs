//! Whether a file that was closed was written to: CLOSE_WRITE says only that it could have been.

use crate::attrib::{Look, Time};

/// The kernel stamps files with the time of its last tick, which may be as long ago (100 ticks a second), and exFAT
/// rounds that down by as much again.
const TICK: i64 = 20_000_000;

/// False if a file that looks like this was not written to since its watch was placed, at `placed`: so it is with most
/// lock files. `now` is the time by the same clock.
///
/// Who copies a file with its times (`cp -p`) sets the modification time back before closing it, and nobody can set the
/// change time back: the later one counts. What is in doubt counts as written: times in whole seconds (FAT has steps of
/// two) are not exact enough, and a clock that was set back tells nothing.
pub fn was_written(look: &Look, placed: Time, now: Time) -> bool {
    let Look {
        modified, changed, ..
    } = *look;
    let last = if changed > modified {
        changed
    } else {
        modified
    };
    let coarse = modified.1 | changed.1 == 0;
    coarse || now < placed || later(last) >= placed
}

/// A tick later.
pub fn later((seconds, nanoseconds): Time) -> Time {
    const SECOND: i64 = 1_000_000_000;
    match nanoseconds.saturating_add(TICK) {
        more @ SECOND.. => (seconds.saturating_add(1), more - SECOND),
        same => (seconds, same),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attrib::Identity;

    const PLACED: Time = (100, 500_000_000);
    const LATER: Time = (200, 0);

    fn written(modified: Time, changed: Time, now: Time) -> bool {
        let identity = Identity {
            device: 1,
            inode: 7,
        };
        let look = Look {
            identity,
            modified,
            changed,
        };
        was_written(&look, PLACED, now)
    }

    #[test]
    fn a_file_whose_times_are_older_than_its_watch_was_not_written_to() {
        for (time, is) in [
            ((100, 400_000_000), false),
            ((99, 999_999_999), false),
            ((i64::MIN, 1), false),
            ((100, 500_000_000), true),
            ((150, 1), true),
            ((i64::MAX, 999_999_999), true),
            // By the tick before.
            ((100, 480_000_000), true),
            ((100, 479_999_999), false),
        ] {
            assert_eq!(written(time, time, LATER), is, "{time:?}");
        }
    }

    #[test]
    fn a_copy_that_keeps_its_times_was_written() {
        assert!(written((5, 1), (150, 1), LATER));
        assert!(written((150, 1), (5, 1), LATER));
    }

    #[test]
    fn what_is_in_doubt_was_written() {
        assert!(written((98, 0), (98, 0), LATER), "whole seconds");
        assert!(!written((98, 0), (98, 1), LATER));
        assert!(
            written((98, 1), (98, 1), (100, 0)),
            "the clock was set back"
        );
    }

    #[test]
    fn a_tick_later_is_the_next_second_at_its_end() {
        assert_eq!(later((1, 990_000_000)), (2, 10_000_000));
        assert_eq!(later((1, 0)), (1, 20_000_000));
    }
}
