// The `notify` crate's recommended watcher, recursive, on the directory given.
// One line per path of an event, `KIND<TAB>PATH`. Ends when its standard input is closed.

use std::io::Write;

use notify::{RecursiveMode, Watcher};

fn say(line: &str) {
    // The reader may be gone already when the test ends; there is nobody left to tell.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args_os()
        .nth(1)
        .ok_or("a directory is missing")?;
    let mut watcher =
        notify::recommended_watcher(|event: notify::Result<notify::Event>| match event {
            Ok(event) => {
                for path in &event.paths {
                    say(&format!("{:?}\t{}", event.kind, path.display()));
                }
            }
            Err(error) => say(&format!("ERROR {error}")),
        })?;
    watcher.watch(dir.as_ref(), RecursiveMode::Recursive)?;
    say("READY");
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
    drop(watcher);
    say("STOPPED");
    Ok(())
}
