//! Events as they are handed over: a change of attributes is told from a touch by the file's modification time.

use core::ffi::c_int;

use libc::{EV_ADD, EV_CLEAR, EV_DELETE, EV_DISPATCH, EV_ENABLE, EV_ONESHOT, NOTE_ATTRIB};

use super::event::Event;
use crate::config::Config;
use crate::notes::{self, Note};
use crate::sys::File;
use crate::{log, sys};

/// Moves the events that are handed over to the front; how many they are.
pub fn keep<E: Event>(config: &'static Config, kq: c_int, events: &mut [E]) -> usize {
    let mut kept = 0;
    for at in 0..events.len() {
        let Some(&event) = events.get(at) else { break };
        let Some(left) = judge(config, kq, &event) else {
            continue;
        };
        if let Some(to) = events.get_mut(kept) {
            *to = event;
            if left != event.fflags() {
                to.set_fflags(left);
            }
            kept += 1;
        }
    }
    kept
}

/// The fflags an event is handed over with; `None` if nothing is left of it.
fn judge<E: Event>(config: &'static Config, kq: c_int, event: &E) -> Option<u32> {
    let fflags = event.fflags();
    if !event.is_of_file() || !config.rules.chmod {
        return Some(fflags);
    }
    let ident = event.ident();
    let Some(note) = notes::find(kq, ident) else {
        return Some(fflags);
    };
    let file = sys::fstat(ident as c_int).filter(|file| note.is_on(&file.look));
    let Some(file) = file else {
        notes::forget(kq, ident);
        return Some(fflags);
    };
    let is_chmod = fflags & NOTE_ATTRIB != 0 && !note.may_be_modified(&file.look);
    let left = match is_chmod {
        true => fflags & !NOTE_ATTRIB,
        false => fflags,
    };
    if is_chmod && left == 0 {
        if is_set_again(kq, event, &note, &file) {
            if log::wanted(config) {
                report(config, kq, ident as c_int);
            }
            return None;
        }
        notes::forget(kq, ident);
        return Some(fflags);
    }
    // The program has not looked at the file yet: what has changed until now it will see.
    match event.flags() & EV_ONESHOT {
        0 => notes::remember(kq, ident, &Note::of(&file.look, note.asked)),
        _ => notes::forget(kq, ident),
    }
    Some(left)
}

/// Whether the note of a swallowed event hears on, and heard everything meanwhile.
fn is_set_again<E: Event>(kq: c_int, event: &E, note: &Note, file: &File) -> bool {
    let (ident, flags) = (event.ident(), event.flags());
    if flags & EV_ONESHOT == 0 {
        // Disabled, it goes on collecting.
        let enabled = flags & EV_DISPATCH == 0
            || event
                .with(EV_ENABLE | flags & (EV_CLEAR | EV_DISPATCH), note.asked)
                .change(kq);
        return enabled;
    }
    // The event used the note up. What happens before there is another one is seen by the file alone.
    let again = event.with(EV_ADD | EV_ONESHOT | flags & EV_CLEAR, note.asked);
    if !again.change(kq) {
        return false;
    }
    if sys::fstat(ident as c_int).as_ref() == Some(file) {
        return true;
    }
    event.with(EV_DELETE, 0).change(kq);
    false
}

#[cold]
#[inline(never)]
fn report(config: &Config, kq: c_int, fd: c_int) {
    let mut path: sys::Path = [0; 1024];
    let mut buf: log::Buffer = [0; 512];
    let mut line = log::begin(&mut buf);
    line.text(b"kevent(").number(kq as u32);
    line.text(b", ")
        .quoted(sys::path_of(fd, &mut path).unwrap_or(b""));
    line.text(b"): a chmod was removed");
    log::end(config, &mut line);
}
