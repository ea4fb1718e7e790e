//! The notes of a kqueue: which files another process watches, and for what.

use super::bytes::Bytes;
use super::layout::KeventExtInfo;
use crate::model::{Descriptor, Kqueue, KqueueWatch, Notes};
use std::collections::HashMap;
use std::mem::offset_of;

/// EVFILT_VNODE (bsd/sys/event.h).
const EVFILT_VNODE: i16 = -4;

/// The watches on files among the notes of a kqueue; `None` if it has none, as those of most event loops.
pub fn parse(fd: i32, answer: &[u8], files: &HashMap<i32, &Descriptor>) -> Option<Kqueue> {
    let notes = Bytes(answer).each(size_of::<KeventExtInfo>());
    let watches: Vec<KqueueWatch> = notes
        .filter_map(|note| {
            let filter = note.i16(offset_of!(KeventExtInfo, kqext_kev.filter))?;
            let ident = note.u64(offset_of!(KeventExtInfo, kqext_kev.ident))?;
            let descriptor = i32::try_from(ident).ok()?;
            let file = files.get(&descriptor);
            (filter == EVFILT_VNODE).then_some(KqueueWatch {
                descriptor,
                mask: Notes(note.u32(offset_of!(KeventExtInfo, kqext_sfflags))?),
                path: file
                    .map(|file| file.target.clone())
                    .filter(|path| !path.as_bytes().is_empty()),
            })
        })
        .collect();
    (!watches.is_empty()).then(|| Kqueue::of(fd, watches))
}
