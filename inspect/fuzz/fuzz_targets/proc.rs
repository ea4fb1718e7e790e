//! Arbitrary bytes as the text of an fdinfo file and of /proc/locks: what is read out of them is in them.

#![no_main]

use inspect::gather::descriptors::{fdinfo, locks};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let header = fdinfo::header(text);
    // A number of the header stands in one of its lines.
    if header.inode.is_some() {
        assert!(text.windows(4).any(|w| w == b"ino:"));
    }
    let lines = || text.split(|&b| b == b'\n');
    for line in lines() {
        let Some(watch) = fdinfo::watch(line) else {
            continue;
        };
        assert!(fdinfo::is_watch(line) && watch.wd >= 0);
        if let Some(handle) = watch.handle {
            let mut bytes = Vec::new();
            handle.decode_into(&mut bytes);
            // Memory is bounded by what stands there.
            assert_eq!(bytes.len() * 2, handle.digits.len());
            assert!(handle.digits.len() <= line.len());
        }
    }
    let table: Vec<_> = locks::of_table(text).collect();
    assert!(table.len() <= lines().count());
    for lock in &table {
        assert!(lock.pid != Some(0));
        // Asked for any byte, a lock answers.
        lock.covers(0, u64::MAX);
        assert!(!lock.waiting || !lock.is_range());
    }
    assert!(locks::of_fdinfo(text).count() <= lines().count());
});
