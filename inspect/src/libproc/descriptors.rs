//! Every descriptor of a process, by what it is.

use super::files::{self, FdType};
use super::kernel::{Kernel, Question};
use super::sockets::{self, Socket};
use crate::model::{Descriptor, Gaps, Kind, Kqueue};
use crate::words::errno_text;
use std::collections::{BTreeMap, HashMap};
use std::io;

/// What a process has open.
#[derive(Debug, Default)]
pub struct Open {
    /// How many there are.
    pub count: usize,
    /// Those that could be read, lowest number first.
    pub list: Vec<Descriptor>,
    /// The sockets among them.
    pub sockets: Vec<(i32, Socket)>,
    /// The kqueues that watch files.
    pub kqueues: Vec<Kqueue>,
}

/// Reads all of them. Those that cannot be read go into `gaps`.
///
/// # Errors
/// The errno of listing them.
pub fn read(kernel: &impl Kernel, pid: u32, gaps: &mut Gaps) -> io::Result<Open> {
    let numbers = files::list(&kernel.ask(pid, Question::Descriptors)?);
    let mut open = Open {
        count: numbers.len(),
        ..Open::default()
    };
    let mut unread = Unread::default();
    let mut kqueues = Vec::new();
    for (fd, kind) in numbers {
        let read = match kind {
            FdType::File => whole(kernel, pid, Question::File(fd), |answer| {
                files::file(fd, answer)
            }),
            FdType::Pipe => whole(kernel, pid, Question::Pipe(fd), |answer| {
                files::pipe(fd, answer)
            }),
            FdType::Socket => {
                whole(kernel, pid, Question::Socket(fd), sockets::parse).map(|socket| {
                    let descriptor = socket.descriptor(fd);
                    open.sockets.push((fd, socket));
                    descriptor
                })
            }
            FdType::Kqueue => {
                kqueues.push(fd);
                Ok(Descriptor::of_kind(fd, Kind::Kqueue))
            }
            FdType::Other => Ok(Descriptor::of_kind(fd, Kind::Anonymous)),
        };
        match read {
            Ok(descriptor) => open.list.push(descriptor),
            Err(error) => unread.add(&error),
        }
    }
    let files: HashMap<i32, &Descriptor> = open.list.iter().map(|d| (d.fd, d)).collect();
    for fd in kqueues {
        match kernel.ask(pid, Question::Notes(fd)) {
            Ok(answer) => open
                .kqueues
                .extend(super::notes::parse(fd, &answer, &files)),
            Err(error) => gaps.note(format!("the watches of kqueue {fd}"), errno_text(&error)),
        }
    }
    unread.report(gaps);
    let unnamed = open.list.iter().filter(|d| {
        matches!(d.kind, Kind::File | Kind::Directory) && d.target.as_bytes().is_empty()
    });
    match unnamed.count() {
        0 => {}
        count => gaps.count(
            count,
            "paths of files",
            "the kernel has none for them: they are deleted, or their directories are",
        ),
    }
    Ok(open)
}

/// An answer, read; what is too short is no answer.
fn whole<T>(
    kernel: &impl Kernel,
    pid: u32,
    question: Question,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> io::Result<T> {
    let answer = kernel.ask(pid, question)?;
    read(&answer).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// The sum of each kind.
pub fn by_type(list: &[Descriptor]) -> BTreeMap<Kind, usize> {
    let mut sums = BTreeMap::new();
    for descriptor in list {
        *sums.entry(descriptor.kind).or_default() += 1;
    }
    sums
}

/// Descriptors that could not be read, by reason.
#[derive(Default)]
struct Unread {
    closed: usize,
    other: BTreeMap<String, usize>,
}

impl Unread {
    fn add(&mut self, error: &io::Error) {
        match error.raw_os_error() {
            Some(libc::EBADF | libc::ENOENT | libc::ESRCH) => self.closed += 1,
            _ => *self.other.entry(errno_text(error)).or_default() += 1,
        }
    }

    fn report(self, gaps: &mut Gaps) {
        if self.closed > 0 {
            gaps.count(
                self.closed,
                "descriptors",
                "they were closed during the scan",
            );
        }
        for (why, count) in self.other {
            gaps.count(count, "descriptors", why);
        }
    }
}
