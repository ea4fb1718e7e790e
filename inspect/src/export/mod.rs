//! `fdscan export`: a pass over all processes as OpenMetrics, to a file, to standard output, or to a scraper.

mod bounds;
mod file;
mod hosts;
mod metrics;
mod places;
mod server;

pub use file::replace;

use crate::gather::{Selection, Users};
use crate::sys::{Signals, end_by};
use hosts::Hosts;
use server::Metrics;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Two scrapers get the same result if it is no older than this.
const FRESH: Duration = Duration::from_millis(500);

/// The result of one pass.
pub struct Exported {
    /// OpenMetrics.
    pub text: String,
    /// Selected processes.
    pub processes: usize,
}

/// Examines all processes. Those of `selection` have series, but at most `most` of them: those with most of anything.
///
/// # Errors
/// The errno of listing /proc.
pub fn export(selection: &Selection, most: usize) -> io::Result<Exported> {
    let start = Instant::now();
    let top = crate::scans::top(selection, &Users::default())?;
    let processes = top.processes.len();
    let text = metrics::encode(top, most, start.elapsed()).map_err(io::Error::other)?;
    Ok(Exported { text, processes })
}

/// Answers scrapers at `address`, by the names `names` as well, until a signal ends this program. For each pass,
/// `select` returns which processes have series. `ready` receives the address that this program listens at.
///
/// # Errors
/// EADDRINUSE, EACCES and the other errors of bind(2) and accept(2).
pub fn serve(
    address: SocketAddr,
    names: Vec<String>,
    select: impl Fn() -> Result<Selection, String> + Send + Sync + 'static,
    most: usize,
    ready: impl FnOnce(SocketAddr),
) -> io::Result<()> {
    let signals = Signals::catch(&[])?;
    let listener = TcpListener::bind(address)?;
    ready(listener.local_addr()?);
    let last: Mutex<Option<(Instant, String)>> = Mutex::new(None);
    let metrics: Arc<Metrics> = Arc::new(move || {
        // One pass at a time, however many ask.
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, text)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(text.clone());
        }
        let exported = export(&select()?, most).map_err(|e| e.to_string())?;
        let text = exported.text;
        *last = Some((Instant::now(), text.clone()));
        Ok(text)
    });
    let hosts = Hosts::new(address.ip(), names);
    let signal = server::serve(&listener, &signals, hosts, &metrics)?;
    end_by(signal)
}
