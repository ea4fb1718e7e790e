//! Which file systems may keep whoever looks at a file waiting for ever.

/// True for a file system that answers from elsewhere: a network, a user's program, or by mounting something
/// first. `name` is its type as /proc/PID/mountinfo has it (proc(5)).
pub fn may_hang(name: &[u8]) -> bool {
    // fuse, fuseblk, fuse.sshfs; nfs, nfs4; smb3, smbfs.
    const FAMILIES: [&[u8]; 4] = [b"fuse", b"nfs", b"smb", b"cifs"];
    const OTHERS: [&[u8]; 14] = [
        b"9p",
        b"afs",
        b"autofs",
        b"ceph",
        b"coda",
        b"gfs2",
        b"lustre",
        b"ncpfs",
        b"ocfs2",
        b"orangefs",
        b"prl_fs",
        b"vboxsf",
        b"virtiofs",
        b"vmhgfs",
    ];
    FAMILIES.iter().any(|family| name.starts_with(family)) || OTHERS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_hang_and_a_disk_does_not() {
        for name in ["nfs4", "fuse.sshfs", "9p", "virtiofs", "autofs", "cifs"] {
            assert!(may_hang(name.as_bytes()), "{name}");
        }
        for name in ["ext4", "btrfs", "overlay", "tmpfs", "xfs", "9", ""] {
            assert!(!may_hang(name.as_bytes()), "{name}");
        }
    }
}
