//! The descendants of a process.

use crate::gather::inotify::watches::masks_of;
use crate::gather::process::processes::Processes;
use crate::gather::subject::proc_dir::ProcDir;
use std::collections::HashMap;
use std::io;

/// The PIDs below `ancestor`, parents before their children. It reads the parent of every process, because the lists of
/// children in /proc depend on a kernel option and may miss some children while others end.
///
/// # Errors
/// The errno of listing /proc.
pub fn descendants(ancestor: u32) -> io::Result<Vec<u32>> {
    if is_childless(ancestor) {
        return Ok(Vec::new());
    }
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in Processes::open()?.pids()? {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![ancestor];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        found.extend(children.remove(pid).unwrap_or_default());
        at += 1;
    }
    found.remove(0);
    Ok(found)
}

/// Whether a process certainly has no child: /proc/PID/task/TID/children is empty for each thread
/// (proc_pid_children(5)).
fn is_childless(pid: u32) -> bool {
    // With more threads than this, reading all processes is as fast.
    const THREADS: usize = 64;
    let Ok(dir) = ProcDir::open(pid) else {
        return false;
    };
    let threads = dir.threads(THREADS).unwrap_or_default();
    let none = |tid: &u32| {
        let list = dir.read(&format!("task/{tid}/children"));
        list.is_ok_and(|list| list.is_empty())
    };
    (1..=THREADS).contains(&threads.len()) && threads.iter().all(none)
}

/// Whether `ancestor` is above a process. A process that has ended has no ancestors.
pub fn is_descendant(pid: u32, ancestor: u32) -> bool {
    // Chains are short. The bound prevents an endless loop if a process gets another parent meanwhile.
    const DEEPEST: usize = 64;
    let up = std::iter::successors(parent(pid), |&pid| parent(pid));
    up.take(DEEPEST).any(|pid| pid == ancestor)
}

fn parent(pid: u32) -> Option<u32> {
    ProcDir::open(pid).ok()?.parent()
}

/// The processes that watch something among the first `most` descendants of a process. If the process is a shell or
/// npm, one of these is the one that loops. Each is read only when the iterator reaches it.
pub fn watching(pid: u32, most: usize) -> impl Iterator<Item = u32> {
    let below = descendants(pid).unwrap_or_default().into_iter();
    below
        .take(most)
        .filter(|&pid| masks_of(pid).is_some_and(|masks| !masks.is_empty()))
}

/// The first descendant of `pid` that watches something, and how many more there are.
pub fn watching_below(pid: u32) -> Option<(u32, usize)> {
    let mut watching = watching(pid, usize::MAX);
    Some((watching.next()?, watching.count()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, Write};
    use std::process::{Command, Stdio};

    #[test]
    fn a_grandchild_comes_after_its_parent() {
        // A shell with more to do does not replace itself with the program it starts.
        let mut shell = Command::new("sh")
            .args(["-c", "cat; true"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        let mut output = io::BufReader::new(shell.stdout.take().unwrap());
        // The echoed line shows that cat is running.
        writeln!(input, "x").unwrap();
        output.read_line(&mut String::new()).unwrap();
        let found = descendants(std::process::id()).unwrap();
        let cat = descendants(shell.id()).unwrap();
        assert_eq!(cat.len(), 1);
        let place = |pid| found.iter().position(|&found| found == pid).unwrap();
        assert!(place(shell.id()) < place(cat[0]));
        assert!(descendants(cat[0]).unwrap().is_empty());
        drop(input);
        shell.wait().unwrap();
    }
}
