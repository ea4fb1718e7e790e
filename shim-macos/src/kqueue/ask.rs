//! Notes as they are placed: with what the rules leave of their fflags.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use libc::{
    EV_CLEAR, EV_DELETE, EV_ONESHOT, EV_UDATA_SPECIFIC, NOTE_ATTRIB, NOTE_EXTEND, NOTE_WRITE,
};
use rules::Rule;
use rules::record;
use rules::rule::Log;
use rules::watch::Fate;

use super::event::Event;
use super::mask;
use crate::config::Config;
use crate::notes::{self, Note};
use crate::sys::File;
use crate::{log, pointer, sys};

/// So many changes are copied to the stack, more to a mapping.
const HERE: usize = 64;

/// Calls `system` with the changes as the rules have them. The program's own list is not written to.
///
/// # Safety
/// As kevent(2).
pub unsafe fn judged<E: Event>(
    config: &'static Config,
    kq: c_int,
    changes: *const E,
    n: c_int,
    system: impl FnOnce(*const E) -> c_int,
) -> c_int {
    // SAFETY: if it can be read it is a list of changes, which the program does not change meanwhile.
    let given = unsafe {
        let _errno = sys::Errno::save();
        pointer::slice(changes, n)
    };
    let Some(given) = given else {
        return system(changes);
    };
    for change in given.iter().filter(|change| is_ended(*change)) {
        notes::forget(kq, change.ident());
    }
    if !given.iter().any(is_placed) {
        return system(changes);
    }
    let mut here = MaybeUninit::<[E; HERE]>::uninit();
    let is_long = given.len() > HERE;
    let copy: *mut E = match is_long {
        false => here.as_mut_ptr().cast(),
        true => match sys::map(size_of_val(given)) {
            Some(there) => there.cast(),
            None => return system(changes),
        },
    };
    {
        let _errno = sys::Errno::save();
        for (at, change) in given.iter().enumerate() {
            let change = match is_placed(change) {
                true => placed(config, kq, change),
                false => *change,
            };
            // SAFETY: there is room for as many as were given.
            unsafe { copy.add(at).write(change) };
        }
    }
    let answer = system(copy);
    if is_long {
        let _errno = sys::Errno::save();
        // SAFETY: the mapping above, which nobody has any more.
        unsafe { sys::unmap(copy.cast(), size_of_val(given)) };
    }
    answer
}

/// Every change of a note but its end sets its fflags (filt_vntouch of bsd/vfs/vfs_vnops.c).
fn is_placed<E: Event>(change: &E) -> bool {
    change.is_of_file() && change.flags() & EV_DELETE == 0
}

fn is_ended<E: Event>(change: &E) -> bool {
    change.is_of_file() && change.flags() & EV_DELETE != 0
}

fn placed<E: Event>(config: &'static Config, kq: c_int, change: &E) -> E {
    log::errors_once(config);
    let fd = change.ident() as c_int;
    let Some(file) = sys::fstat(fd) else {
        // The errno is the system's.
        return *change;
    };
    let mut buf: sys::Path = [0; 1024];
    let path = sys::path_of(fd, &mut buf).unwrap_or(b"");
    let is_directory = file.is(libc::S_IFDIR);
    let (fate, rule) = fate(config, path, is_directory, change.fflags());
    let fflags = mask::reduce(config.rules.strip, fate, is_directory, change.fflags());
    remember(config, kq, change, &file, fflags);
    if log::wanted(config) && (fflags != change.fflags() || rule.is_some()) {
        report(config, kq, path, change.fflags(), fflags, rule);
    }
    let mut change = *change;
    change.set_fflags(fflags);
    change
}

fn fate(config: &Config, path: &[u8], is_directory: bool, asked: u32) -> (Fate, Option<Rule>) {
    let rules = &config.rules;
    let name = path.rsplit(|&c| c == b'/').next().unwrap_or(path);
    if !is_directory && !name.is_empty() && record::ignored(rules, name) {
        let rule = match rules.log {
            Log::File(log) if log == path => Rule::Log,
            _ => Rule::Ignore,
        };
        return (Fate::Muted, Some(rule));
    }
    if rules.drop.match_below(path, rules.home) {
        return (Fate::Muted, Some(Rule::Drop));
    }
    let is_written = asked & (NOTE_WRITE | NOTE_EXTEND) != 0;
    match is_written && rules.settle.match_below(path, rules.home) {
        true => (Fate::Settled, Some(Rule::Settle)),
        false => (Fate::Plain, None),
    }
}

/// Remembers what telling a chmod from a touch takes, for notes that can be told: one that stays set until it is removed
/// would be handed over again at once, and of those that are told apart by their udata there may be several on one file.
/// Nor is a server's file system asked, which may not answer any more when the event is read.
fn remember<E: Event>(config: &Config, kq: c_int, change: &E, file: &File, fflags: u32) {
    let (kq, ident, flags) = (kq, change.ident(), change.flags());
    let ends = flags & (EV_CLEAR | EV_ONESHOT) != 0 && flags & EV_UDATA_SPECIFIC == 0;
    let is_judged = config.rules.chmod && fflags & NOTE_ATTRIB != 0 && ends;
    if !is_judged || !sys::is_local(ident as c_int) {
        return notes::forget(kq, ident);
    }
    let now = Note::of(&file.look, fflags);
    // A note that is set anew may have a touch that was not read yet: its time stays the one that was last seen.
    let known = notes::find(kq, ident).filter(|note| note.is_on(&file.look));
    let note = known.map_or(now, |known| known.asking(fflags));
    notes::remember(kq, ident, &note);
}

#[cold]
#[inline(never)]
fn report(config: &Config, kq: c_int, path: &[u8], asked: u32, now: u32, rule: Option<Rule>) {
    let mut buf: log::Buffer = [0; 512];
    let mut line = log::begin(&mut buf);
    line.text(b"kevent(").number(kq as u32);
    line.text(b", ").quoted(path);
    line.text(b"): fflags ").hex(asked);
    if now != asked {
        line.text(b" -> ").hex(now);
    }
    match rule {
        Some(Rule::Settle) => {
            line.text(b", not settled: kqueue has no event for a close");
        }
        Some(rule) => {
            line.text(b", muted by ").text(rule.variable().as_bytes());
        }
        None if now == 0 => {
            line.text(b", hears nothing");
        }
        None => {}
    }
    log::end(config, &mut line);
}
