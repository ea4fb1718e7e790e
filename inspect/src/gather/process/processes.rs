//! All processes of the system, with as few system calls for each as possible: the scan of one process must not pay for
//! hundreds of others.

use crate::sys;
use std::fs::File;
use std::io::{self, Seek};
use std::ops::ControlFlow;
use std::os::fd::AsFd;

/// How much of a list is read at a time: 42 descriptors. Most processes have fewer, and if the first link is refused,
/// the list is not read to the end.
const FEW: usize = 1024;

/// The maximum number of descriptors that are tried by number.
const TRIED: i32 = 8;

/// /proc, held open for looks at many processes.
pub struct Processes {
    proc: File,
    /// Whether the kernel shows the number of descriptors as the size of `fd` (Linux 6.2, fs/proc/fd.c).
    sized: bool,
    entries: Vec<u8>,
    link: Vec<u8>,
}

/// What any user may know about a process's descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorSummary {
    /// Their owner: the process's user, or root if it is not dumpable ([`Processes::user`]).
    pub owner: u32,
    /// How many there are; 0 for a kernel thread. `None` before Linux 6.2.
    pub count: Option<u64>,
}

impl Processes {
    /// Opens /proc.
    ///
    /// # Errors
    /// The errno of opening it.
    pub fn open() -> io::Result<Processes> {
        let proc = File::open("/proc")?;
        // This program has /proc open, so a size of 0 means that the kernel does not report the number.
        let own = sys::stat_at(proc.as_fd(), b"self/fd", 0);
        Ok(Processes {
            proc,
            sized: own.is_ok_and(|own| own.st_size > 0),
            entries: vec![0; FEW],
            link: Vec::new(),
        })
    }

    /// The PIDs of all processes that may be seen, in ascending order.
    ///
    /// # Errors
    /// The errno of listing /proc.
    pub fn pids(&mut self) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        // The directory may have been listed before.
        (&self.proc).rewind()?;
        sys::each_entry(self.proc.as_fd(), &mut self.entries, |entry| {
            pids.extend(number::<u32>(entry.name));
            ControlFlow::Continue(())
        })?;
        Ok(pids)
    }

    /// Looks at the descriptors of a process without opening anything: one system call.
    ///
    /// # Errors
    /// ENOENT if it is gone.
    pub fn summary(&self, pid: u32) -> io::Result<DescriptorSummary> {
        let fd = sys::stat_at(self.proc.as_fd(), format!("{pid}/fd").as_bytes(), 0)?;
        Ok(DescriptorSummary {
            owner: fd.st_uid,
            count: self.sized.then(|| u64::try_from(fd.st_size).unwrap_or(0)),
        })
    }

    /// The effective user of a process, whether or not the process is dumpable: fs/proc/base.c (`task_dump_owner`)
    /// makes an exception for this one directory.
    ///
    /// # Errors
    /// ENOENT if it is gone.
    pub fn user(&self, pid: u32) -> io::Result<u32> {
        Ok(sys::stat_at(self.proc.as_fd(), pid.to_string().as_bytes(), 0)?.st_uid)
    }

    /// Visits every descriptor of a process, by its number and the text of its link, until `visit` breaks.
    /// `count` is how many there are, if that is known (`DescriptorSummary::count`).
    ///
    /// # Errors
    /// EACCES if its descriptors cannot be read, ENOENT or ESRCH if it is gone.
    pub fn each_link(
        &mut self,
        pid: u32,
        count: Option<u64>,
        mut visit: impl FnMut(i32, &[u8]) -> ControlFlow<()>,
    ) -> io::Result<()> {
        // The next one to visit.
        let mut next = 0;
        // A few descriptors usually have the lowest numbers. Trying these numbers costs less than listing.
        let few = count.and_then(|count| i32::try_from(count).ok());
        if let Some(few) = few.filter(|&few| few <= TRIED) {
            while next < few {
                let path = format!("{pid}/fd/{next}");
                match sys::read_link_at(self.proc.as_fd(), path.as_bytes(), &mut self.link) {
                    Ok(()) if visit(next, &self.link).is_break() => return Ok(()),
                    Ok(()) => next += 1,
                    Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Err(e),
                    Err(_) => break,
                }
            }
            if next == few {
                return Ok(());
            }
        }
        let flags = libc::O_RDONLY | libc::O_DIRECTORY;
        let fd = sys::open_at(self.proc.as_fd(), format!("{pid}/fd").as_bytes(), flags)?;
        let mut refused = None;
        sys::each_entry(fd.as_fd(), &mut self.entries, |entry| {
            let Some(number) = number(entry.name).filter(|&number: &i32| number >= next) else {
                return ControlFlow::Continue(());
            };
            match sys::read_link_at(fd.as_fd(), entry.name, &mut self.link) {
                Ok(()) => visit(number, &self.link),
                // The list may be readable although no link is (fs/proc/base.c): one refusal applies to all.
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                    refused = Some(e);
                    ControlFlow::Break(())
                }
                // It was closed meanwhile.
                Err(_) => ControlFlow::Continue(()),
            }
        })?;
        refused.map_or(Ok(()), Err)
    }

    /// The inotify descriptors of a process. `count` is as for [`Processes::each_link`].
    ///
    /// # Errors
    /// The same.
    pub fn inotify_fds(&mut self, pid: u32, count: Option<u64>) -> io::Result<Vec<i32>> {
        let mut fds = Vec::new();
        self.each_link(pid, count, |fd, link| {
            if link == b"anon_inode:inotify" {
                fds.push(fd);
            }
            ControlFlow::Continue(())
        })?;
        Ok(fds)
    }
}

/// Whether /proc hides processes of other users from this one (hidepid, proc(5)). `pids` are those it shows. Every PID
/// namespace has a first process as long as anything runs in it.
pub fn are_hidden(pids: &[u32]) -> bool {
    !pids.contains(&1) && sys::process_exists(1)
}

/// A name of digits as a number. str::parse would first check every descriptor's name for UTF-8.
fn number<T: TryFrom<u32>>(name: &[u8]) -> Option<T> {
    let value = name.iter().try_fold(0u32, |sum, &digit| {
        let value = digit.checked_sub(b'0').filter(|&value| value < 10)?;
        sum.checked_mul(10)?.checked_add(u32::from(value))
    })?;
    T::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_among_all_with_its_user_and_descriptors() {
        let mut processes = Processes::open().unwrap();
        let own = std::process::id();
        for _ in 0..2 {
            assert!(processes.pids().unwrap().contains(&own));
        }
        assert_eq!(processes.user(own).unwrap(), sys::effective_user());
        assert_ne!(processes.summary(own).unwrap().count, Some(0));
    }

    #[test]
    fn a_descriptor_is_visited_with_what_its_link_says() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut seen = None;
        let mut processes = Processes::open().unwrap();
        let path = file.path().canonicalize().unwrap();
        processes
            .each_link(std::process::id(), None, |number, link| {
                if link == path.as_os_str().as_encoded_bytes() {
                    seen = Some(number);
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        use std::os::fd::AsRawFd;
        assert_eq!(seen, Some(file.as_raw_fd()));
    }

    #[test]
    fn a_known_count_does_not_change_what_is_visited() {
        use std::io::BufRead;
        use std::process::{Command, Stdio};
        for also in ["", "exec 7</dev/null; "] {
            let mut child = Command::new("sh")
                .args(["-c", &format!("{also}echo; read line")])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            let mut output = io::BufReader::new(child.stdout.take().unwrap());
            output.read_line(&mut line).unwrap();
            let mut processes = Processes::open().unwrap();
            let mut visited = |count| {
                let mut list = Vec::new();
                let note = |number, link: &[u8]| {
                    list.push((number, link.to_vec()));
                    ControlFlow::Continue(())
                };
                processes.each_link(child.id(), count, note).unwrap();
                list
            };
            let all = visited(None);
            assert!(also.is_empty() || all.iter().any(|(number, _)| *number == 7));
            assert_eq!(visited(Some(all.len() as u64)), all);
            // This closes its input, so it ends.
            child.wait().unwrap();
        }
    }

    #[test]
    fn only_digits_are_a_number() {
        assert_eq!(number::<i32>(b"2147483647"), Some(i32::MAX));
        for none in [&b"2147483648"[..], b"99999999999", b"self", b"1x", b"-1"] {
            assert_eq!(number::<i32>(none), None);
        }
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        let mut processes = Processes::open().unwrap();
        // Above the kernel's highest PID (PID_MAX_LIMIT, 2^22).
        let none = 1 << 23;
        assert!(processes.summary(none).is_err());
        let visit = |_: i32, _: &[u8]| panic!("it has no descriptors");
        assert!(processes.each_link(none, None, visit).is_err());
    }
}
