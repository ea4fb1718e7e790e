//! Device numbers.

use serde::{Serialize, Serializer};
use std::fmt;

/// A device as the kernel numbers it inside (`s_dev` of the superblock): `major << 20 | minor`
/// (include/linux/kdev_t.h). fdinfo's `sdev` and mountinfo's third field mean the same; `st_dev` does not
/// always (btrfs, overlayfs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device(pub u32);

impl Device {
    /// From mountinfo's `major:minor`.
    pub fn parse(text: &str) -> Option<Device> {
        let (major, minor) = text.split_once(':')?;
        let (major, minor) = (major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?);
        (major < 1 << 12 && minor < 1 << 20).then_some(Device(major << 20 | minor))
    }

    /// From an `st_dev` of stat(2).
    #[cfg(target_os = "linux")]
    pub fn of(device: libc::dev_t) -> Device {
        Device(libc::major(device) << 20 | libc::minor(device))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0 >> 20, self.0 & 0xf_ffff)
    }
}

impl Serialize for Device {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sdev_and_a_mountinfo_field_of_one_device_are_equal() {
        assert_eq!(Device::parse("254:0"), Some(Device(0xfe0_0000)));
        assert_eq!(Device::of(libc::makedev(254, 3)), Device(0xfe0_0003));
        assert_eq!(Device(0x80_0001).to_string(), "8:1");
    }
}
