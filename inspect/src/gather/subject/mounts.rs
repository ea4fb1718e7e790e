//! Which file systems a process sees, and which must not be touched because a dead server would hang every access to
//! them. Paths are followed by [`crate::gather::subject::view`].

use crate::gather::subject::gaps::{Gaps, errno_text};
use crate::gather::subject::mountinfo::{self, Mount};
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::Device;
use crate::sys;
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The mounts a process sees.
#[derive(Debug, Default)]
pub struct Mounts {
    pub(super) list: Vec<Mount>,
    by_id: HashMap<i32, usize>,
    hanging: HashSet<Vec<u8>>,
    /// Whether the files of an overlayfs that were examined have unique numbers.
    numbered: Mutex<HashMap<Device, bool>>,
}

impl Mounts {
    /// Reads the mounts of a process.
    pub fn of(dir: &ProcDir, gaps: &mut Gaps) -> Mounts {
        match dir.read("mountinfo") {
            Ok(text) => {
                let mut mounts = Mounts::parse(&text);
                if mounts.of_path(b"/").is_none() {
                    mounts.add_root(dir);
                }
                mounts.learn_from_program(dir);
                mounts
            }
            Err(e) => {
                gaps.note("its mounts, and with them paths", errno_text(&e));
                Mounts::default()
            }
        }
    }

    /// Below a chroot to a directory that is not a mount point, the mount of that directory is not listed (fs/d_path.c,
    /// `seq_path_root`). It is found by its ID among this program's own mounts or, if this program is in a chroot too, among those
    /// of the process's parent, which may be outside the chroot, or of the first process.
    fn add_root(&mut self, dir: &ProcDir) {
        let Ok(path) = dir.read_link("root") else {
            return;
        };
        let parent = dir.parent().map_or_else(String::new, |pid| pid.to_string());
        let all = ["self", &parent, "1"].map(|who| {
            let text = std::fs::read(format!("/proc/{who}/mountinfo"));
            Mounts::parse(&text.unwrap_or_default())
        });
        // Even an open with O_PATH would ask an NFS server (fs/namei.c, `complete_walk`).
        if all.iter().any(|mounts| mounts.may_hang_below(&path)) {
            return;
        }
        let Ok(directory) = dir.open_file(b"root", libc::O_PATH | libc::O_DIRECTORY) else {
            return;
        };
        let (Some(id), Ok(stat)) = (
            sys::mount_id(directory.as_fd()),
            sys::stat_at(directory.as_fd(), b"", 0),
        ) else {
            return;
        };
        // In another mount namespace the mount has another ID, but the file system has the same device.
        let device = Device::of(stat.st_dev);
        let by_id = all.iter().find_map(|mounts| mounts.by_id(id));
        let by_device = || {
            all.iter()
                .find_map(|mounts| mounts.of_device(device).next())
        };
        let Some(mount) = by_id.or_else(by_device) else {
            return;
        };
        // Seen from below the same chroot its path is `/`, and its depth is not known.
        let point = mount.point.as_bytes();
        let below = path.strip_prefix(point.strip_suffix(b"/").unwrap_or(point));
        let above = mount.root.as_bytes();
        let above = above.strip_suffix(b"/").unwrap_or(above);
        let root = match below {
            Some(below) if path != b"/" && mount.id == id => [above, below].concat(),
            _ => b"/".to_vec(),
        };
        self.add(Mount {
            id,
            device: mount.device,
            whole: false,
            root: root.into(),
            point: "/".into(),
            may_hang: mount.may_hang,
            overlay: mount.overlay,
            subvolumes: mount.subvolumes,
            proc: mount.proc,
        });
    }

    fn add(&mut self, mount: Mount) {
        self.by_id.insert(mount.id, self.list.len());
        if mount.may_hang {
            self.hanging.insert(mount.point.as_bytes().to_vec());
        }
        self.list.push(mount);
    }

    pub(super) fn parse(text: &[u8]) -> Mounts {
        let mut mounts = Mounts::default();
        mountinfo::parse(text).for_each(|mount| mounts.add(mount));
        mounts
    }

    /// The same mounts, but those that `answers` accepts do not count as mounts that may hang.
    pub fn trusting(&self, answers: impl Fn(&Mount) -> bool) -> Mounts {
        let mut trusting = Mounts::default();
        for mount in &self.list {
            let mut mount = mount.clone();
            mount.may_hang = mount.may_hang && !answers(&mount);
            trusting.add(mount);
        }
        trusting.numbered().clone_from(&self.numbered());
        trusting
    }

    /// Whether the files of an overlayfs have unique numbers; `None` until one was examined.
    pub fn numbers_of(&self, device: Device) -> Option<bool> {
        self.numbered().get(&device).copied()
    }

    /// Notes whether a file of an overlayfs has a unique number.
    pub fn note_numbers(&self, device: Device, own: bool) {
        *self.numbered().entry(device).or_insert(true) &= own;
    }

    fn numbered(&self) -> MutexGuard<'_, HashMap<Device, bool>> {
        // A panic ends this program, so none can have left the lock behind.
        self.numbered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one of them is an overlayfs.
    pub fn has_overlay(&self) -> bool {
        self.list.iter().any(|mount| mount.overlay)
    }

    /// The mount with this ID.
    pub fn by_id(&self, id: i32) -> Option<&Mount> {
        self.list.get(*self.by_id.get(&id)?)
    }

    /// The mounts of a device, whole ones first.
    pub fn of_device(&self, device: Device) -> impl Iterator<Item = &Mount> {
        let pick = move |whole| {
            self.list
                .iter()
                .filter(move |m| m.device == device && m.whole == whole)
        };
        pick(true).chain(pick(false))
    }

    fn may_hang_on(&self, device: Device) -> bool {
        self.of_device(device).any(|mount| mount.may_hang)
    }

    /// The mount that an absolute path is on: the last of those with the longest mount point.
    pub fn of_path(&self, path: &[u8]) -> Option<&Mount> {
        self.list
            .iter()
            .filter(|m| is_below(path, m.point.as_bytes()))
            .max_by_key(|m| m.point.as_bytes().len())
    }

    /// The devices of the mount a path lies on and of those below the path.
    pub fn devices_below(&self, path: &[u8]) -> Vec<Device> {
        let below = self
            .list
            .iter()
            .filter(|m| is_below(m.point.as_bytes(), path));
        let mut devices: Vec<_> = self
            .of_path(path)
            .into_iter()
            .chain(below)
            .map(|m| m.device)
            .collect();
        devices.sort_unstable();
        devices.dedup();
        devices
    }

    /// Where the process sees the directory above the root of a mount that shows only a part of its file system. `None`
    /// if it does not see it.
    pub fn above_root(&self, mount: &Mount) -> Option<Vec<u8>> {
        let above = mount.root.parent().filter(|_| !mount.whole)?;
        self.of_device(mount.device).find_map(|other| {
            let root = other.root.as_bytes();
            let rest = above.strip_prefix(root.strip_suffix(b"/").unwrap_or(root))?;
            let point = other.point.as_bytes();
            let point = point.strip_suffix(b"/").unwrap_or(point);
            let path = match [point, rest].concat() {
                path if path.is_empty() => b"/".to_vec(),
                path => path,
            };
            let plain = is_below(above, root) && self.of_path(&path)?.id == other.id;
            plain.then_some(path)
        })
    }

    /// Whether a path is the mount point of a file system that may hang.
    pub fn may_hang_at(&self, path: &[u8]) -> bool {
        self.hanging.contains(path)
    }

    /// Whether a path, taken literally, is on a file system that may hang.
    fn may_hang_below(&self, path: &[u8]) -> bool {
        self.of_path(path).is_some_and(|mount| mount.may_hang)
    }

    /// Whether something is mounted at a path, and nothing there may hang.
    pub fn answers_at(&self, path: &[u8]) -> bool {
        !self.may_hang_at(path) && self.list.iter().any(|m| m.point.as_bytes() == path)
    }

    /// The mount that an open file is on, if it answers. The kernel identifies it by the descriptor, not by a name.
    pub fn answering(&self, fd: BorrowedFd<'_>) -> Option<&Mount> {
        let mount = self.by_id(sys::mount_id(fd)?)?;
        (!mount.may_hang).then_some(mount)
    }
}

/// Mounts of many processes, by mount namespace and root. Reading a list of mounts takes longer than everything else
/// about a process.
#[derive(Default)]
pub struct Cache(HashMap<[Option<Vec<u8>>; 2], Rc<Mounts>>);

impl Cache {
    /// The mounts a process sees.
    pub fn of(&mut self, dir: &ProcDir) -> Rc<Mounts> {
        let key = ["ns/mnt", "root"].map(|link| dir.read_link(link).ok());
        let read = || Rc::new(Mounts::of(dir, &mut Gaps::default()));
        self.0.entry(key).or_insert_with(read).clone()
    }
}

/// Whether reading files of this device may wait for a server, judging by this program's mounts. A device without a
/// mount belongs to one that has a mount: it is a subvolume of btrfs or a layer of an overlay.
pub fn has_server(device: Device) -> bool {
    let text = std::fs::read("/proc/self/mountinfo");
    text.map_or(true, |text| Mounts::parse(&text).may_hang_on(device))
}

/// Whether `path` is `dir` or below it.
pub fn is_below(path: &[u8], dir: &[u8]) -> bool {
    let dir = dir.strip_suffix(b"/").unwrap_or(dir);
    path.strip_prefix(dir)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rules::file_system::may_hang;

    const TABLE: &[u8] = b"22 27 0:21 / /proc rw - proc proc rw\n\
        27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
        30 27 254:0 /srv /bind rw - ext4 /dev/vda rw\n\
        31 27 0:40 / /mnt/a\\040b rw shared:5 - nfs4 host:/x rw\n\
        32 27 0:41 / /mnt/fuse rw - fuse.sshfs host: rw\n\
        nonsense\n";

    #[test]
    fn a_device_is_asked_for_the_type_of_its_mounts() {
        let mounts = Mounts::parse(TABLE);
        let may_hang = |text| mounts.may_hang_on(Device::parse(text).unwrap());
        assert!(may_hang("0:40") && may_hang("0:41"));
        assert!(!may_hang("0:21") && !may_hang("254:0") && !may_hang("0:99"));
    }

    #[test]
    fn a_path_belongs_to_the_deepest_mount_above_it() {
        let mounts = Mounts::parse(TABLE);
        assert_eq!(mounts.of_path(b"/bind/x").unwrap().id, 30);
        assert_eq!(mounts.of_path(b"/binder").unwrap().id, 27);
        assert_eq!(mounts.of_path(b"/mnt/a b/x").unwrap().id, 31);
    }

    #[test]
    fn a_device_is_looked_up_by_its_whole_mount_first() {
        let mounts = Mounts::parse(TABLE);
        let ids: Vec<_> = mounts.of_device(Device(254 << 20)).map(|m| m.id).collect();
        assert_eq!(ids, [27, 30]);
    }

    #[test]
    fn the_directory_above_a_bind_mount_is_seen_through_the_whole_mount() {
        let mounts = Mounts::parse(TABLE);
        let above = |id| mounts.above_root(mounts.by_id(id).unwrap());
        assert_eq!(above(30).as_deref(), Some(&b"/"[..]));
        assert_eq!(above(27), None);
        let deep = Mounts::parse(
            b"27 1 254:0 /@ / rw - btrfs /dev/vda rw\n\
            30 27 254:0 /@/srv/a /bind rw - btrfs /dev/vda rw\n\
            31 27 254:0 /@home /home rw - btrfs /dev/vda rw\n",
        );
        let above = |id| deep.above_root(deep.by_id(id).unwrap());
        assert_eq!(above(30).as_deref(), Some(&b"/srv"[..]));
        assert_eq!(above(31), None);
    }

    #[test]
    fn network_user_space_and_unknown_file_systems_are_not_touched() {
        let mounts = Mounts::parse(TABLE);
        assert!(!mounts.may_hang_below(b"/srv"));
        assert!(mounts.may_hang_below(b"/mnt/a b/x"));
        assert!(mounts.may_hang_below(b"/mnt/fuse"));
        assert!(mounts.answers_at(b"/bind") && !mounts.answers_at(b"/bind/x"));
        assert!(!mounts.answers_at(b"/mnt/fuse"));
        for (fs_type, hangs) in [
            ("ext4", false),
            ("virtiofs", true),
            ("autofs", true),
            ("new", true),
        ] {
            assert_eq!(may_hang(fs_type.as_bytes()), hangs, "{fs_type}");
        }
    }
}
