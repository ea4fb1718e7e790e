//! The rules in force: `WATCHFIX_*` as the program was started with, read once and kept.
//!
//! The texts are copied, because programs overwrite their environment (setproctitle) and unset it.

use core::ffi::{CStr, c_void};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use once_cell::race::OnceRef;
use rules::attrib::Identity;
use rules::{Engine, Rule, Rules, Texts};

use crate::sys;

pub struct Config {
    pub rules: Rules<'static>,
    /// What the rules were read from.
    pub texts: Texts<'static>,
    /// Standard error as it was when the program was started: a daemon may have opened its own file there since.
    pub stderr: Option<Identity>,
    /// What is wrong with the texts has been said.
    said: AtomicBool,
}

impl Config {
    /// True the first time only.
    pub fn first_use(&self) -> bool {
        !self.said.load(Relaxed) && !self.said.swap(true, Relaxed)
    }
}

static DEFAULT: Config = Config {
    rules: Rules::DEFAULT,
    texts: Texts {
        values: [None; Rule::ALL.len()],
        home: None,
    },
    stderr: None,
    // Nothing can be wrong.
    said: AtomicBool::new(true),
};
static CONFIG: OnceRef<'static, Config> = OnceRef::new();

/// The rules in force. Never waits: two that read them at the same time read the same.
#[inline]
pub fn get() -> &'static Config {
    match CONFIG.get() {
        Some(config) => config,
        None => read(),
    }
}

#[cold]
#[inline(never)]
fn read() -> &'static Config {
    let _errno = sys::Errno::save();
    let texts = environment();
    let none = texts.values.iter().all(Option::is_none);
    // A program with more rights than its user has is not ruled by that user's variables.
    let kept = match none || sys::is_secure() {
        true => None,
        false => keep(&texts),
    };
    match kept {
        None => drop(CONFIG.set(&DEFAULT)),
        Some((config, size)) => {
            if CONFIG.set(config).is_err() {
                let config: *const Config = config;
                // SAFETY: another was faster; nobody else has seen this one.
                unsafe { sys::unmap(config as *mut c_void, size) };
            }
        }
    }
    CONFIG.get().unwrap_or(&DEFAULT)
}

/// The variables of the rules, where they stand now.
fn environment() -> Texts<'static> {
    let mut texts = Texts::default();
    let mut entry = sys::environ();
    // SAFETY: the environment is null or an array of strings that ends with null. At load time nobody else runs that
    // could change it.
    unsafe {
        while !entry.is_null() && !(*entry).is_null() {
            texts.set(CStr::from_ptr(*entry).to_bytes());
            entry = entry.add(1);
        }
    }
    texts
}

/// Copies the texts into memory of their own, behind the rules read from the copies.
fn keep(texts: &Texts<'static>) -> Option<(&'static Config, usize)> {
    let mut buf: sys::Path = [0; 1024];
    let home = texts
        .home
        .map(|home| resolved(home, &mut buf).unwrap_or(home));
    let length = |text: Option<&[u8]>| text.map_or(0, |text| text.len() + 1);
    let words = texts.values.iter().map(|text| length(*text)).sum::<usize>() + length(home);
    let size = size_of::<Config>() + words;
    let start = sys::map(size)?;
    // SAFETY: a Config, then every text with a NUL fit into the mapping, which is page-aligned, zeroed and nobody else's.
    // It lives for ever unless `read` finds it unused.
    unsafe {
        let mut at = start.add(size_of::<Config>());
        let mut copy = |text: Option<&[u8]>| {
            let text = text?;
            let here = at;
            core::ptr::copy_nonoverlapping(text.as_ptr(), here, text.len());
            at = at.add(text.len() + 1);
            Some(core::slice::from_raw_parts(here.cast_const(), text.len()))
        };
        let texts = Texts {
            values: texts.values.map(&mut copy),
            home: copy(home),
        };
        let config = start.cast::<Config>();
        config.write(Config {
            rules: Rules::parse(Engine::Library, &texts, &mut |_| {}),
            texts,
            stderr: sys::fstat(2).map(|file| file.look.identity),
            said: AtomicBool::new(false),
        });
        Some((&*config, size))
    }
}

/// HOME with its symlinks followed: `~/x` is compared with resolved paths.
fn resolved<'b>(home: &[u8], buf: &'b mut sys::Path) -> Option<&'b [u8]> {
    let path = buf.get_mut(..=home.len())?;
    for (to, from) in path.iter_mut().zip(home) {
        *to = *from;
    }
    let fd = sys::open(CStr::from_bytes_until_nul(path).ok()?, libc::O_EVTONLY)?;
    let found = sys::path_of(fd, buf);
    sys::close(fd);
    found
}
