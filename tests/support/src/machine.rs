//! What this machine allows.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Whether the tests run as root.
pub fn is_root() -> bool {
    // /proc/self belongs to the effective user.
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Whether a btrfs can be made and mounted here; if not, says that the test is skipped.
pub fn has_btrfs() -> bool {
    let made = Command::new("mkfs.btrfs").arg("--version").output().is_ok();
    let known = std::fs::read_to_string("/proc/filesystems").is_ok_and(|all| all.contains("btrfs"));
    let has = made && known && is_root() && has_loop_device();
    if !has {
        crate::skip_optional("btrfs needs root, mkfs.btrfs, the file system and a loop device");
    }
    has
}

/// Whether a file can be attached to a loop device. In a container that has /dev/loop-control, the next free device may
/// have no file in /dev.
fn has_loop_device() -> bool {
    let script = "f=$(mktemp) || exit; truncate -s 1M \"$f\"; d=$(losetup --find --show \"$f\"); has=$?; \
                  rm \"$f\"; [ $has = 0 ] && losetup --detach \"$d\"";
    let attached = Command::new("sh").args(["-c", script]).output();
    attached.is_ok_and(|run| run.status.success())
}

/// A free port, for a program that cannot choose one itself and print it, or that gives its port up and takes it again.
///
/// It lies below the kernel's range of ephemeral ports (net.ipv4.ip_local_port_range), and is handed out once.
pub fn free_port() -> u16 {
    const PORTS: std::ops::Range<u32> = 20_000..32_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Other tests begin elsewhere.
        let step = std::process::id()
            .wrapping_mul(50)
            .wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = (PORTS.start + step % (PORTS.end - PORTS.start)) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
