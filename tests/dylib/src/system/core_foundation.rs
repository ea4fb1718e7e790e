//! CoreFoundation: strings, arrays and dictionaries, with their reference counts.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};

pub fn resolve(name: &str) -> Option<usize> {
    Some(match name {
        "_CFArrayCreate" => array_create as *const () as usize,
        "_CFArrayGetValueAtIndex" => array_value as *const () as usize,
        "_CFDictionaryGetTypeID" => dictionary_type as *const () as usize,
        "_CFDictionaryGetValue" => dictionary_value as *const () as usize,
        "_CFGetTypeID" => type_of as *const () as usize,
        "_CFRelease" => release as *const () as usize,
        "_CFStringCreateWithCString" => string_create as *const () as usize,
        "_CFStringGetFileSystemRepresentation" => string_path as *const () as usize,
        "_CFStringGetTypeID" => string_type as *const () as usize,
        "_kCFTypeArrayCallBacks" => &raw const CALLBACKS as usize,
        _ => return None,
    })
}

static CALLBACKS: [u64; 5] = [0; 5];

/// An object's content.
pub enum Value {
    String(CString),
    Array(Vec<*const c_void>),
    Dictionary(Vec<(CString, *const c_void)>),
    /// One the library knows nothing of.
    Number,
}

struct Object {
    value: Value,
    references: Cell<usize>,
}

thread_local!(static LIVE: Cell<i64> = const { Cell::new(0) });

/// How many objects of this thread are not gone.
pub fn live() -> i64 {
    LIVE.get()
}

/// An object with one reference.
pub fn object(value: Value) -> *const c_void {
    LIVE.set(LIVE.get() + 1);
    let references = Cell::new(1);
    Box::into_raw(Box::new(Object { value, references })).cast()
}

pub fn string(text: &str) -> *const c_void {
    object(Value::String(CString::new(text).unwrap()))
}

/// # Safety
/// `object` gave it, and it is not gone.
pub unsafe fn value<'a>(of: *const c_void) -> &'a Value {
    // SAFETY: the caller's promise.
    unsafe { &(*of.cast::<Object>()).value }
}

unsafe fn retain(of: *const c_void) {
    // SAFETY: an object of this thread.
    let references = unsafe { &(*of.cast::<Object>()).references };
    references.set(references.get() + 1);
}

/// CFRelease.
///
/// # Safety
/// As CFRelease.
pub unsafe extern "C" fn release(of: *const c_void) {
    // SAFETY: an object of this thread, with a reference that is given back.
    unsafe {
        let references = &(*of.cast::<Object>()).references;
        references.set(references.get().checked_sub(1).expect("it is not gone yet"));
        if references.get() > 0 {
            return;
        }
        LIVE.set(LIVE.get() - 1);
        let object = Box::from_raw(of.cast_mut().cast::<Object>());
        match object.value {
            Value::Array(values) => values.into_iter().for_each(|value| release(value)),
            Value::Dictionary(values) => values.into_iter().for_each(|(_, value)| release(value)),
            Value::String(_) | Value::Number => {}
        }
    }
}

unsafe extern "C" fn array_create(
    _: *const c_void,
    values: *const *const c_void,
    n: isize,
    callbacks: *const c_void,
) -> *const c_void {
    assert_eq!(
        callbacks,
        (&raw const CALLBACKS).cast(),
        "an array that holds its values"
    );
    // SAFETY: the library's list.
    let values = unsafe { std::slice::from_raw_parts(values, n as usize) }.to_vec();
    // SAFETY: objects of this thread.
    values.iter().for_each(|value| unsafe { retain(*value) });
    object(Value::Array(values))
}

unsafe extern "C" fn array_value(of: *const c_void, at: isize) -> *const c_void {
    // SAFETY: an object of this thread.
    match unsafe { value(of) } {
        Value::Array(values) => values[at as usize],
        _ => panic!("not an array"),
    }
}

unsafe extern "C" fn dictionary_value(of: *const c_void, key: *const c_void) -> *const c_void {
    // SAFETY: objects of this thread.
    match unsafe { (value(of), value(key)) } {
        (Value::Dictionary(values), Value::String(key)) => {
            let found = values.iter().find(|(name, _)| name == key);
            found.map_or(std::ptr::null(), |(_, value)| *value)
        }
        _ => panic!("not a dictionary and a key"),
    }
}

unsafe extern "C" fn type_of(of: *const c_void) -> usize {
    // SAFETY: an object of this thread.
    match unsafe { value(of) } {
        Value::String(_) => string_type(),
        Value::Array(_) => 19,
        Value::Dictionary(_) => dictionary_type(),
        Value::Number => 22,
    }
}

extern "C" fn string_type() -> usize {
    7
}

extern "C" fn dictionary_type() -> usize {
    18
}

/// kCFStringEncodingUTF8 is 0x08000100.
unsafe extern "C" fn string_create(
    _: *const c_void,
    text: *const c_char,
    encoding: u32,
) -> *const c_void {
    assert_eq!(encoding, 0x0800_0100);
    // SAFETY: the library's text.
    object(Value::String(unsafe { CStr::from_ptr(text) }.to_owned()))
}

unsafe extern "C" fn string_path(of: *const c_void, to: *mut c_char, room: isize) -> u8 {
    // SAFETY: an object of this thread, and the library's buffer.
    unsafe {
        match value(of) {
            Value::String(text) if text.as_bytes_with_nul().len() <= room as usize => {
                to.copy_from_nonoverlapping(text.as_ptr(), text.as_bytes_with_nul().len());
                1
            }
            Value::String(_) => 0,
            _ => panic!("not a string"),
        }
    }
}
