//! The connections that are answered at once.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many there are; Prometheus opens one. For more, who has asked nothing yet has to go.
const PLACES: usize = 8;

/// Places for connections.
#[derive(Default)]
pub struct Places(Mutex<Vec<Taken>>);

struct Taken {
    stream: Arc<TcpStream>,
    /// Its request has not come, or not the whole of it.
    idle: bool,
}

/// The place of one connection, free when this goes.
pub struct Place {
    places: Arc<Places>,
    stream: Arc<TcpStream>,
}

impl Places {
    /// Takes a place. Where all are taken, the connection that has been silent for longest is closed: who opens many
    /// and says nothing keeps nobody out. `None` where all are being answered.
    pub fn take(places: &Arc<Places>, stream: &Arc<TcpStream>) -> Option<Place> {
        let mut taken = places.lock();
        if taken.len() >= PLACES {
            // The oldest stands first.
            let at = taken.iter().position(|one| one.idle)?;
            let silent = taken.remove(at);
            // Its thread reads the end, and then goes.
            let _ = silent.stream.shutdown(Shutdown::Both);
        }
        taken.push(Taken {
            stream: Arc::clone(stream),
            idle: true,
        });
        Some(Place {
            places: Arc::clone(places),
            stream: Arc::clone(stream),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Its request has come: it is answered.
    pub fn is_asked(&self) {
        let mut taken = self.places.lock();
        let own = taken
            .iter_mut()
            .find(|one| Arc::ptr_eq(&one.stream, &self.stream));
        if let Some(own) = own {
            own.idle = false;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.retain(|one| !Arc::ptr_eq(&one.stream, &self.stream));
    }
}
