use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::view::*;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

fn own(test: impl Fn(&View<'_>)) {
    let dir = ProcDir::open(std::process::id()).unwrap();
    let mounts = Mounts::of(&dir, &mut Gaps::default());
    test(&View::of(&dir, &mounts));
}

#[test]
fn a_path_means_what_it_means_to_the_kernel() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().canonicalize().unwrap();
    fs::create_dir_all(dir.join("a/b")).unwrap();
    fs::write(dir.join("a/b/f"), "").unwrap();
    for (target, link) in [
        ("a", "relative"),
        ("../../a/b/f", "a/b/up"),
        ("up", "a/b/twice"),
        ("loop", "loop"),
        ("none", "dangling"),
        ("/proc/self", "proc"),
        ("/dev/shm", "other"),
        ("b/f", "a/end"),
    ] {
        symlink(target, dir.join(link)).unwrap();
    }
    symlink(dir.join("a"), dir.join("absolute")).unwrap();
    own(|view| {
        for path in [
            "a/b/f",
            "a//b/./f",
            "a/b/../b/f",
            "a/b/../../../..",
            "../../../../../../..",
            "relative/b/f",
            "relative/../a",
            "absolute/b/twice",
            "a/end",
            "a/",
            "a/b/f/",
            "a/b/f/x",
            "loop",
            "dangling",
            "none/x",
            "other",
            "other/..",
            "other/../null",
        ] {
            let path = dir.join(path);
            let bytes = path.as_os_str().as_bytes();
            let found = view.find(bytes, FinalLink::Follow);
            let found = found.and_then(|found| real_path(found.as_fd()));
            let wanted = path.canonicalize();
            let errno = |e: io::Error| e.raw_os_error();
            assert_eq!(
                found.map_err(errno),
                wanted
                    .map(|path| path.as_os_str().as_bytes().to_vec())
                    .map_err(errno),
                "{}",
                path.display()
            );
        }
        let kind = |path: &Path, last| {
            let stat = view.stat(path.as_os_str().as_bytes(), last);
            stat.map(|stat| stat.st_mode & libc::S_IFMT).ok()
        };
        let link = dir.join("a/end");
        assert_eq!(kind(&link, FinalLink::Stay), Some(libc::S_IFLNK));
        assert_eq!(kind(&link, FinalLink::Follow), Some(libc::S_IFREG));
        // The meaning of /proc/self depends on the process that asks.
        assert_eq!(kind(&dir.join("proc/stat"), FinalLink::Follow), None);
    });
}

#[test]
fn a_fifo_or_device_is_not_opened() {
    own(|view| {
        let opened = view.open(b"/dev/null", FinalLink::Follow, 0);
        assert_eq!(opened.unwrap_err().raw_os_error(), Some(libc::EINVAL));
    });
}

#[test]
fn nothing_is_followed_if_the_table_has_no_mount() {
    let dir = ProcDir::open(std::process::id()).unwrap();
    let mounts = Mounts::default();
    let found = View::of(&dir, &mounts).find(b"/etc", FinalLink::Follow);
    assert!(is_unsafe(&found.unwrap_err()));
}
