//! The rules in force: `WATCHFIX_*` as the program was started with, read once and kept.
//!
//! The texts are copied, because programs overwrite their environment (setproctitle) and unset it.

use core::ffi::{CStr, c_char, c_long, c_void};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use once_cell::race::OnceRef;
use rules::budget::{Budget, Slot};
use rules::watch::{JUDGED, OWN_INSTANCE};
use rules::{Engine, Rule, Rules, Texts};

use crate::{next, sys};

// The slots of a budget lie behind a Config.
const _: () = assert!(size_of::<Config>().is_multiple_of(align_of::<Slot>()));

pub struct Config {
    pub rules: Rules<'static>,
    /// What the rules were read from.
    pub texts: Texts<'static>,
    /// Device and inode of standard error when the program was started: a daemon may have opened its
    /// own file there since.
    pub stderr: Option<(u64, u64)>,
    /// How many watches there may be, if that is limited.
    pub budget: Option<Budget<'static>>,
    /// They are not limited though they should be: there was no memory to count them.
    pub no_room: bool,
    /// Set in every mask that was judged: [`JUDGED`] under `watchfix run`, else nothing.
    pub judged: u32,
    /// What is wrong with the texts has been said.
    said: AtomicBool,
}

impl Config {
    /// What is handed to inotify_init1 as a second argument under `watchfix run`.
    pub fn own_instance(&self) -> Option<c_long> {
        (self.judged != 0).then_some(OWN_INSTANCE as c_long)
    }

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
    budget: None,
    no_room: false,
    judged: 0,
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
    let Some((texts, judged)) = environment() else {
        // Before libc is ready: as if nothing were set, and asked again next time.
        return &DEFAULT;
    };
    let none = judged == 0 && texts.values.iter().all(Option::is_none);
    // A program with more rights than its user has is not ruled by that user's variables.
    if none || next::is_secure() {
        let _ = CONFIG.set(&DEFAULT);
        return CONFIG.get().unwrap_or(&DEFAULT);
    }
    let Some((config, size)) = keep(&texts, judged) else {
        let _ = CONFIG.set(&DEFAULT);
        return CONFIG.get().unwrap_or(&DEFAULT);
    };
    if CONFIG.set(config).is_err() {
        let config: *const Config = config;
        // SAFETY: another was faster; nobody else has seen this one.
        unsafe { sys::unmap(config as *mut c_void, size) };
    }
    CONFIG.get().unwrap_or(&DEFAULT)
}

/// The variables of the rules, where they stand now, and [`Config::judged`]; `None` if there is no
/// environment yet.
fn environment() -> Option<(Texts<'static>, u32)> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    let mut texts = Texts::default();
    let mut judged = 0;
    // SAFETY: libc's environ is null or an array of strings that ends with null. At load time nobody
    // else runs that could change it.
    unsafe {
        let mut entry = environ;
        if entry.is_null() {
            return None;
        }
        while !(*entry).is_null() {
            // Most entries are told apart by their first character.
            if matches!(*(*entry) as u8, b'W' | b'H') {
                let entry = CStr::from_ptr(*entry).to_bytes();
                texts.set(entry);
                if entry == b"WATCHFIX_RUN=1" {
                    judged = JUDGED;
                }
            }
            entry = entry.add(1);
        }
    }
    Some((texts, judged))
}

/// Copies the texts into memory of their own, behind the rules read from the copies and the slots of a
/// budget. Where there is no room for the slots it costs the budget alone.
fn keep(texts: &Texts<'static>, judged: u32) -> Option<(&'static Config, usize)> {
    let mut home_buf = [0u8; libc::PATH_MAX as usize];
    let home = texts
        .home
        .map(|home| resolved(home, &mut home_buf).unwrap_or(home));
    let length = |text: Option<&[u8]>| text.map_or(0, |text| text.len() + 1);
    let rules = Rules::parse(Engine::Library, texts, &mut |_| {});
    let max = rules.max_watches.filter(|_| !rules.off);
    let words = texts.values.iter().map(|text| length(*text)).sum::<usize>() + length(home);
    let before = |slots| size_of::<Config>() + slots * size_of::<Slot>();
    let slots = max.map_or(0, Budget::slots);
    let (start, max, slots) = match sys::map(before(slots) + words) {
        Some(start) => (start, max, slots),
        None => (sys::map(before(0) + words)?, None, 0),
    };
    let no_room = max.is_none() && rules.max_watches.is_some() && !rules.off;
    let before = before(slots);
    // The mapping is page-aligned and zeroed; it lives for ever unless `read` finds it unused.
    // SAFETY: a Config, then the slots, then every text with a NUL fit into the mapping, which is nobody
    // else's; a Slot is aligned behind a Config, and free when zeroed.
    unsafe {
        let slots = core::slice::from_raw_parts(start.add(size_of::<Config>()).cast(), slots);
        let mut at = start.add(before);
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
            stderr: sys::fstat(2).map(|(_, device, inode)| (device, inode)),
            budget: max.map(|max| Budget::new(max, slots)),
            no_room,
            judged,
            said: AtomicBool::new(false),
        });
        Some((&*config, before + words))
    }
}

/// HOME with its symlinks followed: `~/x` is compared with resolved paths.
fn resolved<'b>(home: &[u8], buf: &'b mut [u8]) -> Option<&'b [u8]> {
    let path = buf.get_mut(..=home.len())?;
    for (to, from) in path.iter_mut().zip(home) {
        *to = *from;
    }
    let fd = sys::open(CStr::from_bytes_until_nul(path).ok()?, libc::O_PATH, 0).ok()?;
    let found = sys::path_of(fd, buf);
    sys::close(fd);
    found
}
