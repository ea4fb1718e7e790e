//! A small HTTP server for scrapers: one path, a few connections at a time, and a time limit for each.

use super::hosts::Hosts;
use super::places::{Place, Places};
use crate::sys::Signals;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest time that a request may take from its first byte to its last, and the same for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest request. Prometheus sends about 300 bytes.
const REQUEST: usize = 8 * 1024;
/// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics, or the reason why there are none.
pub type Metrics = dyn Fn() -> Result<String, String> + Send + Sync;

/// Answers until a signal comes, and returns its number.
///
/// # Errors
/// EMFILE and similar errors, if no connection can be accepted at all.
pub fn serve(
    listener: &TcpListener,
    signals: &Signals,
    hosts: Hosts,
    metrics: &Arc<Metrics>,
) -> io::Result<i32> {
    listener.set_nonblocking(true)?;
    let (places, hosts) = (Arc::new(Places::default()), Arc::new(hosts));
    loop {
        signals.wait(&[listener.as_fd()], Duration::from_secs(3600));
        if let Some(signal) = signals.next() {
            return Ok(signal.number);
        }
        let stream = match listener.accept() {
            Ok((stream, _)) => Arc::new(stream),
            // The client has given up, or there was no client.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock || gave_up(&e) => continue,
            Err(e) => return Err(e),
        };
        let Some(place) = Places::take(&places, &stream) else {
            // Does not wait: a client that is busy sending must not delay the others.
            let _ = stream.set_nonblocking(true);
            let busy = response("503 Service Unavailable", "text/plain", "busy\n");
            let _ = (&*stream).write_all(busy.as_bytes());
            continue;
        };
        let (hosts, metrics) = (Arc::clone(&hosts), Arc::clone(metrics));
        // A client that disconnects or takes too long gets nothing more. If no thread can be started, the client gets
        // nothing either.
        let _ = std::thread::Builder::new().spawn(move || {
            let _ = answer(&stream, &place, &hosts, &*metrics);
        });
    }
}

fn gave_up(error: &io::Error) -> bool {
    // accept(2): these are errors of the connection, not of the listener.
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

fn answer(stream: &TcpStream, place: &Place, hosts: &Hosts, metrics: &Metrics) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let request = request(stream)?;
    place.is_asked();
    let Some(Request { method, path, host }) = parse(&request) else {
        let refused = response("400 Bad Request", "text/plain", "not HTTP\n");
        return send(stream, &refused);
    };
    let text = match (method, path) {
        _ if !host.is_none_or(|host| hosts.serve(host)) => response(
            "421 Misdirected Request",
            "text/plain",
            "nothing is served here under this name: see --allow-host\n",
        ),
        ("GET" | "HEAD", "/metrics") => match metrics() {
            Ok(text) => response("200 OK", TYPE, &text),
            Err(why) => response(
                "500 Internal Server Error",
                "text/plain",
                &format!("{why}\n"),
            ),
        },
        ("GET" | "HEAD", _) => response(
            "404 Not Found",
            "text/plain",
            "the metrics are at /metrics\n",
        ),
        _ => response(
            "405 Method Not Allowed\r\nAllow: GET, HEAD",
            "text/plain",
            "GET only\n",
        ),
    };
    match (method, text.split_once("\r\n\r\n")) {
        ("HEAD", Some((head, _))) => send(stream, &format!("{head}\r\n\r\n")),
        _ => send(stream, &text),
    }
}

/// Reads up to the empty line that ends a request without a body.
fn request(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let end = Instant::now() + TIMEOUT;
    let mut text = Vec::new();
    let mut part = [0; 1024];
    while !is_whole(&text) && text.len() < REQUEST {
        stream.set_read_timeout(Some(left(end)?))?;
        match stream.read(&mut part)? {
            0 => break,
            length => text.extend_from_slice(part.get(..length).unwrap_or_default()),
        }
    }
    Ok(text)
}

fn send(mut stream: &TcpStream, text: &str) -> io::Result<()> {
    let end = Instant::now() + TIMEOUT;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(end)?))?;
        match stream.write(rest)? {
            0 => break,
            length => rest = rest.get(length..).unwrap_or_default(),
        }
    }
    Ok(())
}

fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    // A timeout of 0 would mean no timeout.
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

/// A line without its line ending; `None` if it is not UTF-8.
fn text_of(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?;
    Some(line.trim_end_matches('\r'))
}

/// Whether the empty line has arrived. Lines may end in LF alone (RFC 9112, section 2.2).
fn is_whole(request: &[u8]) -> bool {
    request.windows(4).any(|w| w == b"\r\n\r\n") || request.windows(2).any(|w| w == b"\n\n")
}

/// The parts of a request that are used.
#[derive(Debug, PartialEq, Eq)]
struct Request<'a> {
    method: &'a str,
    /// Without a query.
    path: &'a str,
    host: Option<&'a str>,
}

fn parse(request: &[u8]) -> Option<Request<'_>> {
    if !is_whole(request) {
        return None;
    }
    let mut lines = request.split(|&b| b == b'\n');
    let mut words = text_of(lines.next()?)?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let path = target.split('?').next()?;
    let mut hosts = lines.filter_map(|text| {
        let (name, value) = text_of(text)?.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    let host = hosts.next();
    // Two Host headers are an attack on a proxy in between.
    let plain = version.starts_with("HTTP/1.") && hosts.next().is_none();
    plain.then_some(Request { method, path, host })
}

fn response(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_its_method_and_its_path() {
        let get = b"GET /metrics?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let found = Request {
            method: "GET",
            path: "/metrics",
            host: Some("localhost"),
        };
        assert_eq!(parse(get), Some(found));
        let bare = parse(b"GET / HTTP/1.1\nhOsT:  a:1\n\n").unwrap();
        assert_eq!((bare.path, bare.host), ("/", Some("a:1")));
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), None);
        assert_eq!(parse(b"GET /metrics HTTP/1.1\r\nHost: cut"), None);
        assert_eq!(parse(b"GET /metrics\r\n\r\n"), None);
        assert_eq!(parse(b"\x16\x03\x01\x02\x00\r\n\r\n"), None);
    }

    proptest! {
        #[test]
        fn any_request_is_parsed_or_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
