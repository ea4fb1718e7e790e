//! Which file systems may be looked at when a record is judged: those that answer by themselves.

use rules::file_system::may_hang;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What is known of the devices that were asked for.
#[derive(Default)]
pub struct Mounts(Mutex<HashMap<(u32, u32), bool>>);

impl Mounts {
    /// Whether the files of this device can be looked at without waiting for a server. A device that no mount has is a part
    /// of one that has: a subvolume of btrfs, a layer of an overlay.
    pub fn answer(&self, device: (u32, u32)) -> bool {
        // Only a file system without a block device has a server behind it.
        if device.0 != 0 {
            return true;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(device).or_insert_with(|| {
            let text = std::fs::read("/proc/self/mountinfo");
            text.is_ok_and(|text| !has_server(&text, device))
        })
    }
}

/// Format: proc_pid_mountinfo(5). The third word of a line is the device, the one behind the lone `-` the type.
fn has_server(text: &[u8], (major, minor): (u32, u32)) -> bool {
    let device = format!("{major}:{minor}");
    let mut lines = text.split(|&c| c == b'\n');
    lines.any(|line| {
        let mut words = line.split(|&c| c == b' ');
        words.nth(2) == Some(device.as_bytes())
            && words.find(|&word| word == b"-").is_some()
            && words.next().is_some_and(may_hang)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_asked_for_the_type_of_its_mounts() {
        let text = b"29 1 0:24 / / rw shared:1 - tmpfs tmpfs rw\n30 1 0:25 / /mnt rw - fuse.sshfs a:/ rw\n";
        assert!(!has_server(text, (0, 24)));
        assert!(has_server(text, (0, 25)));
        assert!(!has_server(text, (0, 26)));
    }
}
