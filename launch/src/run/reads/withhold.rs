//! Instances whose watches are held by pauses: what they report is withheld, and handed over afterwards.

use super::super::owners::{Owner, Owners};
use super::super::rights::Finder;
use super::instance::Shared;
use super::registry::Reads;
use super::released::{Most, Released};
use super::withheld::Pause;
use crate::sys::{inotify, lock, memory};
use rules::record::{FILLER_WD, HEADER};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// So many bytes may wait: a quarter of what the kernel keeps if all names are short.
const FULL: usize = 64 << 10;

impl Reads<'_> {
    /// Holds watches of descriptor `fd` for a pause. Returns how many it did not hold before.
    ///
    /// # Errors
    /// Its reads are not judged.
    pub fn hold(&self, owner: &Owner, fd: i32, (pause, wds): (Pause, &[i32])) -> io::Result<usize> {
        let (copy, instance) = self.open(owner, fd)?;
        let mut known = lock(&instance);
        match self.traps(fd) && known.judged && inotify::is_non_blocking(copy.as_fd()) {
            true => Ok(known.withheld.hold(pause, wds)),
            false => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Hands over what was withheld for a pause that has ended, but for what another one holds.
    pub fn release(&self, pause: Pause, most: Most, finder: &Finder<'_>) -> Released {
        let mut all = Released::default();
        for (places, instance) in self.held() {
            // What is still in its queue came before the end.
            let copy = self.empty(&places, &instance, 1, finder);
            let mut instance = lock(&instance);
            let (bytes, released) = instance.withheld.release(pause, most);
            all.add(released);
            instance.undelivered.add(&bytes);
            if let Ok(copy) = copy {
                instance.undelivered.ring(copy.as_fd());
            }
        }
        memory::give_back_what_is_free();
        all
    }

    /// Reads from instances with held watches whose queues are getting full: who reads none of it may be busy for long.
    pub fn empty_full_queues(&self, finder: &Finder<'_>) {
        for (places, instance) in self.held() {
            // A process that has ended has nothing in its queue.
            let _ = self.empty(&places, &instance, FULL, finder);
        }
    }

    /// Instances with held watches, each once, with the processes and descriptors by which they are known.
    fn held(&self) -> Vec<(Vec<(u32, i32)>, Shared)> {
        let mut held: Vec<(Vec<(u32, i32)>, Shared)> = Vec::new();
        for (&place, instance) in &*lock(&self.instances) {
            if !lock(instance).withheld.holds_any() {
                continue;
            }
            match held
                .iter_mut()
                .find(|(_, other)| Arc::ptr_eq(other, instance))
            {
                Some((places, _)) => places.push(place),
                None => held.push((vec![place], Arc::clone(instance))),
            }
        }
        held
    }

    /// Reads what waits in an instance's queue, if it is so many bytes. What no pause holds is handed over at the next read.
    fn empty(
        &self,
        places: &[(u32, i32)],
        instance: &Shared,
        least: usize,
        finder: &Finder<'_>,
    ) -> io::Result<OwnedFd> {
        let mut owners = Owners::default();
        let mut error = io::Error::from(io::ErrorKind::NotFound);
        for &(process, fd) in places {
            let opened = owners
                .of(process)
                .and_then(|owner| Ok((self.open(owner, fd)?, owner)));
            match opened {
                // The number may be another instance's by now.
                Ok(((copy, now), owner))
                    if Arc::ptr_eq(&now, instance) && inotify::is_non_blocking(copy.as_fd()) =>
                {
                    if inotify::waiting(copy.as_fd()) >= least {
                        self.withhold_all(owner, fd, (instance, &copy), finder);
                    }
                    return Ok(copy);
                }
                Ok(_) => {}
                Err(e) => error = e,
            }
        }
        Err(error)
    }

    fn withhold_all(
        &self,
        owner: &mut Owner,
        fd: i32,
        (instance, copy): (&Shared, &OwnedFd),
        finder: &Finder<'_>,
    ) {
        let turn = Arc::clone(&lock(instance).turn);
        let _turn = lock(&turn);
        let Ok(mut file) = copy.try_clone().map(File::from) else {
            return;
        };
        let (mut buffer, mut bursts) = (vec![0; FULL], Vec::new());
        while let Ok(count @ 1..) = file.read(&mut buffer) {
            let bytes = buffer.get(..count).unwrap_or_default().to_vec();
            // As into a buffer that is never full.
            let (bytes, more) = self.judge(owner, fd, instance, (bytes, 2 * FULL), finder);
            bursts.extend(more);
            let is_filler = bytes.len() == HEADER && bytes.starts_with(&FILLER_WD.to_ne_bytes());
            if !is_filler {
                lock(instance).undelivered.add(&bytes);
            }
        }
        // An earlier doorbell has been read.
        lock(instance).undelivered.ring(copy.as_fd());
        self.settle(owner, (instance, copy), &bursts, finder);
    }
}
