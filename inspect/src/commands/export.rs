//! `fdscan export`

use super::complain;
use inspect::Exit;
use inspect::cli::{ExportArgs, TargetArgs};
use inspect::export;
use inspect::gather::{Named, Selection};
use inspect::model::Failure;
use inspect::render::Guard;
use inspect::targets::Found;
use inspect::words::sanitize;
use std::io::{self, Write};
use std::net::SocketAddr;

/// Exports once, or answers scrapers until a signal comes.
pub fn export(args: &ExportArgs) -> Exit {
    match args.listen {
        Some(address) => serve(address, args),
        None => once(args),
    }
}

/// Those that are meant now: a name may be another process's by the next time.
fn select(
    processes: &TargetArgs,
    names: &[String],
    all: bool,
) -> Result<(Selection, Vec<Failure>), String> {
    if all {
        return Ok((Selection::default(), Vec::new()));
    }
    let found = match processes.is_empty() {
        true => Found::default(),
        false => processes.find(&|_| None)?,
    };
    let named = Named {
        names: names.to_vec(),
        pids: found.pids,
    };
    let selection = Selection {
        uid: None,
        named: Some(named),
    };
    Ok((selection, found.failures))
}

fn once(args: &ExportArgs) -> Exit {
    let (selection, failures) = match select(&args.processes, &args.name, args.all) {
        Ok(selected) => selected,
        Err(why) => {
            complain(&sanitize(&why));
            return Exit::Usage;
        }
    };
    for failure in &failures {
        complain(&failure.why);
    }
    let exported = match export::export(&selection, args.max_processes) {
        Ok(exported) => exported,
        Err(e) => {
            complain(&format!("/proc cannot be listed: {e}"));
            return Exit::NotPermitted;
        }
    };
    let (what, written) = match &args.output {
        Some(path) => (
            path.display().to_string(),
            export::replace(path, &exported.text),
        ),
        None => {
            let mut to = Guard::new(io::stdout().lock());
            let written = to.write_all(exported.text.as_bytes());
            ("standard output".into(), written.and_then(|()| to.flush()))
        }
    };
    match written {
        // The reader has seen enough.
        Err(e) if args.output.is_none() && e.kind() == io::ErrorKind::BrokenPipe => {}
        Err(e) => {
            complain(&format!("{} could not be written: {e}", sanitize(&what)));
            return Exit::Usage;
        }
        Ok(()) => {}
    }
    let asked = !args.processes.is_empty() || !args.name.is_empty();
    if asked && exported.processes == 0 {
        complain("no process matches: there are series for users and limits alone");
        return Exit::NoProcess;
    }
    Exit::Done
}

fn serve(address: SocketAddr, args: &ExportArgs) -> Exit {
    let (processes, named, all) = (args.processes.clone(), args.name.clone(), args.all);
    let select = move || Ok(select(&processes, &named, all)?.0);
    let (names, most) = (args.allow_host.clone(), args.max_processes);
    let ready = |address| complain(&format!("listening at http://{address}/metrics"));
    if let Err(e) = export::serve(address, names, select, most, ready) {
        complain(&format!("cannot listen at {address}: {e}"));
    }
    Exit::Usage
}
