//! A program: its calls go where dyld would have bound them.

use std::ffi::{c_char, c_int, c_void};
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::rc::Rc;

use libc::timespec;

use crate::image::{CPU, Image};
use crate::macho;
use crate::system::fsevents::{Callback, Context, Stream};
use crate::system::kqueue::{self, Kevent, Kevent64};
use crate::system::{self, calls, fsevents};

type KeventFunction =
    unsafe extern "C" fn(c_int, *const Kevent, c_int, *mut Kevent, c_int, *const timespec) -> c_int;
type Kevent64Function = unsafe extern "C" fn(
    c_int,
    *const Kevent64,
    c_int,
    *mut Kevent64,
    c_int,
    u32,
    *const timespec,
) -> c_int;
type Create = unsafe extern "C" fn(
    *const c_void,
    Option<Callback>,
    *const Context,
    *const c_void,
    u64,
    f64,
    u32,
) -> *mut c_void;
type CreateRelative = unsafe extern "C" fn(
    *const c_void,
    Option<Callback>,
    *const Context,
    i32,
    *const c_void,
    u64,
    f64,
    u32,
) -> *mut c_void;

type Spawn = unsafe extern "C" fn(
    *mut c_int,
    *const c_char,
    *const c_void,
    *const c_void,
    *const c_void,
    *const *const c_char,
) -> c_int;
type Execve = unsafe extern "C" fn(*const c_char, *const c_void, *const *const c_char) -> c_int;

/// A program, with or without the library.
#[derive(Clone)]
pub struct Program {
    pub kevent: KeventFunction,
    pub kevent64: Kevent64Function,
    pub create: Create,
    pub create_relative: CreateRelative,
    pub posix_spawn: Spawn,
    pub posix_spawnp: Spawn,
    pub execve: Execve,
    pub with_library: bool,
}

impl Program {
    /// One that has no library inserted.
    pub fn bare() -> Program {
        Program::bound(&[])
    }

    /// One that was started with the library and this environment.
    pub fn with(library: &[u8], environment: &[&str]) -> Program {
        let environment: Vec<String> = environment.iter().map(|e| (*e).to_owned()).collect();
        calls::set_environment(&environment);
        let image = Image::load(&macho::File::of(library, CPU), &system::resolve);
        image.initialise();
        Program::bound(&image.pairs)
    }

    /// Where a pair names what an import means, the program gets its other half; so does what dlsym finds.
    fn bound(pairs: &[(usize, usize)]) -> Program {
        let find = |name| {
            let theirs = system::resolve(name);
            let pair = pairs.iter().find(|pair| pair.1 == theirs);
            pair.map_or(theirs, |pair| pair.0)
        };
        // SAFETY: each name is that of a function of the type.
        unsafe {
            Program {
                kevent: std::mem::transmute::<usize, KeventFunction>(find("_kevent")),
                kevent64: std::mem::transmute::<usize, Kevent64Function>(find("_kevent64")),
                create: std::mem::transmute::<usize, Create>(find("_FSEventStreamCreate")),
                create_relative: std::mem::transmute::<usize, CreateRelative>(find(
                    "_FSEventStreamCreateRelativeToDevice",
                )),
                posix_spawn: std::mem::transmute::<usize, Spawn>(find("_posix_spawn")),
                posix_spawnp: std::mem::transmute::<usize, Spawn>(find("_posix_spawnp")),
                execve: std::mem::transmute::<usize, Execve>(find("_execve")),
                with_library: !pairs.is_empty(),
            }
        }
    }

    /// A kqueue of the program's.
    pub fn queue(&self) -> Queue {
        Queue {
            program: self.clone(),
            kq: Rc::new(Descriptor(kqueue::kqueue())),
            files: vec![],
        }
    }

    /// Makes a stream, and gives what the system made of it.
    pub fn stream(&self, callback: Callback, context: Option<Context>, flags: u32) -> Stream {
        let context = context.as_ref().map_or(null(), |context| context);
        // SAFETY: a context, or none.
        unsafe { self.stream_with(callback, context, flags) }
    }

    /// The same for a context that may lie anywhere.
    ///
    /// # Safety
    /// It is null, or one is there.
    pub unsafe fn stream_with(
        &self,
        callback: Callback,
        context: *const Context,
        flags: u32,
    ) -> Stream {
        let before = fsevents::streams().len();
        // SAFETY: a callback and a context of the test's.
        let made =
            unsafe { (self.create)(null(), Some(callback), context, null(), 0, 0.05, flags) };
        assert!(!made.is_null());
        let streams = fsevents::streams();
        assert_eq!(streams.len(), before + 1);
        *streams.last().unwrap()
    }
}

struct Descriptor(c_int);

impl Drop for Descriptor {
    fn drop(&mut self) {
        kqueue::close(self.0);
    }
}

/// A kqueue, and the files that are watched with it.
pub struct Queue {
    program: Program,
    kq: Rc<Descriptor>,
    pub files: Vec<File>,
}

/// What most watchers ask for.
pub const ALL: u32 =
    kqueue::N_DELETE | kqueue::N_WRITE | kqueue::N_EXTEND | kqueue::N_ATTRIB | kqueue::N_RENAME;

impl Queue {
    pub fn number(&self) -> c_int {
        self.kq.0
    }

    /// A change that watches `path`, which is opened for it. Its udata tells it from others.
    pub fn note(&mut self, path: &Path, flags: u16) -> Kevent {
        let file = File::open(path).unwrap();
        let ident = file.as_raw_fd() as u64;
        self.files.push(file);
        Kevent {
            ident,
            filter: kqueue::VNODE,
            flags: kqueue::ADD | flags,
            fflags: ALL,
            data: 0,
            udata: 0xabc0 + ident,
        }
    }

    pub fn watch(&mut self, path: &Path, flags: u16) -> Kevent {
        let note = self.note(path, flags);
        assert_eq!(self.change(&[note]), 0);
        note
    }

    pub fn change(&self, changes: &[Kevent]) -> c_int {
        let (changes, n) = (changes.as_ptr(), changes.len() as c_int);
        // SAFETY: a list of changes.
        unsafe { (self.program.kevent)(self.kq.0, changes, n, null_mut(), 0, null()) }
    }

    /// What is there now, at most `room` events.
    pub fn some(&self, room: usize) -> Vec<Kevent> {
        let mut events = vec![Kevent::default(); room];
        let now = timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let (to, n) = (events.as_mut_ptr(), room as c_int);
        // SAFETY: room for so many events.
        let got = unsafe { (self.program.kevent)(self.kq.0, null(), 0, to, n, &now) };
        events.truncate(usize::try_from(got).unwrap());
        events
    }

    pub fn events(&self) -> Vec<Kevent> {
        self.some(64)
    }

    /// The fflags of what is there now.
    pub fn heard(&self) -> Vec<u32> {
        self.events().iter().map(|event| event.fflags).collect()
    }

    /// A call that waits, with the timeout in milliseconds.
    pub fn wait(&self, timeout: Option<u64>) -> Result<Vec<Kevent>, c_int> {
        let mut events = vec![Kevent::default(); 8];
        let timeout = timeout.map(|ms| timespec {
            tv_sec: (ms / 1000) as _,
            tv_nsec: (ms % 1000 * 1_000_000) as _,
        });
        let timeout = timeout.as_ref().map_or(null(), |timeout| timeout);
        let to = events.as_mut_ptr();
        // SAFETY: room for so many events.
        let got = unsafe { (self.program.kevent)(self.kq.0, null(), 0, to, 8, timeout) };
        let Ok(got) = usize::try_from(got) else {
            return Err(std::io::Error::last_os_error().raw_os_error().unwrap());
        };
        events.truncate(got);
        Ok(events)
    }
}

pub fn chmod(path: &Path) {
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode ^ 0o001)).unwrap();
}

/// Sets both times, as touch(1) does, the modification time to one the file did not have.
pub fn touch(path: &Path) {
    let file = File::open(path).unwrap();
    let before = file.metadata().unwrap().modified().unwrap();
    let time = before + std::time::Duration::from_secs(1);
    let times = std::fs::FileTimes::new()
        .set_modified(time)
        .set_accessed(time);
    file.set_times(times).unwrap();
}

/// Writes, so that the modification time is another one afterwards.
pub fn append(path: &Path) {
    use std::io::Write;
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    let before = file.metadata().unwrap().modified().unwrap();
    while file.metadata().unwrap().modified().unwrap() == before {
        file.write_all(b"x").unwrap();
    }
}
