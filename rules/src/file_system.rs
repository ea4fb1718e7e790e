//! Which types of file systems always answer when a file is looked at.

/// Those that answer by themselves: from a disk of this machine, or from memory. One text, as a list would be mostly
/// pointers in the library.
const ANSWER: &[u8] = b"adfs affs aufs bcachefs befs bfs binder binfmt_misc bpf btrfs cgroup cgroup2 configfs cramfs \
    cpuset debugfs devpts devtmpfs ecryptfs efivarfs erofs exfat ext2 ext3 ext4 f2fs hfs hfsplus hpfs hugetlbfs iso9660 \
    jffs2 jfs minix mqueue msdos nilfs2 nsfs ntfs ntfs3 overlay proc pstore ramfs reiser4 reiserfs resctrl romfs rootfs \
    securityfs selinuxfs smackfs squashfs sysfs sysv tmpfs tracefs ubifs udf ufs vfat xfs zfs zonefs";

/// True for a file system that may never answer when a file is looked at: it may ask a server or a user's
/// program (nfs, cifs, 9p, fuse, virtiofs, whatever a module brings), or mount something first (autofs). What is not
/// known to answer is not touched. `name` is its type as /proc/PID/mountinfo has it (proc(5)).
pub fn may_hang(name: &[u8]) -> bool {
    name.is_empty() || !ANSWER.split(|&c| c == b' ').any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_hang_and_a_disk_does_not() {
        for name in [
            "nfs4",
            "fuse.sshfs",
            "9p",
            "virtiofs",
            "autofs",
            "cifs",
            "",
            "ext",
        ] {
            assert!(may_hang(name.as_bytes()), "{name}");
        }
        for name in [
            "adfs", "ext4", "cpuset", "btrfs", "overlay", "jffs2", "tmpfs", "zonefs",
        ] {
            assert!(!may_hang(name.as_bytes()), "{name}");
        }
    }
}
