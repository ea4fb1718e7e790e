//! Claims in the directories that a process uses: PID, port and stop files. They are read and nothing else.

use super::arguments::Started;
use super::kernel::Kernel;
use super::process::Listed;
use crate::formats::claims::content::{self, Content};
use crate::formats::claims::places::{is_shared, written};
use crate::formats::claims::{claim, kind_of, verdicts};
use crate::formats::secrets;
use crate::model::{Claim, ClaimHolder, ClaimKind, CommandLine, Name, Place, Process, Verdict};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

/// How many entries of one directory are read.
const ENTRIES: usize = 4096;
/// How many claims are judged.
const CLAIMS: usize = 32;
/// Directories of a Mac that everybody puts claims into.
const SHARED: &[&[u8]] = &[
    b"/private/tmp",
    b"/private/var/tmp",
    b"/private/var/run",
    b"/private/var/log",
    b"/private/etc",
    b"/Users",
    b"/Volumes",
    b"/Library",
];

/// Judges the claims where the process keeps its state.
pub fn of_process(kernel: &impl Kernel, process: &Process) -> Vec<Claim> {
    let surroundings = &process.surroundings;
    let mut places = written(&process.descriptors, &surroundings.listeners);
    if let Some(cwd) = &surroundings.cwd {
        places.entry(cwd.clone()).or_insert(Place::Working);
    }
    places.retain(|directory, _| {
        let directory = directory.as_bytes();
        !is_shared(directory) && !SHARED.contains(&directory)
    });
    let paths = places.iter().flat_map(|(directory, place)| {
        names(directory).into_iter().map(move |path| (path, *place))
    });
    paths
        .filter_map(|(path, place)| {
            let claim = judge(kernel, process, path).ok()?;
            Some(Claim { place, ..claim })
        })
        .take(CLAIMS)
        .collect()
}

/// Paths in a directory that are called like claims.
fn names(directory: &Name) -> Vec<Name> {
    let list = fs::read_dir(OsStr::from_bytes(directory.as_bytes()));
    let entries = list.into_iter().flatten().take(ENTRIES).flatten();
    let claims = entries.filter(|entry| {
        kind_of(entry.file_name().as_bytes()).is_some()
            && entry.file_type().is_ok_and(|kind| kind.is_file())
    });
    let mut paths: Vec<Name> = claims
        .map(|entry| entry.path().as_os_str().as_bytes().into())
        .collect();
    paths.sort();
    paths
}

fn judge(kernel: &impl Kernel, process: &Process, path: Name) -> io::Result<Claim> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
    let file: File = options.open(Path::new(OsStr::from_bytes(path.as_bytes())))?;
    let written = file.metadata()?.modified()?;
    let mut text = Vec::new();
    file.take(content::MOST_BYTES).read_to_end(&mut text)?;
    let mut claim = claim(path, Verdict::Unknown, String::new());
    // A file with a time in the future is new.
    let age = SystemTime::now().duration_since(written);
    claim.age_seconds = Some(age.unwrap_or_default().as_secs());
    decide(kernel, process, &mut claim, &content::parse(&text));
    claim.severity = claim.verdict.severity();
    Ok(claim)
}

fn decide(kernel: &impl Kernel, process: &Process, claim: &mut Claim, found: &Content) {
    match (claim.kind, found.process(), found.address()) {
        (ClaimKind::Sentinel, ..) => verdicts::sentinel(claim, verdicts::TTL),
        (ClaimKind::Port, _, Some((host, port))) => self::port(process, claim, host, port),
        (ClaimKind::Port, ..) if *found == Content::Empty => verdicts::empty(claim, verdicts::TTL),
        (ClaimKind::Port, ..) => verdicts::names_nothing(claim),
        (_, Some((pid, start)), _) => of_pid(kernel, claim, pid, start),
        (ClaimKind::Pid, ..) if *found == Content::Empty => verdicts::empty(claim, verdicts::TTL),
        (ClaimKind::Pid, ..) => verdicts::names_nothing(claim),
        _ => claim.why = "macOS has no list of locks: who holds it is not seen.".into(),
    }
}

fn of_pid(kernel: &impl Kernel, claim: &mut Claim, pid: u32, start: Option<&str>) {
    claim.pid = Some(pid);
    claim.start = start.map(Name::from);
    let listed = match Listed::ask(kernel, pid) {
        Ok(listed) if !listed.is_zombie() => listed,
        Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
            claim.why = format!("Whether process {pid} runs is not seen.");
            return;
        }
        _ => {
            claim.verdict = Verdict::Stale;
            claim.why = format!("Process {pid} does not exist.");
            return;
        }
    };
    claim.holders.push(holder(kernel, &listed));
    let same = listed
        .start
        .and_then(|(began, _)| verdicts::start_fits(start?, began, None));
    verdicts::of_running(claim, pid, same, None);
}

fn holder(kernel: &impl Kernel, listed: &Listed) -> ClaimHolder {
    let words = Started::ask(kernel, listed.pid).map(|started| secrets::hide(started.arguments));
    ClaimHolder {
        pid: listed.pid,
        command: CommandLine::of(words.unwrap_or_default(), Some(listed.name.clone())),
        lock: None,
    }
}

/// A port is looked for among the listeners of this process alone.
fn port(process: &Process, claim: &mut Claim, host: Option<&str>, port: u16) {
    let address = match host {
        Some(host) => format!("{host}:{port}"),
        None => port.to_string(),
    };
    claim.address = Some(address.as_str().into());
    let mut listeners = process.surroundings.listeners.iter();
    if !listeners.any(|listener| listener.port == Some(port)) {
        claim.why = format!(
            "This process does not listen on port {port}; whether another one does is not looked at on macOS."
        );
        return;
    }
    claim.verdict = Verdict::Live;
    claim.why = format!("This process listens on port {port}.");
    claim.holders.push(ClaimHolder {
        pid: process.pid,
        command: CommandLine::of(
            process.cmdline.clone().unwrap_or_default(),
            process.comm.clone(),
        ),
        lock: None,
    });
}
