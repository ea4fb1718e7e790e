//! Arbitrary bytes as the content, the name and the link text of a claim.

#![no_main]

use inspect::formats::claims::content;
use inspect::gather::claims::link;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    content::kind_of(bytes);
    content::may_be_link(bytes);
    if let Some(target) = link::parse(bytes) {
        assert!((1..=1 << 22).contains(&target.pid));
        assert!(
            target
                .host
                .is_none_or(|host| !host.as_bytes().is_empty() && host.as_bytes().is_ascii())
        );
    }
    let found = content::parse(bytes);
    if let Some((pid, start)) = found.process() {
        assert!((1..=1 << 22).contains(&pid));
        assert!(start.is_none_or(|start| start.len() <= bytes.len() * 3));
    }
    if let Some((host, port)) = found.address() {
        assert!(port > 0);
        assert!(host.is_none_or(|host| !host.is_empty() && host.is_ascii()));
    }
});
