//! Who has a database open and who holds its locks, as text.

use super::sheet::Sheet;
use super::{Detail, Layout};
use crate::model::{Database, Holder, Lock, LockKind, Wal};
use crate::words::{number, plural};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// How many holders of a database are listed.
const HOLDERS: usize = 40;

pub fn who(lock: &Lock) -> String {
    let pid = lock.pid.map_or_else(|| "?".into(), |pid| pid.to_string());
    let pid = pid + &age(lock.held_ms);
    match lock.exclusive {
        true if lock.lock == LockKind::Read => format!("{pid} (moves it)"),
        _ => pid,
    }
}

pub fn holders(database: &Database, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    if database.holders.is_empty() {
        return writeln!(to, "\nNo process that can be seen has it open.");
    }
    let header = ["pid", "fds", "-wal", "-shm", "locks", "command"];
    let mut sheet = Sheet::new(layout, &header, &[0, 1, 2, 3]);
    let count = |n: Option<usize>| n.map_or_else(|| "?".into(), |n| number(n as u64));
    let shown = if layout.detail == Detail::All {
        usize::MAX
    } else {
        HOLDERS
    };
    for holder in database.holders.iter().take(shown) {
        sheet.row(&[
            holder.pid.to_string(),
            count(holder.handles),
            count(holder.wal_handles),
            count(holder.shm_handles),
            locks_of(database, holder),
            super::wrap::shorten(&holder.command(), 60),
        ]);
    }
    let title = plural(
        database.holders.len(),
        "process has it open",
        "processes have it open",
    );
    sheet.write(&title, layout, to)?;
    if database.holders.len() > shown {
        writeln!(
            to,
            "  and {} more (--json lists them)",
            number((database.holders.len() - shown) as u64)
        )?;
    }
    Ok(())
}

/// `write for 0.2 s, read(1), shared`
pub fn locks_of(database: &Database, holder: &Holder) -> String {
    let pid = Some(holder.pid);
    let log = database
        .wal
        .iter()
        .filter_map(|wal| wal.locks.as_ref())
        .flatten();
    let main = database.rollback_locks.iter().flatten();
    let words: Vec<_> = log
        .filter(|lock| lock.pid == pid)
        .map(|lock| lock_name(lock) + &age(lock.held_ms))
        .chain(
            main.filter(|lock| lock.pid == pid)
                .map(|lock| lock.lock.name().to_owned() + &age(lock.held_ms)),
        )
        .collect();
    words.join(", ")
}

/// ` for 12.5 s`, if it was looked at again.
pub fn age(held_ms: Option<u64>) -> String {
    held_ms.map_or_else(String::new, |held| {
        format!(" for {:.1} s", held as f64 / 1000.0)
    })
}

pub fn lock_name(lock: &Lock) -> String {
    match lock.slot {
        Some(slot) => format!("read({slot})"),
        None => lock.lock.name().into(),
    }
}

/// `write 42, read(1)@17 43 44`
pub fn lock_list(wal: &Wal) -> String {
    let mut by_lock: BTreeMap<(LockKind, Option<u8>), (String, Vec<String>)> = BTreeMap::new();
    for lock in wal.locks.iter().flatten() {
        let at = match lock.mark {
            Some(mark) if lock.slot != Some(0) => format!("@{}", number(mark.into())),
            _ => String::new(),
        };
        let entry = by_lock
            .entry((lock.lock, lock.slot))
            .or_insert_with(|| (format!("{}{at}", lock_name(lock)), Vec::new()));
        entry.1.push(who(lock));
    }
    let parts: Vec<_> = by_lock
        .values()
        .map(|(name, pids)| format!("{name} {}", pids.join(" ")))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_listed_by_kind_with_every_process_that_holds_them() {
        let mut wal = Wal::sample(20, 0, &[(43, 1, 17), (44, 1, 17), (45, 0, 0)]);
        wal.locks
            .iter_mut()
            .flatten()
            .for_each(|lock| lock.exclusive = lock.pid == Some(44));
        assert_eq!(lock_list(&wal), "read(0) 45, read(1)@17 43 44 (moves it)");
    }
}
