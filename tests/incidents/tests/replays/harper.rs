//! Incident 2: every file of a deploy restarts Harper's workers, and every restart doubles their watches.

use std::time::Instant;

use incidents::harper::{
    Deploy, FILES, Harper, Packages, Paused, Site, Under, WORKERS, is_in_modules, limits_work,
};
use incidents::{Part, Table};
use serde_json::Value;

use crate::common;

const DROP: &str = "**/node_modules";

#[test]
fn a_deploy_restarts_the_workers_and_doubles_their_watches_until_node_modules_are_dropped() {
    let mut table = Table::new("2 Harper");
    if let Err(why) = replay(&mut table) {
        return support::skip(&why);
    }
    table.print();
}

fn replay(table: &mut Table) -> Result<(), String> {
    bare(table)?;
    match limits_work() {
        Ok(()) => at_the_limit(table)?,
        Err(why) => support::skip(&format!("the part with a limit: {why}")),
    }
    strip(table)?;
    drop_by_preload(table)?;
    drop_by_run(table)?;
    drop_by_heal(table)?;
    budget(table)
}

fn bare(table: &mut Table) -> Result<(), String> {
    let site = Site::new(Packages::Added);
    let mut harper = Harper::start(&site, &Under::Bare, None)?;
    let normal = harper.watches();
    assert_eq!(normal.instances, WORKERS);
    assert_eq!(normal.watches, site.watches());
    table.row(
        Part::Bare,
        format!("{WORKERS} workers watch"),
        format!("{} watches, {} instances", normal.watches, normal.instances),
    );

    assert_eq!(harper.begin_restart(), 0);
    let doubled = harper.watches();
    assert_eq!(doubled.instances, 2 * normal.instances);
    assert_eq!(doubled.watches, 2 * normal.watches);
    table.row(
        Part::Bare,
        "one file edited: new workers beside the old",
        format!(
            "{} watches, {} instances",
            doubled.watches, doubled.instances
        ),
    );
    harper.end_restart();

    let deploy = harper.deploy(true);
    assert_storm(&deploy, normal.watches);
    row(
        table,
        Part::Bare,
        format!("a deploy of {FILES} files, packages added"),
        &deploy,
    );

    let site = Site::new(Packages::Replaced);
    let deploy = Harper::start(&site, &Under::Bare, None)?.deploy(true);
    assert_storm(&deploy, normal.watches);
    row(
        table,
        Part::Bare,
        format!("a deploy of {FILES} files, packages replaced"),
        &deploy,
    );
    Ok(())
}

/// Each component has its packages and its own files, and the server is waited for after both.
fn assert_storm(deploy: &Deploy, normal: usize) {
    assert!(deploy.restarts >= 4, "{}", deploy.restarts);
    assert!(deploy.in_modules > 0);
    assert!(deploy.peak > normal, "{}", deploy.peak);
}

fn at_the_limit(table: &mut Table) -> Result<(), String> {
    let product = common::product();
    let site = Site::new(Packages::Added);
    let normal = site.watches();
    let limit = normal * 3 / 2;
    let mut harper = Harper::start(&site, &Under::Bare, Some(limit))?;
    let pid = harper.pid().to_string();
    let process = product.fdscan_json(harper.pid());
    common::no_finding(&process, "watch-limit-near");

    let refused = harper.begin_restart();
    assert_eq!(harper.watches().watches, limit);
    assert!(refused > 0);
    table.row(
        Part::Bare,
        format!("with a limit of {limit} watches: one file edited"),
        format!("{refused} times ENOSPC"),
    );
    let process = product.fdscan_json(harper.pid());
    let finding = common::finding(&process, "watch-limit-near");
    assert_eq!(finding["severity"], "critical");
    assert_eq!(finding["evidence"]["watches"], limit);
    assert_eq!(finding["evidence"]["limit"], limit);
    assert_eq!(finding["evidence"]["own"], limit);
    let message = finding["message"].as_str().unwrap();
    table.row(Part::Diagnosis, "`fdscan PID` meanwhile", message);
    let remedy = finding["remedy"].as_str().unwrap();
    table.row(
        Part::Diagnosis,
        "what it says to type",
        format!("`{remedy}`"),
    );
    let top = product.fdscan(&["top", "--name", "node", "--sort", "watches", "--json"]);
    let top: Value = serde_json::from_str(&top).unwrap();
    let users = top["users"].as_array().unwrap();
    let user = users.iter().find(|u| u["max_watches"] == limit);
    let user = user.unwrap_or_else(|| panic!("nobody with that limit in {users:#?}"));
    assert_eq!(user["watches"], limit);
    let rows = top["processes"].as_array().unwrap();
    let row = rows.iter().find(|r| r["pid"] == harper.pid()).unwrap();
    assert_eq!(row["watches"], limit);
    assert!(row["findings"].as_array().unwrap().iter().any(|f| {
        (f["code"].as_str(), f["severity"].as_str()) == (Some("watch-limit-near"), Some("critical"))
    }));
    table.row(
        Part::Diagnosis,
        "`fdscan top` meanwhile",
        format!(
            "user {} has {limit} of {limit} watches, PID {pid} all of them",
            user["uid"]
        ),
    );

    harper.end_restart();
    let left = harper.watches().watches;
    assert!(left < normal, "{left}");
    let process = product.fdscan_json(harper.pid());
    common::no_finding(&process, "watch-limit-near");
    table.row(
        Part::Diagnosis,
        "after that restart",
        format!("{left} of {normal} watches: changes in the rest are missed, and nothing says so"),
    );
    Ok(())
}

fn strip(table: &mut Table) -> Result<(), String> {
    let site = Site::new(Packages::Added);
    let mut harper = Harper::start(&site, &Under::Preload(&[]), None)?;
    let deploy = harper.deploy(true);
    row(
        table,
        Part::Remedy,
        "the preload's defaults (strip), packages added",
        &deploy,
    );
    Ok(())
}

fn drop_by_preload(table: &mut Table) -> Result<(), String> {
    let rules = [("WATCHFIX_DROP", DROP)];
    let what = format!("the preload, `WATCHFIX_DROP='{DROP}'`");
    dropped(table, &what, &Under::Preload(&rules))?;

    // chokidar watches every file, and a watch always reports the end of its own file.
    let site = Site::new(Packages::Replaced);
    let deploy = Harper::start(&site, &Under::Preload(&rules), None)?.deploy(true);
    assert!(deploy.in_modules > 0);
    row(
        table,
        Part::Remedy,
        format!("{what}, packages replaced"),
        &deploy,
    );
    Ok(())
}

fn drop_by_run(table: &mut Table) -> Result<(), String> {
    let arguments = ["--engine", "seccomp", "--drop", DROP];
    let what = format!("`watchfix run --engine seccomp --drop '{DROP}'`");
    dropped(table, &what, &Under::Run(&arguments))
}

/// Nothing in `node_modules` restarts anything, and a restart doubles the watches as before.
fn dropped(table: &mut Table, what: &str, under: &Under<'_>) -> Result<(), String> {
    let site = Site::new(Packages::Added);
    let mut harper = Harper::start(&site, under, None)?;
    let normal = harper.watches().watches;
    // A muted watch is one in the kernel's count.
    assert_eq!(normal, site.watches());
    harper.begin_restart();
    assert_eq!(harper.watches().watches, 2 * normal);
    harper.end_restart();

    let deploy = harper.deploy(false);
    assert_eq!(deploy.in_modules, 0);
    assert!(deploy.restarts >= 2, "{}", deploy.restarts);
    row(
        table,
        Part::Remedy,
        format!("{what}, packages added"),
        &deploy,
    );

    Ok(())
}

fn drop_by_heal(table: &mut Table) -> Result<(), String> {
    let site = Site::new(Packages::Added);
    let mut harper = Harper::start(&site, &Under::Bare, None)?;
    let _heal = match harper.heal_and_follow(DROP) {
        Ok(heal) => heal,
        Err(why) => {
            support::skip(&format!("the part with heal: {why}"));
            return Ok(());
        }
    };
    let quiet = harper.install_and_edit(0);
    assert!(!quiet.iter().any(|line| is_in_modules(line)), "{quiet:#?}");

    // The workers are others now, with other watches.
    let start = Instant::now();
    harper.wait_until_modules_are_muted();
    let took = start.elapsed();
    let quiet = harper.install_and_edit(1);
    assert!(!quiet.iter().any(|line| is_in_modules(line)), "{quiet:#?}");
    table.row(
        Part::Remedy,
        format!("`watchfix heal --drop '{DROP}' --follow PID`"),
        format!("nothing in `node_modules` is noticed; after a restart again once new watches are healed, here {took:.1?} later"),
    );
    Ok(())
}

fn budget(table: &mut Table) -> Result<(), String> {
    let site = Site::new(Packages::Added);
    let normal = site.watches();
    let (budget, limit) = (normal * 5 / 4, normal * 3 / 2);
    let text = budget.to_string();
    let rules = [("WATCHFIX_MAX_WATCHES", text.as_str())];
    let limit = limits_work().is_ok().then_some(limit);
    let mut harper = Harper::start(&site, &Under::Preload(&rules), limit)?;
    assert_eq!(harper.watches().watches, normal);
    assert_eq!(harper.begin_restart(), 0);
    assert_eq!(harper.watches().watches, budget);
    harper.end_restart();
    let left = harper.watches().watches;
    table.row(
        Part::Remedy,
        format!("`WATCHFIX_MAX_WATCHES={budget}`, one file edited"),
        format!("{budget} watches at most, no ENOSPC; after that restart {left} of {normal} fire"),
    );
    Ok(())
}

#[test]
fn a_paused_deploy_restarts_the_workers_once_and_afterwards() {
    let mut table = Table::new("2 Harper, paused");
    if let Err(why) = paused(&mut table) {
        return support::skip(&why);
    }
    table.print();
}

/// One restart after the deploy, whatever becomes of watchfix meanwhile.
fn paused(table: &mut Table) -> Result<(), String> {
    for (with, packages, what) in [
        (
            Paused::Once,
            Packages::Added,
            "`watchfix pause SITE -- DEPLOY`, packages added",
        ),
        (
            Paused::Once,
            Packages::Replaced,
            "the same, packages replaced",
        ),
        (Paused::Twice, Packages::Added, "two pauses that overlap"),
        (
            Paused::KilledWatchfix,
            Packages::Added,
            "kill -9 of watchfix meanwhile",
        ),
        (
            Paused::KilledBoth,
            Packages::Added,
            "kill -9 of both, then `watchfix pause --list`",
        ),
    ] {
        let site = Site::new(packages);
        let mut harper = Harper::start(&site, &Under::Bare, None)?;
        let (deploy, meanwhile) = harper.deploy_paused(with);
        assert_eq!(
            (deploy.restarts, meanwhile),
            (1, 0),
            "{with:?} {packages:?}: {}",
            harper.said()
        );
        assert_eq!(harper.muted(), 0, "{with:?}");
        row(table, Part::Remedy, what, &deploy);
    }
    Ok(())
}

fn row(table: &mut Table, part: Part, what: impl std::fmt::Display, deploy: &Deploy) {
    let Deploy {
        restarts,
        changes,
        in_modules,
        peak,
        elapsed,
        ..
    } = deploy;
    table.row(
        part,
        what,
        format!("{restarts} restarts in {elapsed:.1?}, {changes} changes noticed, {in_modules} of them in `node_modules`, {peak} watches at most"),
    );
}
