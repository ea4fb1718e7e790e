//! Programs that use SQLite as they should.

use healthy::{Stage, must_be_healthy, script};

use crate::or_skip;

fn readers(how: &str) {
    let stage = Stage::new();
    let mut app = or_skip!(stage.tool("python3"));
    let mut app = stage.start(app.arg(script("readers.py")).arg(how));
    app.victim.line_with("WORKING");
    must_be_healthy(&app);
}

#[test]
fn a_writer_and_eight_readers_in_one_process() {
    readers("threads");
}

#[test]
fn a_writer_and_eight_readers_in_processes_of_their_own() {
    readers("processes");
}

#[test]
fn a_pool_of_forty_connections() {
    let stage = Stage::new();
    let mut app = or_skip!(stage.tool("watchfix-python"));
    let mut app = stage.start(app.arg(script("pool.py")));
    app.victim.line_with("WORKING");
    must_be_healthy(&app);
}
