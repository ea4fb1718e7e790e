//! FSEvents: a stream keeps what it was made with, and a test says what it reports.

use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_void};
use std::ptr::null;

use super::core_foundation::{self as cf, Value};

pub type Callback = unsafe extern "C-unwind" fn(
    *const c_void,
    *mut c_void,
    usize,
    *mut c_void,
    *const u32,
    *const u64,
);

/// FSEventStreamContext; it may lie anywhere.
#[repr(C, packed(2))]
#[derive(Clone, Copy)]
pub struct Context {
    pub version: isize,
    pub info: *mut c_void,
    pub retain: Option<unsafe extern "C" fn(*const c_void) -> *const c_void>,
    pub release: Option<unsafe extern "C" fn(*const c_void)>,
    pub describe: Option<unsafe extern "C" fn(*const c_void) -> *const c_void>,
}

/// A stream.
#[derive(Clone, Copy)]
pub struct Stream {
    pub callback: Callback,
    pub context: Context,
    pub device: Option<i32>,
    pub paths: usize,
    pub since: u64,
    pub latency: f64,
    pub flags: u32,
}

pub fn resolve(name: &str) -> Option<usize> {
    match name {
        "_FSEventStreamCreate" => Some(create as *const () as usize),
        "_FSEventStreamCreateRelativeToDevice" => Some(create_relative as *const () as usize),
        _ => None,
    }
}

thread_local! {
    static STREAMS: RefCell<Vec<Stream>> = const { RefCell::new(vec![]) };
    static REFUSES: Cell<bool> = const { Cell::new(false) };
}

/// The streams of this thread.
pub fn streams() -> Vec<Stream> {
    STREAMS.with_borrow(Clone::clone)
}

/// From now on no stream is made.
pub fn refuse(is: bool) {
    REFUSES.set(is);
}

/// As FSEventStreamRelease does: what was retained is released.
pub fn release_all() {
    for stream in STREAMS.take() {
        if let Some(release) = stream.context.release {
            // SAFETY: the context's own.
            unsafe { release(stream.context.info) };
        }
    }
}

fn made(mut stream: Stream) -> *mut c_void {
    if REFUSES.get() {
        return std::ptr::null_mut();
    }
    if let Some(retain) = stream.context.retain {
        // SAFETY: the context's own.
        stream.context.info = unsafe { retain(stream.context.info) }.cast_mut();
    }
    STREAMS.with_borrow_mut(|all| {
        all.push(stream);
        all.len() as *mut c_void
    })
}

const NO_CONTEXT: Context = Context {
    version: 0,
    info: std::ptr::null_mut(),
    retain: None,
    release: None,
    describe: None,
};

unsafe fn context(given: *const Context) -> Context {
    if given.is_null() {
        return NO_CONTEXT;
    }
    // SAFETY: the caller's context.
    unsafe { given.read_unaligned() }
}

/// FSEventStreamCreate.
///
/// # Safety
/// As FSEventStreamCreate.
pub unsafe extern "C" fn create(
    _: *const c_void,
    callback: Callback,
    given: *const Context,
    paths: *const c_void,
    since: u64,
    latency: f64,
    flags: u32,
) -> *mut c_void {
    made(Stream {
        callback,
        // SAFETY: the caller's promise.
        context: unsafe { context(given) },
        device: None,
        paths: paths as usize,
        since,
        latency,
        flags,
    })
}

/// FSEventStreamCreateRelativeToDevice.
///
/// # Safety
/// As FSEventStreamCreateRelativeToDevice.
#[allow(clippy::too_many_arguments, reason = "they are the function's")]
pub unsafe extern "C" fn create_relative(
    _: *const c_void,
    callback: Callback,
    given: *const Context,
    device: i32,
    paths: *const c_void,
    since: u64,
    latency: f64,
    flags: u32,
) -> *mut c_void {
    made(Stream {
        callback,
        // SAFETY: the caller's promise.
        context: unsafe { context(given) },
        device: Some(device),
        paths: paths as usize,
        since,
        latency,
        flags,
    })
}

/// The three forms of paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Strings,
    /// UseCFTypes.
    Array,
    /// UseCFTypes and UseExtendedData.
    Dictionaries,
}

impl Form {
    pub const ALL: [Form; 3] = [Form::Strings, Form::Array, Form::Dictionaries];

    /// The flags of a stream of this form.
    pub fn flags(self) -> u32 {
        match self {
            Form::Strings => 0,
            Form::Array => 0x1,
            Form::Dictionaries => 0x41,
        }
    }
}

/// Calls a stream's callback with these events, whose ids count from 1000.
pub fn report(stream: &Stream, events: &[(&str, u32)]) {
    let form = Form::ALL
        .into_iter()
        .find(|form| form.flags() == stream.flags & 0x41)
        .unwrap();
    let flags: Vec<u32> = events.iter().map(|event| event.1).collect();
    let ids: Vec<u64> = (1000..).take(events.len()).collect();
    let texts: Vec<CString> = events
        .iter()
        .map(|event| CString::new(event.0).unwrap())
        .collect();
    let strings: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
    let entry = |path: &&str| match form {
        Form::Dictionaries => cf::object(Value::Dictionary(vec![
            (c"fileID".to_owned(), cf::object(Value::Number)),
            (c"path".to_owned(), cf::string(path)),
        ])),
        _ => cf::string(path),
    };
    let array = (form != Form::Strings).then(|| {
        let paths = events.iter().map(|event| event.0).collect::<Vec<_>>();
        cf::object(Value::Array(paths.iter().map(entry).collect()))
    });
    let paths = array
        .map_or(strings.as_ptr().cast(), |array| array)
        .cast_mut();
    // SAFETY: as many paths, flags and ids.
    unsafe {
        let info = stream.context.info;
        (stream.callback)(
            null(),
            info,
            events.len(),
            paths,
            flags.as_ptr(),
            ids.as_ptr(),
        );
        if let Some(array) = array {
            cf::release(array);
        }
    }
}

/// The path of an entry of an array.
///
/// # Safety
/// It is an object that is not gone.
pub unsafe fn path(of: *const c_void) -> String {
    // SAFETY: the caller's promise.
    match unsafe { cf::value(of) } {
        Value::String(text) => text.to_string_lossy().into_owned(),
        Value::Dictionary(values) => {
            let found = values.iter().find(|(key, _)| key.as_c_str() == c"path");
            // SAFETY: a dictionary holds its values.
            unsafe { path(found.unwrap().1) }
        }
        _ => panic!("neither a string nor a dictionary"),
    }
}
