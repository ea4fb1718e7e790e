//! Processes by what people call them.

use crate::gather::process::processes::{Processes, are_hidden};
use crate::gather::process::{program, status};
use crate::gather::servers::process_tree::living;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Name, of_title};
use std::io;

/// Names that are like the one asked for, at most.
const ALIKE: usize = 3;

/// Who is called so.
#[derive(Debug, Default)]
pub struct NamedProcesses {
    /// The processes, in ascending order. One that has ended counts only where no other is called so.
    pub pids: Vec<u32>,
    /// If there is none: names of others that contain the one asked for, each once.
    pub alike: Vec<Name>,
    /// There may be some that are hidden from this user.
    pub others_are_hidden: bool,
}

/// Looks for processes called `name`: so is their main thread, their program, the script it runs, what they were
/// started as, or the title they gave themselves. A name with a `/` is the path of one of these.
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

/// Whether a process has one of `parts` in one of its names; a part with a `/` in the path of one.
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

/// Its names, that of its main thread first. A thread's name is cut after 15 bytes (TASK_COMM_LEN, proc_pid_comm(5)).
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

/// Whether a process of this name or path is meant by `name`.
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
    fn a_name_is_a_base_with_or_without_its_extension_and_a_path_is_a_path() {
        let own = Name::from("/srv/app/webui.py");
        for meant in ["webui.py", "webui", "/srv/app/webui.py"] {
            assert!(is(&own, &meant.into()), "{meant}");
        }
        for other in ["web", "app", "app/webui.py", ""] {
            assert!(!is(&own, &other.into()), "{other}");
        }
    }

    #[test]
    fn a_name_is_like_one_that_contains_it_in_any_case() {
        assert!(contains(b"NetworkManager", b"network"));
        assert!(!contains(b"NetworkManager", b"n") && !contains(b"x", b"xy"));
    }
}
