//! What a process runs: its file, the script if that is an interpreter, and the arguments.

use crate::gather::process::status;
use crate::gather::subject::proc_dir::{DELETED, ProcDir};
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Name, of_title};

/// A command as it was started.
pub struct Program {
    /// The file, without the suffix that the kernel adds to a removed one: after an update it is the same program.
    exe: Vec<u8>,
    script: Option<Script>,
    /// The name it was called by, and every argument but the script.
    arguments: Vec<Name>,
}

/// The usual name of a program: the script, or else the file, without directory and extension.
pub fn name_of(dir: &ProcDir) -> Option<Name> {
    let exe = exe(dir)?;
    let arguments = status::command_line(dir)?;
    let script = script(&exe, &arguments).and_then(|at| arguments.get(at));
    let name = script.map_or(exe.as_slice(), Name::as_bytes);
    Some(stem(Name::from(name).base()).into())
}

/// The paths of its file and, if that is an interpreter, of its script, as far as they are known. No path is followed.
pub fn paths(dir: &ProcDir, arguments: &[Name]) -> Vec<Name> {
    // The link of another user's process cannot be read.
    let called = || Some(arguments.first()?.as_bytes().to_vec());
    let Some(exe) = exe(dir).or_else(called) else {
        return Vec::new();
    };
    let script = script(&exe, arguments).filter(|&at| !is_code(&exe, arguments, at));
    let script = script.and_then(|at| arguments.get(at)).cloned();
    std::iter::once(exe.into()).chain(script).collect()
}

/// Its file, without the suffix that the kernel adds to a removed one.
fn exe(dir: &ProcDir) -> Option<Vec<u8>> {
    let exe = dir.read_link("exe").ok()?;
    Some(exe.strip_suffix(DELETED).unwrap_or(&exe).to_vec())
}

/// A script. Two starts may name the same file differently: by a link, or from another directory.
#[derive(PartialEq, Eq)]
enum Script {
    /// A file, by device and inode.
    File(u64, u64),
    /// Something that is not a file, or no longer: `-m uvicorn`.
    Word(Name),
}

impl Program {
    /// What this process runs; `None` if that cannot be read.
    pub fn of(view: &View<'_>) -> Option<Program> {
        let dir = view.dir();
        let exe = exe(dir)?;
        let mut arguments = status::command_line(dir)?;
        let script = match arguments.first().and_then(of_title) {
            // Two programs of the same interpreter that set their titles can be distinguished only by the titles.
            Some(title) => Some(title),
            None => script(&exe, &arguments).map(|at| arguments.remove(at)),
        };
        if let Some(own) = arguments.first_mut() {
            *own = own.base().into();
        }
        Some(Program {
            script: script.map(|script| identify(view, script)),
            exe,
            arguments,
        })
    }

    /// Whether both run the same program.
    pub fn is(&self, other: &Program) -> bool {
        self.exe == other.exe && self.script == other.script
    }

    /// Whether both run the same program with the same arguments.
    pub fn is_command(&self, other: &Program) -> bool {
        self.is(other) && self.arguments == other.arguments
    }
}

/// A relative path is taken from the current working directory of the process, because it is not known where the
/// process was started.
fn identify(view: &View<'_>, script: Name) -> Script {
    match view.stat(script.as_bytes(), FinalLink::Follow) {
        Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFREG => {
            Script::File(stat.st_dev, stat.st_ino)
        }
        _ => Script::Word(script),
    }
}

/// A file's name without its extension.
pub fn stem(base: &[u8]) -> &[u8] {
    match base.iter().rposition(|&b| b == b'.') {
        Some(dot) if dot > 0 => base.get(..dot).unwrap_or(base),
        _ => base,
    }
}

/// Whether a file, by its name, runs scripts.
pub fn is_interpreter(exe: &[u8]) -> bool {
    const INTERPRETERS: &[&str] = &[
        "python", "pypy", "node", "bun", "deno", "ruby", "perl", "php", "java", "bash", "sh",
        "dash", "electron", "dotnet", "beam.smp", "lua", "busybox",
    ];
    let base = exe.rsplit(|&b| b == b'/').next().unwrap_or(exe);
    let mut all = INTERPRETERS.iter();
    all.any(|name| base.starts_with(name.as_bytes()))
}

/// Which argument of an interpreter is the script: the first that is not a flag, or what `-m` or `-jar` names.
fn script(exe: &[u8], arguments: &[Name]) -> Option<usize> {
    if !is_interpreter(exe) {
        return None;
    }
    let mut rest = arguments.iter().enumerate().skip(1);
    while let Some((at, argument)) = rest.next() {
        match argument.as_bytes() {
            b"-m" | b"-jar" => return rest.next().map(|(at, _)| at),
            b"run" => {}
            text if text.starts_with(b"-") => {}
            _ => return Some(at),
        }
    }
    None
}

/// Whether the argument at `at` is code instead of a file: `sh -c CODE`, `node -e CODE`. For a shell, `-e` means
/// something else.
fn is_code(exe: &[u8], arguments: &[Name], at: usize) -> bool {
    const SHELLS: [&[u8]; 4] = [b"sh", b"bash", b"dash", b"busybox"];
    let base = exe.rsplit(|&b| b == b'/').next().unwrap_or(exe);
    let flag = at.checked_sub(1).and_then(|before| arguments.get(before));
    let flag = flag.map_or(&b""[..], Name::as_bytes);
    match flag {
        b"--eval" => true,
        [b'-', b'-', ..] => false,
        [b'-', .., b'c'] => true,
        [b'-', .., b'e'] => !SHELLS.contains(&base),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_not_the_name_of_a_script() {
        let is = |exe: &str, words: &[&str]| {
            let words: Vec<Name> = words.iter().map(|word| (*word).into()).collect();
            let at = script(exe.as_bytes(), &words).unwrap();
            is_code(exe.as_bytes(), &words, at)
        };
        for words in [
            ["sh", "-c", "a"],
            ["bash", "-lc", "a"],
            ["python3", "-c", "a"],
        ] {
            assert!(is(&format!("/usr/bin/{}", words[0]), &words), "{words:?}");
        }
        assert!(is("/usr/bin/node", &["node", "-e", "a"]));
        assert!(!is("/usr/bin/bash", &["bash", "-e", "a.sh"]));
        assert!(!is("/usr/bin/python3", &["python3", "-u", "a.py"]));
    }

    #[test]
    fn a_script_is_what_an_interpreter_runs() {
        let of = |exe: &str, words: &[&str]| {
            let words: Vec<Name> = words.iter().map(|word| (*word).into()).collect();
            script(exe.as_bytes(), &words).map(|at| words[at].to_string())
        };
        assert_eq!(
            of("/usr/bin/python3.12", &["python3", "-u", "a.py", "x"]),
            Some("a.py".into())
        );
        assert_eq!(
            of("/usr/bin/python3", &["python3", "-m", "uvicorn"]),
            Some("uvicorn".into())
        );
        assert_eq!(
            of("/usr/bin/java", &["java", "-Xmx1g", "-jar", "x.jar"]),
            Some("x.jar".into())
        );
        assert_eq!(of("/usr/bin/genie", &["genie", "serve"]), None);
    }

    #[test]
    fn a_program_is_called_by_its_file_without_the_extension() {
        for (base, wanted) in [
            ("genie.mjs", "genie"),
            ("genie", "genie"),
            (".x", ".x"),
            ("python3.12", "python3"),
        ] {
            assert_eq!(stem(base.as_bytes()), wanted.as_bytes());
        }
    }
}
