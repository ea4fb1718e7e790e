//! Limits how many connections are served at once.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many there are. Prometheus opens one. If more connect, a connection that has not sent its request is closed.
const PLACES: usize = 8;

/// Places for connections.
#[derive(Default)]
pub struct Places(Mutex<Vec<Taken>>);

struct Taken {
    stream: Arc<TcpStream>,
    /// Its request has not arrived completely.
    idle: bool,
}

/// The place of one connection. It becomes free when this value is dropped.
pub struct Place {
    places: Arc<Places>,
    stream: Arc<TcpStream>,
}

impl Places {
    /// Takes a place. If all are taken, the connection that has been silent for longest is closed, so a client that
    /// opens many silent connections keeps nobody out. `None` if all connections are being answered.
    pub fn take(places: &Arc<Places>, stream: &Arc<TcpStream>) -> Option<Place> {
        let mut taken = places.lock();
        if taken.len() >= PLACES {
            // The oldest comes first.
            let at = taken.iter().position(|one| one.idle)?;
            let silent = taken.remove(at);
            // Its thread then reads the end of the stream and finishes.
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
    /// Notes that its request has arrived and is being answered.
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
