//! Incident 1 with `uv run` as the command: one edit, one run, whatever the watcher is started with.

use incidents::uv::{Project, Tools, Watcher};
use incidents::{Part, Table, Way};

use crate::common;

#[test]
fn a_command_by_uv_run_runs_once_for_one_edit() {
    let tools = match Tools::find() {
        Ok(tools) => tools,
        Err(why) => return support::skip(&why),
    };
    let product = common::product();
    let mut table = Table::new("1 apx, uv run");
    for way in [
        Way::Bare,
        Way::Preload,
        Way::Run,
        Way::RunSeccomp,
        Way::Heal,
    ] {
        // The test harness shows it with a failure.
        println!("{way}");
        let project = Project::new(&tools);
        let mut watcher = Watcher::start(&product, &tools, &project, way);
        if way == Way::Heal && common::heal(&product, watcher.pid()).is_none() {
            continue;
        }
        let seen = watcher.edit();
        for (name, runs) in &seen {
            assert_eq!(runs, &[*name], "{seen:#?}");
        }
        watcher.end();
        let part = match way {
            Way::Bare => Part::Bare,
            _ => Part::Remedy,
        };
        table.row(
            part,
            way,
            format!("{} edits: {} runs", seen.len(), seen.len()),
        );
    }
    table.print();
}
