//! Socket files: whether anybody listens.

use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::Command;

use crate::common::{Fixture, Stage, holds_number, is_root};

use super::{verdict, verdict_once_closed};

#[test]
fn a_socket_file_is_live_while_somebody_listens_on_it() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let path = dir.join("serve.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let claim = verdict(&stage, &path, "live");
    assert_eq!(claim["kind"], "socket");
    assert!(
        holds_number(&claim["holders"], std::process::id().into()),
        "{claim:#}"
    );
    drop(listener);
    let claim = verdict_once_closed(&stage, &path, "stale");
    // A command only where every network namespace could be looked through.
    if let Some(remedy) = claim["remedy"].as_str() {
        assert_eq!(remedy, format!("rm -- {}", path.to_str().unwrap()));
    } else {
        assert!(claim["why"].as_str().unwrap().contains("that may be seen"));
    }
    assert!(path.exists());
}

#[test]
fn a_socket_file_for_datagrams_is_live_while_it_is_bound() {
    let stage = Stage::new();
    let path = stage.make("state").join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    verdict(&stage, &path, "live");
    drop(socket);
    verdict_once_closed(&stage, &path, "stale");
}

#[test]
fn a_connection_that_outlives_its_listener_is_nobody_who_listens() {
    let stage = Stage::new();
    let path = stage.make("state").join("serve.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    let (server, _) = listener.accept().unwrap();
    drop(listener);
    // The accepted socket still has the path in the kernel's table.
    verdict_once_closed(&stage, &path, "stale");
    drop((client, server));
}

#[test]
fn a_socket_bound_by_a_relative_path_is_found_by_who_has_it_open() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let script = "import os, socket, sys; os.chdir(sys.argv[1]); s = socket.socket(socket.AF_UNIX); \
                  s.bind('serve.sock'); s.listen(); print('READY', flush=True); sys.stdin.read()";
    let python = Fixture::start(
        Command::new("/usr/bin/python3")
            .args(["-c", script])
            .arg(&dir),
    );
    let claim = verdict(&stage, &dir.join("serve.sock"), "live");
    assert!(
        holds_number(&claim["holders"], python.pid().into()),
        "{claim:#}"
    );
    // The same name elsewhere is another socket.
    let other = stage.make("other").join("serve.sock");
    drop(UnixListener::bind(&other).unwrap());
    verdict_once_closed(&stage, &other, "stale");
}

#[test]
fn a_socket_of_another_network_namespace_is_live() {
    if !is_root() {
        return support::skip("only root can make a network namespace");
    }
    let stage = Stage::new();
    let path = stage.make("state").join("serve.sock");
    let script = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); \
                  s.listen(); print('READY', flush=True); sys.stdin.read()";
    let mut command = Command::new("unshare");
    command
        .args(["--net", "/usr/bin/python3", "-c", script])
        .arg(&path);
    let python = Fixture::start(&mut command);
    let claim = verdict(&stage, &path, "live");
    assert!(
        holds_number(&claim["holders"], python.pid().into()),
        "{claim:#}"
    );
}

#[test]
fn a_socket_that_was_renamed_or_linked_after_it_was_bound_is_live() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let (first, then, linked) = (
        dir.join("sv.sock.1"),
        dir.join("sv.sock"),
        dir.join("other"),
    );
    let listener = UnixListener::bind(&first).unwrap();
    std::fs::hard_link(&first, &linked).unwrap();
    std::fs::rename(&first, &then).unwrap();
    for path in [&then, &linked] {
        let claim = verdict(&stage, path, "live");
        assert!(holds_number(&claim["holders"], std::process::id().into()));
    }
    drop(listener);
    verdict_once_closed(&stage, &then, "stale");
}
