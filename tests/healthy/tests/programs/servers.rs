//! Servers that answer requests, take messages, or keep others running.

use healthy::{Program, Stage, must_be_healthy, script};

use crate::or_skip;

/// Asks for a page again and again, by connections that are kept.
fn asks<'a>(stage: &'a Stage, port: u16) -> Result<Program<'a>, String> {
    let mut load = stage.tool("python3")?;
    load.arg(script("load.py"));
    let mut load = stage.start(load.arg(format!("http://127.0.0.1:{port}/")));
    load.victim.line_with("LOADED");
    Ok(load)
}

#[test]
fn nginx_that_serves_files_and_is_a_proxy_of_itself() {
    // As root it gives its workers another user.
    let stage = Stage::new();
    let (port, behind) = (support::free_port(), support::free_port());
    stage.make("pages");
    stage.write("pages/index.html", &"<p>text</p>\n".repeat(1000));
    let text = format!(
        "daemon off; pid nginx.pid; error_log error.log; worker_processes 4;
events {{ worker_connections 256; }}
http {{
    access_log access.log;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    open_file_cache max=100;
    upstream behind {{ server 127.0.0.1:{behind}; keepalive 8; }}
    server {{ listen 127.0.0.1:{behind}; root pages; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}
    }}
}}
"
    );
    let configuration = stage.write("nginx.conf", &text);
    let mut nginx = or_skip!(stage.tool("nginx"));
    nginx
        .arg("-p")
        .arg(stage.dir())
        .arg("-c")
        .arg(configuration);
    nginx.args(["-e", "error.log"]);
    let nginx = stage.start(&mut nginx);
    nginx.wait_for_port(port);
    let load = or_skip!(asks(&stage, port));
    must_be_healthy(&nginx);
    must_be_healthy(&load);
}

#[test]
fn rsyslogd_that_takes_messages_and_follows_a_file() {
    let stage = Stage::new();
    let dir = stage.dir().display().to_string();
    stage.make("spool");
    stage.write("app.log", "begun\n");
    let text = format!(
        "module(load=\"imuxsock\" SysSock.Use=\"off\")
module(load=\"imfile\" mode=\"inotify\")
global(workDirectory=\"{dir}/spool\")
input(type=\"imuxsock\" Socket=\"{dir}/log\")
input(type=\"imfile\" File=\"{dir}/app.log\" Tag=\"app\")
*.* action(type=\"omfile\" file=\"{dir}/all.log\")
"
    );
    let configuration = stage.write("rsyslog.conf", &text);
    let mut rsyslogd = or_skip!(stage.tool("rsyslogd"));
    rsyslogd.arg("-n").arg("-f").arg(configuration);
    let rsyslogd = stage.start(rsyslogd.arg("-i").arg(stage.dir().join("pid")));
    let says = "while logger --socket log said && echo written >>app.log; do sleep 0.02; done";
    let mut load = or_skip!(stage.tool("sh"));
    let log = stage.dir().join("log");
    rsyslogd.wait_until("it has no socket", || log.exists());
    let load = stage.start(load.args(["-c", says]));
    let all = stage.dir().join("all.log");
    rsyslogd.wait_until("it keeps no messages", || {
        let text = std::fs::read_to_string(&all).unwrap_or_default();
        text.contains("said") && text.contains("written")
    });
    must_be_healthy(&rsyslogd);
    assert!(load.is_running());
}

fn gunicorn(arguments: &[&str]) {
    let stage = Stage::new();
    let port = support::free_port();
    let mut gunicorn = or_skip!(stage.tool("watchfix-python"));
    gunicorn.args(["-m", "gunicorn", "--workers", "4", "--chdir"]);
    gunicorn
        .arg(stage.dir())
        .arg("--pythonpath")
        .arg(script(""));
    gunicorn.args([
        "--bind",
        &format!("127.0.0.1:{port}"),
        "--pid",
        "gunicorn.pid",
    ]);
    gunicorn.args(["--access-logfile", "access.log"]);
    let gunicorn = stage.start(gunicorn.args(arguments).arg("served:app"));
    gunicorn.wait_for_port(port);
    let load = or_skip!(asks(&stage, port));
    must_be_healthy(&gunicorn);
    assert!(load.is_running());
}

#[test]
fn gunicorn_with_workers_that_serve_one_request_at_a_time() {
    gunicorn(&[]);
}

#[test]
fn gunicorn_with_threads_that_keep_connections() {
    gunicorn(&["--worker-class", "gthread", "--threads", "4"]);
}

#[test]
fn supervisord_and_what_it_keeps_running() {
    let stage = Stage::new();
    let (port, other) = (support::free_port(), support::free_port());
    let text = format!(
        "[supervisord]
nodaemon=true
logfile=supervisord.log
pidfile=supervisord.pid
childlogdir=.
[unix_http_server]
file=supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:pages]
command=python3 -m http.server --bind 127.0.0.1 {port}
[program:others]
command=python3 -m http.server --bind 127.0.0.1 {other}
[program:tail]
command=tail -F supervisord.log
[program:waits]
command=sleep 1000
numprocs=2
process_name=%(program_name)s_%(process_num)s
"
    );
    let configuration = stage.write("supervisord.conf", &text);
    let mut supervisord = or_skip!(stage.tool("watchfix-python"));
    supervisord.args(["-m", "supervisor.supervisord", "-c"]);
    let supervisord = stage.start(supervisord.arg(configuration));
    supervisord.wait_for_port(port);
    supervisord.wait_for_port(other);
    let load = or_skip!(asks(&stage, port));
    must_be_healthy(&supervisord);
    assert!(load.is_running());
}
