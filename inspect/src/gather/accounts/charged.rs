//! Who is charged for inotify instances and watches, and what the limits are.
//!
//! The kernel charges a user in the user namespace in which the process acts, then the user who created that namespace
//! in the namespace above, and so on up to the first (kernel/ucount.c, `inc_ucount`). Each namespace has its own
//! limits.

use crate::gather::accounts::limits;
use crate::gather::process::pid_namespace;
use crate::model::{Account, InotifyLimits};
use crate::sys;
use std::collections::HashMap;
use std::ffi::CStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

/// The first user namespace, which no other one limits (`USER_NS_INIT_INO`, include/uapi/linux/nsfs.h).
const FIRST: u64 = 0xEFFF_FFFD;

/// The accounts of processes.
pub struct Accounts {
    /// This program's own namespace, by the text of the link.
    own: Option<Vec<u8>>,
    limits: InotifyLimits,
    /// The others, by the text of the link.
    others: HashMap<Vec<u8>, Namespace>,
}

/// A user namespace that is not this program's own.
struct Namespace {
    inode: u64,
    limits: Limits,
    /// The account that is charged above it.
    above: Vec<(Account, Limits)>,
}

/// Limits of one namespace; `None` if they cannot be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Watches that each user may have.
    pub watches: Option<u64>,
    /// Instances that each user may have.
    pub instances: Option<u64>,
}

impl Accounts {
    /// No account is known yet.
    pub fn new(limits: InotifyLimits) -> Accounts {
        Accounts {
            own: link(std::process::id()),
            limits,
            others: HashMap::new(),
        }
    }

    /// Whether everything that counts for this program's limits is inside its user and PID namespaces.
    pub fn all_in_sight(&self) -> bool {
        let own = self.own.as_deref().and_then(number);
        let is_first = own.is_none_or(|own| own == FIRST);
        self.limits.watches_of_namespace
            || (is_first && pid_namespace::other_than_first().is_none())
    }

    /// The accounts that are charged for what process `pid` of user `uid` does, its own first, with their limits. The
    /// last one is in this program's own namespace, unless the process is outside that.
    pub fn of(&mut self, pid: u32, uid: u32) -> Vec<(Account, Limits)> {
        let here = Limits {
            watches: self.limits.max_user_watches,
            instances: self.limits.max_user_instances,
        };
        let own = (
            Account {
                user_namespace: None,
                uid,
            },
            here,
        );
        // Without permission to read its namespaces its watches cannot be read either.
        let link = link(pid).filter(|link| self.own.as_ref().is_some_and(|own| own != link));
        let Some(link) = link else {
            return vec![own];
        };
        if !self.others.contains_key(&link) {
            match self.look(pid, here) {
                Ok(namespace) => {
                    self.others.insert(link.clone(), namespace);
                }
                Err(_) => return vec![own],
            }
        }
        let found = self.others.get(&link);
        found.map_or_else(Vec::new, |namespace| {
            let inside = Account {
                user_namespace: Some(namespace.inode),
                uid,
            };
            let mut all = vec![(inside, namespace.limits)];
            all.extend_from_slice(&namespace.above);
            all
        })
    }

    fn look(&self, pid: u32, here: Limits) -> io::Result<Namespace> {
        let own = self.own.as_deref().and_then(number);
        let mut fd = OwnedFd::from(File::open(format!("/proc/{pid}/ns/user"))?);
        let mut namespace = Namespace {
            inode: inode(&fd)?,
            limits: Limits::inside(&fd),
            above: Vec::new(),
        };
        // The parent of a namespace that is not below this program's own cannot be seen.
        while let Ok(parent) = sys::parent_namespace(fd.as_fd()) {
            let uid = sys::namespace_owner(fd.as_fd())?;
            let at = inode(&parent)?;
            let outermost = Some(at) == own;
            let user_namespace = (!outermost).then_some(at);
            let limits = if outermost {
                here
            } else {
                Limits::inside(&parent)
            };
            namespace.above.push((
                Account {
                    user_namespace,
                    uid,
                },
                limits,
            ));
            if outermost {
                break;
            }
            fd = parent;
        }
        Ok(namespace)
    }
}

impl Limits {
    fn inside(namespace: &OwnedFd) -> Limits {
        let read = |path: &CStr| {
            let text = sys::read_in_namespace(namespace.as_fd(), path).ok()?;
            limits::number(&text)
        };
        Limits {
            watches: read(c"/proc/sys/user/max_inotify_watches"),
            instances: read(c"/proc/sys/user/max_inotify_instances"),
        }
    }
}

/// `user:[4026531837]`
fn link(pid: u32) -> Option<Vec<u8>> {
    let target = fs::read_link(format!("/proc/{pid}/ns/user")).ok()?;
    Some(target.as_os_str().as_bytes().to_vec())
}

fn number(link: &[u8]) -> Option<u64> {
    let digits = link.strip_prefix(b"user:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn inode(namespace: &OwnedFd) -> io::Result<u64> {
    Ok(File::from(namespace.try_clone()?).metadata()?.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_its_namespace() {
        assert_eq!(number(b"user:[4026531837]"), Some(FIRST));
        assert_eq!(number(b"user:[]"), None);
        assert_eq!(number(b"mnt:[4026531837]"), None);
    }

    #[test]
    fn this_process_is_in_its_own_namespace() {
        let mut accounts = Accounts::new(InotifyLimits::default());
        let of = accounts.of(std::process::id(), 7);
        let names: Vec<_> = of.iter().map(|(account, _)| *account).collect();
        let own = Account {
            user_namespace: None,
            uid: 7,
        };
        assert_eq!(names, [own]);
    }
}
