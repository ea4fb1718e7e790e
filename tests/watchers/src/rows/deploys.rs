//! Which watchers go through a deploy, and what is particular to them there.

use super::{all, go, native};
use crate::{Change, Deploy, Engine, Watcher};

/// Of a watcher of one directory.
const BELOW: &[Change] = &[Change::Package, Change::PackageRemoved];

/// Every row of the table of pauses.
pub fn deploys() -> Vec<Deploy> {
    let mut deploys: Vec<_> = all().into_iter().flat_map(deploys_of).collect();
    deploys.extend([&native::CLOSE_WRITE, &go::RECURSIVE].map(whole));
    deploys.extend(supervised());
    deploys
}

/// Those whose reads `watchfix run` judges: its supervisor withholds what they would hear.
fn supervised() -> Vec<Deploy> {
    let mut watchers = all();
    watchers.retain(|watcher| matches!(watcher.name, "chokidar-4" | "notify-8"));
    watchers.push(&go::RECURSIVE);
    let deploys = watchers.into_iter().map(|watcher| Deploy {
        engine: Engine::Seccomp,
        ..whole(watcher)
    });
    deploys.collect()
}

/// It watches the whole tree, and reports every change in one burst.
fn whole(watcher: &'static Watcher) -> Deploy {
    Deploy {
        watcher,
        engine: Engine::Bare,
        misses: &[],
        forgets: &[],
        rewrites_only: false,
        one: false,
        restarts: None,
        names_one: false,
        bursts: 1,
    }
}

fn deploys_of(watcher: &'static Watcher) -> Vec<Deploy> {
    let whole = whole(watcher);
    match watcher.name {
        "chokidar-3" | "chokidar-4" | "chokidar-6" | "vite-dev" | "watchdog-7" | "watchfiles"
        | "watchman" | "notify-8" | "notify-9" | "inotifywait" => {
            vec![whole]
        }
        // When a file ends it looks whether the path is there (lib/internal/fs/recursive_watch.js).
        "node-fs-watch-recursive" => vec![Deploy {
            forgets: &[Change::Remade, Change::Replaced],
            ..whole
        }],
        // It hands its reports over in batches.
        "parcel-watcher" => vec![Deploy { bursts: 2, ..whole }],
        // It builds while it hears of the rest, and only what is imported already.
        "webpack" => vec![Deploy {
            misses: &[Change::Added, Change::Package, Change::PackageRemoved],
            bursts: 2,
            ..whole
        }],
        "gio-monitor" => vec![Deploy {
            misses: BELOW,
            ..whole
        }],
        // It takes one change after the other, and is deaf for moments while it restarts.
        "nodemon" => vec![
            Deploy {
                misses: &[Change::Added, Change::Package],
                names_one: true,
                restarts: Some("starting `true`"),
                bursts: usize::MAX,
                ..whole
            },
            // The end of each file that is replaced is heard nevertheless.
            Deploy {
                rewrites_only: true,
                one: true,
                restarts: Some("starting `true`"),
                names_one: true,
                ..self::whole(watcher)
            },
        ],
        // It ends when one of its files is removed.
        "entr" => vec![Deploy {
            rewrites_only: true,
            restarts: Some("changed\t"),
            names_one: true,
            misses: BELOW,
            ..whole
        }],
        _ => Vec::new(),
    }
}
