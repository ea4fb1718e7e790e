//! What a descriptor refers to, by the text of its link or by the mode of the file.

use crate::model::Kind;

/// What a link's text says by itself; [`Kind::Unknown`] for a path.
pub fn kind_by_link(link: &[u8]) -> Kind {
    // Only inotify's anonymous inode has no brackets (fs/notify/inotify/inotify_user.c).
    if let Some(name) = link.strip_prefix(b"anon_inode:") {
        return match name {
            b"inotify" => Kind::Inotify,
            b"[eventpoll]" => Kind::Epoll,
            b"[eventfd]" => Kind::Eventfd,
            b"[timerfd]" => Kind::Timerfd,
            b"[signalfd]" => Kind::Signalfd,
            b"[pidfd]" => Kind::Pidfd,
            b"[io_uring]" => Kind::IoUring,
            b"[fanotify]" => Kind::Fanotify,
            _ => Kind::Anonymous,
        };
    }
    if link.starts_with(b"socket:[") {
        Kind::Socket
    } else if link.starts_with(b"pipe:[") {
        Kind::Pipe
    } else if link.starts_with(b"pidfd:[") {
        Kind::Pidfd
    } else if link.starts_with(b"/memfd:") {
        Kind::Memfd
    } else if link.starts_with(b"/") {
        Kind::Unknown
    } else if link.ends_with(b"]") && link.windows(2).any(|w| w == b":[") {
        Kind::Namespace
    } else {
        Kind::Anonymous
    }
}

pub fn kind_by_mode(mode: libc::mode_t) -> Kind {
    match mode & libc::S_IFMT {
        libc::S_IFREG => Kind::File,
        libc::S_IFDIR => Kind::Directory,
        libc::S_IFCHR => Kind::CharDevice,
        libc::S_IFBLK => Kind::BlockDevice,
        libc::S_IFIFO => Kind::Pipe,
        libc::S_IFSOCK => Kind::Socket,
        _ => Kind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inotify_is_recognised_without_brackets_and_the_others_with_them() {
        assert_eq!(kind_by_link(b"anon_inode:inotify"), Kind::Inotify);
        assert_eq!(kind_by_link(b"anon_inode:[eventpoll]"), Kind::Epoll);
        assert_eq!(kind_by_link(b"anon_inode:bpf-map"), Kind::Anonymous);
    }

    #[test]
    fn links_without_a_path_are_distinguished() {
        assert_eq!(kind_by_link(b"socket:[123]"), Kind::Socket);
        assert_eq!(kind_by_link(b"net:[4026531840]"), Kind::Namespace);
        assert_eq!(kind_by_link(b"/memfd:x (deleted)"), Kind::Memfd);
        assert_eq!(kind_by_link(b"/socket:[1]"), Kind::Unknown);
    }
}
