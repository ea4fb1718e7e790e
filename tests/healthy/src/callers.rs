//! Who answers what a page of a browser asks for, and counts it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// A server that answers every request with nothing. It ends with this.
pub struct Callers {
    port: u16,
    requests: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Callers {
    /// Starts it.
    pub fn new() -> Callers {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, over) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (counted, ends) = (Arc::clone(&requests), Arc::clone(&over));
        let serving = std::thread::spawn(move || {
            for caller in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(caller) = caller else { continue };
                // A browser keeps connections ready for which it has no request yet.
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || {
                    if answer(caller).is_ok() {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Callers {
            port,
            requests,
            over,
            serving: Some(serving),
        }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many requests it has answered.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Default for Callers {
    fn default() -> Self {
        Callers::new()
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // So that it looks.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

fn answer(mut caller: TcpStream) -> std::io::Result<()> {
    caller.set_read_timeout(Some(support::DEADLINE))?;
    let mut request = BufReader::new(caller.try_clone()?);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if request.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    caller.write_all(
        b"HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n",
    )
}
