//! Finds processes by the names that people use for them.

use crate::gather::process::processes::{Processes, are_hidden};
use crate::gather::process::{program, status};
use crate::gather::servers::process_tree::living;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Name, of_title};
use std::io;

/// The largest number of similar names.
const ALIKE: usize = 3;

/// The processes with a name.
#[derive(Debug, Default)]
pub struct NamedProcesses {
    /// The processes, in ascending order. Processes that have ended are included only if no other has the name.
    pub pids: Vec<u32>,
    /// If there is no such process: names of others that contain the requested one, each once.
    pub alike: Vec<Name>,
    /// Whether processes may be hidden from this user.
    pub others_are_hidden: bool,
}

/// Finds processes called `name`: the name of the main thread, the program or the script, the name it was started by,
/// or the title that it set. A name with a `/` is the path of one of these.
///
/// # Errors
/// The errno of opening or listing /proc.
pub fn called(name: &Name) -> io::Result<NamedProcesses> {
    let mut found = NamedProcesses::default();
    let mut ended = Vec::new();
    let pids = Processes::open()?.pids()?;
    found.others_are_hidden = are_hidden(&pids);
    for pid in pids {
        let Ok(dir) = ProcDir::open(pid) else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        let names = names(&dir);
        if names.iter().any(|own| is(own, name)) {
            match living(pid) {
                Some(_) => found.pids.push(pid),
                None => ended.push(pid),
            }
        } else if let Some(own) = names
            .iter()
            .find(|own| contains(own.base(), name.as_bytes()))
        {
            let own = Name::from(own.base());
            if found.alike.len() < ALIKE && !found.alike.contains(&own) {
                found.alike.push(own);
            }
        }
    }
    if found.pids.is_empty() {
        found.pids = ended;
    }
    Ok(found)
}

/// Whether one of a process's names contains one of `parts`. A part with a `/` is compared with paths.
pub fn has_part(dir: &ProcDir, parts: &[String]) -> bool {
    let within = |own: &Name, part: &str| {
        let own = match part.contains('/') {
            true => own.as_bytes(),
            false => own.base(),
        };
        own.windows(part.len().max(1))
            .any(|window| window == part.as_bytes())
    };
    !parts.is_empty()
        && names(dir)
            .iter()
            .any(|own| parts.iter().any(|part| within(own, part)))
}

/// Its names, that of its main thread first. The kernel cuts a thread's name after 15 bytes (TASK_COMM_LEN,
/// proc_pid_comm(5)).
fn names(dir: &ProcDir) -> Vec<Name> {
    let mut names: Vec<_> = status::comm(dir).into_iter().collect();
    let words = status::command_line(dir).unwrap_or_default();
    names.extend(program::paths(dir, &words));
    if let Some(first) = words.into_iter().next() {
        names.extend(of_title(&first));
        names.push(first);
    }
    names
}

/// Whether `name` means a process with this name or path.
fn is(own: &Name, name: &Name) -> bool {
    match name.as_bytes().contains(&b'/') {
        true => own == name,
        false => own.base() == name.as_bytes() || program::stem(own.base()) == name.as_bytes(),
    }
}

fn contains(own: &[u8], part: &[u8]) -> bool {
    let windows = || own.windows(part.len().max(1));
    part.len() > 1 && windows().any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_matches_a_base_name_with_or_without_extension_and_a_path_only_itself() {
        let own = Name::from("/srv/app/webui.py");
        for meant in ["webui.py", "webui", "/srv/app/webui.py"] {
            assert!(is(&own, &meant.into()), "{meant}");
        }
        for other in ["web", "app", "app/webui.py", ""] {
            assert!(!is(&own, &other.into()), "{other}");
        }
    }

    #[test]
    fn a_name_is_similar_to_one_that_contains_it_in_any_case() {
        assert!(contains(b"NetworkManager", b"network"));
        assert!(!contains(b"NetworkManager", b"n") && !contains(b"x", b"xy"));
    }
}
