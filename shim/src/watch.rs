//! A watch on its way to the kernel.

use core::ffi::{CStr, c_char, c_int};

use rules::budget::Booking;
use rules::event::{ALL_EVENTS, ATTRIB, MASK_ADD, MODIFY};
use rules::record;
use rules::rule::{Log, Rule};
use rules::watch::{Asked, Fate, hears_nothing, reduce};

use crate::config::{self, Config};
use crate::fds::Fds;
use crate::place::{self, Before};
use crate::{attrib, budget, log, look, memory, pointer, sandbox, sys};

/// Instances made by this process that have no watch yet.
static NEW: Fds = Fds::new();

/// Instances that have watches placed through the hook. Those that came from elsewhere are not among them.
static KNOWN: Fds = Fds::new();

/// Notes a new instance.
pub fn made(fd: c_int) {
    if fd < 0 {
        return;
    }
    let config = config::get();
    log::errors_once(config);
    NEW.insert(fd);
    KNOWN.remove(fd);
    sandbox::seen(fd);
    memory::made(fd);
    if config.rules.chmod {
        attrib::note_read(fd);
    }
    if let Some(budget) = &config.budget {
        budget::made(budget, fd);
    }
}

/// True if the watches of an instance were placed through the hook.
pub fn known(fd: c_int) -> bool {
    KNOWN.contains(fd)
}

/// inotify_rm_watch(2), where `kernel` asks the kernel.
pub fn remove(fd: c_int, wd: c_int, kernel: impl FnOnce() -> c_int) -> c_int {
    let answer = budget::remove(fd, wd, kernel);
    if answer == 0 {
        memory::forget(fd, wd);
    }
    answer
}

/// A watch on its way: what the kernel is asked for, and what is noted when it has answered.
struct Call<'a> {
    config: &'static Config,
    fd: c_int,
    path: &'a CStr,
    mask: u32,
    asked: Asked,
    booking: Option<Booking>,
    before: Before,
}

/// What becomes of a call that does not go to the kernel with the judged mask.
enum Other {
    /// The kernel gets the program's own mask, as the errno will be its own.
    Unchanged,
    /// The program gets this answer.
    Answer(c_int),
}

/// inotify_add_watch(2), where `kernel` asks the kernel for a watch with the mask it is given.
///
/// # Safety
/// `path` is what the program passed to inotify_add_watch.
#[inline(always)]
pub unsafe fn add(
    fd: c_int,
    path: *const c_char,
    mask: u32,
    kernel: impl FnOnce(u32) -> c_int,
) -> c_int {
    // SAFETY: the caller's own promise.
    match unsafe { begin(fd, path, mask) } {
        Ok(call) => {
            let wd = kernel(call.mask);
            end(call, wd)
        }
        Err(Other::Unchanged) => kernel(mask),
        Err(Other::Answer(answer)) => answer,
    }
}

/// # Safety
/// As [`add`].
#[inline(always)]
unsafe fn begin<'a>(fd: c_int, path: *const c_char, mask: u32) -> Result<Call<'a>, Other> {
    let config = config::get();
    if config.rules.off || mask & ALL_EVENTS == 0 {
        return Err(Other::Unchanged);
    }
    // SAFETY: the program's word that nobody changes the path while it is used.
    let path = unsafe { string(path) }.ok_or(Other::Unchanged)?;
    sandbox::seen(fd);
    let (mask, asked) = judge(config, fd, path, mask);
    let booking = match &config.budget {
        Some(budget) => budget::admit(config, budget, fd, path, mask).map_err(Other::Answer)?,
        None => None,
    };
    let before = place::before(config, path, mask, asked);
    Ok(Call {
        config,
        fd,
        path,
        mask,
        asked,
        booking,
        before,
    })
}

/// Notes what the kernel answered.
#[inline(always)]
fn end(call: Call<'_>, wd: c_int) -> c_int {
    if wd > 0 {
        KNOWN.insert(call.fd);
        if call.mask & ATTRIB != 0 || !call.config.rules.settle.is_empty() {
            remember(&call, wd);
        }
    }
    if let (Some(budget), Some(booking)) = (&call.config.budget, call.booking) {
        budget::answered(budget, booking, call.fd, wd);
    }
    wd
}

/// The path a program passed; `None` where the kernel's errno is the answer.
///
/// # Safety
/// As for [`pointer::string`].
#[inline(always)]
unsafe fn string<'a>(path: *const c_char) -> Option<&'a CStr> {
    if sandbox::entered() {
        // SAFETY: without a question to the kernel it is the program's word that a path is there.
        return (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) });
    }
    // SAFETY: the caller's own promise.
    unsafe { pointer::string(path) }
}

/// Remembers what judging the records of a watch takes.
#[inline(never)]
fn remember(call: &Call<'_>, wd: c_int) {
    let Call { fd, path, mask, .. } = *call;
    if call.before.nothing() && call.config.rules.settle.is_empty() {
        // What was known of an earlier watch on the same file does not hold for this one.
        return memory::forget(fd, wd);
    }
    call.before.with_place(path, mask, |place| {
        memory::place(fd, wd, call.asked, place, mask & MASK_ADD != 0);
    });
}

/// The mask the kernel is asked for in place of `mask`, and what is remembered of the call.
#[inline(always)]
fn judge(config: &'static Config, fd: c_int, path: &CStr, mask: u32) -> (u32, Asked) {
    log::errors_once(config);
    spare_wd_one(fd, mask);
    let (fate, rule) = fate(config, path, mask);
    let strip = config.rules.strip;
    let now = reduce(strip, fate, mask);
    if log::wanted(config) && now != mask {
        report(config, fd, path, mask, now, rule);
    }
    (now | config.judged, Asked::of(strip, fate, mask))
}

#[cold]
#[inline(never)]
fn report(config: &Config, fd: c_int, path: &CStr, mask: u32, now: u32, rule: Option<Rule>) {
    let mut buf: log::Buffer = [0; 1024];
    let mut line = log::begin(&mut buf);
    line.text(b"inotify_add_watch(").number(fd as u32);
    line.text(b", ").quoted(path.to_bytes());
    line.text(b"): mask ").hex(mask).text(b" -> ").hex(now);
    if let Some(rule) = rule {
        line.text(match rule {
            Rule::Settle => b", settled by ".as_slice(),
            _ => b", muted by ",
        });
        line.text(rule.variable().as_bytes());
    } else if hears_nothing(mask, now) {
        line.text(b", hears nothing");
    }
    log::end(config, &mut line);
}

/// What `path` makes of a watch, and by which rule.
#[inline(always)]
fn fate(config: &Config, path: &CStr, mask: u32) -> (Fate, Option<Rule>) {
    let rules = &config.rules;
    let bytes = path.to_bytes();
    let name = bytes.rsplit(|&c| c == b'/').next().unwrap_or(bytes);
    if !name.is_empty() && record::ignored(rules, name) && !is_directory(path, mask) {
        let rule = match rules.log {
            Log::File(log) if log == bytes => Rule::Log,
            _ => Rule::Ignore,
        };
        return (Fate::Muted, Some(rule));
    }
    if rules.drop.is_empty() && rules.settle.is_empty() {
        return (Fate::Plain, None);
    }
    by_directory(config, path, mask)
}

/// The name rules are about files; what cannot be looked at is left to the kernel's errno.
#[cold]
#[inline(never)]
fn is_directory(path: &CStr, mask: u32) -> bool {
    let Some(fd) = look::at(path, mask) else {
        return true;
    };
    let stat = sys::fstat(fd);
    sys::close(fd);
    !matches!(stat, Some((mode, ..)) if mode & libc::S_IFMT != libc::S_IFDIR)
}

#[cold]
#[inline(never)]
fn by_directory(config: &Config, path: &CStr, mask: u32) -> (Fate, Option<Rule>) {
    let rules = &config.rules;
    let Some(fd) = look::at(path, mask) else {
        return (Fate::Plain, None);
    };
    let mut buf = [0u8; libc::PATH_MAX as usize];
    let path = sys::path_of(fd, &mut buf);
    sys::close(fd);
    match path {
        Some(path) if rules.drop.match_below(path, rules.home) => (Fate::Muted, Some(Rule::Drop)),
        Some(path)
            if mask & !rules.strip & MODIFY != 0 && rules.settle.match_below(path, rules.home) =>
        {
            (Fate::Settled, Some(Rule::Settle))
        }
        _ => (Fate::Plain, None),
    }
}

/// Qt looks a wd up as itself and negated, to tell files from directories: the filler's -1 would mean
/// whatever has wd 1. An instance whose first watch has a mask Qt asks for begins with wd 2. Others keep
/// their numbers: busybox inotifyd relies on them.
#[inline(always)]
fn spare_wd_one(fd: c_int, mask: u32) {
    // QInotifyFileSystemWatcherEngine::addPaths (Qt 5 and 6): ATTRIB, MOVE, DELETE_SELF, and CREATE and
    // DELETE on directories, MODIFY and MOVE_SELF on files.
    const QT: [u32; 2] = [0x7c4, 0xcc6];
    if NEW.remove(fd) && QT.contains(&mask) {
        sys::set_next_wd(fd, 2);
    }
}
