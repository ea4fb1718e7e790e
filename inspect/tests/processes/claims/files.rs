//! Files that name a PID or a port, or are locked: what they claim, and whether it is so.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;

use crate::common::{Scan, Stage, fdscan_binary, holds_number, is_root};

use super::{
    knows_who_has_ended, make_old, nobody, own_start, verdict, verdict_once_closed, write,
};

#[test]
fn a_pid_file_is_live_stale_or_reused() {
    if !knows_who_has_ended() {
        return;
    }
    let stage = Stage::new();
    let dir = stage.make("state");
    let own = u64::from(std::process::id());
    let start = own_start();
    for text in [
        format!("{own}\n"),
        format!("{own}:{start}"),
        format!("{own}:"),
        format!("{{\"pid\": {own}, \"startTime\": {start}}}"),
    ] {
        let path = write(&dir, "serve.pid", &text);
        let claim = verdict(&stage, &path, "live");
        assert_eq!(claim["pid"], own);
        assert_eq!(claim["holders"][0]["pid"], own);
        assert!(claim["severity"].is_null() && claim["remedy"].is_null());
    }
    let path = write(&dir, "serve.pid", &format!("{own}:{}", start + 1));
    assert!(verdict(&stage, &path, "reused")["remedy"].is_null());
    let path = write(&dir, "dead one.pid", &format!("{}\n", nobody()));
    let remedy = format!("rm -- '{}'", path.to_str().unwrap());
    assert_eq!(verdict(&stage, &path, "stale")["remedy"], remedy.as_str());
    assert!(path.exists());
}

#[test]
fn a_bare_pid_older_than_the_process_that_has_it_is_reused() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let stranger = stage.mkfds_in(&stage.make("elsewhere"), &["server"]);
    let path = write(&dir, "serve.pid", stranger.fact("server"));
    verdict(&stage, &path, "live");
    make_old(&path);
    let claim = verdict(&stage, &path, "reused");
    assert!(holds_number(&claim["holders"], stranger.number("server")));
    assert!(claim["remedy"].is_null());
    // A clock that is set makes a file look old; who works beside it may be meant all the same.
    let owner = stage.mkfds_in(&dir, &["server", "--database"]);
    let path = write(&dir, "serve.pid", owner.fact("server"));
    make_old(&path);
    verdict(&stage, &path, "live");
    // So may who has its name.
    let path = write(&dir, "mkfds.pid", stranger.fact("server"));
    make_old(&path);
    verdict(&stage, &path, "live");
}

#[test]
fn a_zombie_is_behind_nothing() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds(&["zombie"]);
    let path = write(&dir, "serve.pid", fixture.fact("zombie"));
    assert!(verdict(&stage, &path, "stale")["remedy"].is_null());
}

#[test]
fn an_empty_pid_file_is_in_progress_while_it_is_new() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let path = write(&dir, "serve.pid", "");
    verdict(&stage, &path, "in_progress");
    make_old(&path);
    verdict(&stage, &path, "corrupt");
    verdict(&stage, &write(&dir, "serve.pid", "what?"), "corrupt");
}

#[test]
fn a_port_file_is_live_only_if_somebody_listens_and_it_says_who() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["server"]);
    let port = fixture.number("port");
    for text in [
        format!("127.0.0.1:{port}\n"),
        port.to_string(),
        format!("http://localhost:{port}/"),
    ] {
        let claim = verdict(&stage, &write(&dir, "serve.port", &text), "live");
        assert!(
            holds_number(&claim["holders"], fixture.number("server")),
            "{claim:#}"
        );
    }
    // While one address has the port, no other program can take it for all of them.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = taken.local_addr().unwrap();
    let path = write(&dir, "serve.port", &format!("127.9.9.9:{}", free.port()));
    assert!(verdict(&stage, &path, "stale")["remedy"].is_null());
}

#[test]
fn a_lock_file_is_held_by_whoever_has_it_locked() {
    let stage = Stage::new();
    for kind in ["flock", "posix", "ofd"] {
        let dir = stage.make(kind);
        let fixture = stage.mkfds_in(&dir, &["lock-file", "--kind", kind]);
        let path = fixture.path("path");
        let claim = verdict(&stage, &path, "held");
        assert_eq!(claim["holders"][0]["pid"], fixture.pid(), "{claim:#}");
        assert_eq!(claim["holders"][0]["lock"], kind);
        fixture.victim.finish();
        verdict(&stage, &path, "free");
    }
}

#[test]
fn a_lock_file_of_another_kind_is_free_whatever_stands_in_it() {
    let stage = Stage::new();
    let dir = stage.make("project");
    verdict(
        &stage,
        &write(&dir, "yarn.lock", "# yarn lockfile v1\n"),
        "free",
    );
}

#[test]
fn a_stop_file_holds_for_its_time() {
    let stage = Stage::new();
    let dir = stage.make("state");
    // What incident 3 calls its own; it names who stops.
    let path = write(&dir, "serve.stopping.lock", &std::process::id().to_string());
    assert_eq!(verdict(&stage, &path, "in_progress")["kind"], "sentinel");
    make_old(&path);
    verdict(&stage, &path, "expired");
    let path = write(&dir, "serve.stop", "");
    verdict(&stage, &path, "in_progress");
    make_old(&path);
    verdict(&stage, &path, "expired");
    let scan = stage.scan(&["claims", "--json", "--ttl", "7200", path.to_str().unwrap()]);
    assert_eq!(scan.json()["claims"][0]["verdict"], "in_progress");
}

#[test]
fn a_claim_one_may_not_read_is_unknown_and_not_permitted() {
    if !is_root() {
        return support::skip("only root can make a file of another user");
    }
    let stage = Stage::unprivileged(60_251);
    let path = write(&stage.make("state"), "serve.pid", "1");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let scan = stage.scan_as_user(&["claims", "--json", path.to_str().unwrap()]);
    assert_eq!(scan.code(), 4, "{}", scan.stderr);
    assert_eq!(scan.json()["claims"][0]["verdict"], "unknown");
}

#[test]
fn a_lock_of_git_s_is_held_by_being_there() {
    let stage = Stage::new();
    let dir = stage.make("work");
    std::fs::create_dir(dir.join(".git")).unwrap();
    let path = write(&dir.join(".git"), "index.lock", "");
    verdict_once_closed(&stage, &path, "in_progress");
    make_old(&path);
    assert!(verdict_once_closed(&stage, &path, "unknown")["severity"].is_null());
    let open = File::open(&path).unwrap();
    verdict(&stage, &path, "held");
    drop(open);
}

/// In a container, or a sandbox, that shares a directory with what is outside of it.
#[test]
fn a_pid_that_may_be_one_of_another_pid_namespace_is_not_known_to_be_gone() {
    if !is_root() {
        return support::skip("needs root, to make a PID namespace");
    }
    let stage = Stage::new();
    let dir = stage.make("state");
    let script = "mount -t tmpfs none \"$1\" && echo \"$2\" >\"$1/serve.pid\" && exec \"$3\" claims \"$1/serve.pid\" --json";
    let mut inside = support::in_pid_namespace();
    inside.args(["sh", "-c", script, "sh"]).arg(&dir);
    inside.arg(nobody().to_string()).arg(fdscan_binary());
    let doc = Scan::run(&mut inside).json();
    let claim = &doc["claims"][0];
    assert_eq!(claim["verdict"], "unknown", "{claim:#}");
    assert!(claim["remedy"].is_null(), "{claim:#}");
}
