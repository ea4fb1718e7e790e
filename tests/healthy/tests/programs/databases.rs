//! Database servers.

use std::path::PathBuf;

use healthy::{Stage, must_be_healthy};

use crate::or_skip;

/// Debian keeps each version's programs apart.
fn postgres_programs() -> Result<PathBuf, String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let mut found: Vec<_> = versions
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|programs| programs.join("initdb").is_file())
        .collect();
    found.sort();
    found
        .pop()
        .ok_or_else(|| "no postgres: scripts/install-test-tools says why".to_owned())
}

#[test]
fn postgres_with_forty_connections_of_pgbench() {
    let programs = or_skip!(postgres_programs());
    // It will not run as root, nor as a user without a name.
    let stage = or_skip!(Stage::named_user("postgres"));
    let data = stage.dir().join("data");
    let mut initdb = stage.command(&programs.join("initdb"));
    stage.run(
        initdb
            .args(["--auth=trust", "--no-sync", "-U", "test", "-D"])
            .arg(&data),
    );
    let mut server = stage.command(&programs.join("postgres"));
    server.arg("-D").arg(&data).arg("-k").arg(stage.dir());
    server.args(["-c", "listen_addresses=", "-c", "autovacuum_naptime=1s"]);
    let server = stage.start(&mut server);
    let client = |name: &str| {
        let mut client = stage.command(&programs.join(name));
        client.arg("-h").arg(stage.dir()).args(["-U", "test"]);
        client
    };
    server.wait_until("it takes no connections", || {
        let asked = client("pg_isready").output();
        asked.is_ok_and(|asked| asked.status.success())
    });
    stage.run(client("pgbench").args(["-i", "-s", "2", "postgres"]));
    let mut load = client("pgbench");
    load.args([
        "-c", "40", "-j", "2", "-R", "200", "-T", "600", "-P", "1", "postgres",
    ]);
    let mut load = stage.start(&mut load);
    load.victim.line_with("progress:");
    must_be_healthy(&server);
    must_be_healthy(&load);
}

#[test]
fn redis_with_an_append_only_file_and_fifty_clients() {
    let stage = Stage::own_user(60_300);
    let port = support::free_port();
    let mut server = or_skip!(stage.tool("redis-server"));
    server.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    // It saves while it is written to, by a child.
    server.args(["--appendonly", "yes", "--save", "1 1"]);
    let server = stage.start(&mut server);
    server.wait_for_port(port);
    let mut load = or_skip!(stage.tool("redis-benchmark"));
    load.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    load.args(["-l", "-c", "50", "-n", "20000", "-q", "-t", "set,get,lpush"]);
    let mut load = stage.start(&mut load);
    load.victim.line_with("requests per second");
    must_be_healthy(&server);
    assert!(load.is_running());
}
