//! What `watchfix run` starts on a Mac: the program a command leads to, itself. Whatever lies between, as env(1) and the
//! interpreter of a script, would take the variable out for it (env lies where System Integrity Protection holds).
//!
//! A library that cannot be loaded ends the program on a Mac, so everything is looked at before the variable is set.

use super::judge::{self, Judged, System, shown};
use super::mach_o::{Cpu, Image, Role};
use super::program::{self, Kind};
use super::script;
use super::search::{any_may_be_looked_at, find_in, may_run};
use crate::model::ReachVerdict;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The variable dyld(1) reads.
pub const VARIABLE: &str = "DYLD_INSERT_LIBRARIES";

/// Programs on the way to the last one that are followed.
const STEPS: usize = 16;

/// The Mac the command is started on.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// What this program runs as, which is what the kernel prefers for what it starts.
    pub cpu: Cpu,
}

impl Host {
    /// This machine, by what this program was built for.
    pub fn here() -> Host {
        Host {
            cpu: if cfg!(target_arch = "aarch64") {
                Cpu::Arm64
            } else {
                Cpu::X86_64
            },
        }
    }

    /// The slice that would run: its own kind first, then the one Rosetta translates.
    fn runs(self, images: &[Image]) -> Option<&Image> {
        let order: &[Cpu] = match self.cpu {
            Cpu::Arm64 | Cpu::Arm64e => &[Cpu::Arm64e, Cpu::Arm64, Cpu::X86_64],
            // Also where Rosetta translates this program.
            _ => &[Cpu::X86_64, Cpu::Arm64],
        };
        let is = |cpu: &Cpu| images.iter().find(|image| image.cpu == *cpu);
        order.iter().find_map(is)
    }
}

/// What is to be started.
#[derive(Debug, PartialEq, Eq)]
pub struct Start {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; the first is its name.
    pub arguments: Vec<OsString>,
    /// Its environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The scripts and calls of env(1) that led to it.
    pub followed: Vec<PathBuf>,
    /// Why the library is loaded into it, as a sentence.
    pub why: String,
}

/// Why nothing is started.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such command (127).
    NotFound(String),
    /// It cannot be run (126).
    NotRunnable(String),
    /// The library cannot be loaded into it (125).
    NotReached(String),
}

impl Refusal {
    /// The exit status it calls for, and the sentence.
    pub fn status_and_text(&self) -> (u8, &str) {
        match self {
            Refusal::NotFound(text) => (127, text),
            Refusal::NotRunnable(text) => (126, text),
            Refusal::NotReached(text) => (125, text),
        }
    }
}

impl Start {
    /// Follows `command` to its last program, and looks whether `library` can be loaded into that.
    ///
    /// # Errors
    /// Why it cannot, or must not, be started with the library.
    pub fn of(
        command: &[OsString],
        environment: Vec<(OsString, OsString)>,
        library: &Path,
        host: Host,
    ) -> Result<Start, Refusal> {
        let mut start = Start {
            program: PathBuf::new(),
            arguments: command.to_vec(),
            environment,
            followed: Vec::new(),
            why: String::new(),
        };
        let mut scripts = 0;
        for _ in 0..STEPS {
            let file = start.find()?;
            if script::is_env(&file) && start.follow_env(&file)? {
                continue;
            }
            if let Some(line) = program::script_line(&file) {
                scripts += 1;
                if scripts > 1 {
                    // exec_shell_imgact of xnu's bsd/kern/kern_exec.c does so once.
                    return Err(Refusal::NotRunnable(format!(
                        "{} cannot be run: a Mac does not take a script as the interpreter of a script",
                        shown(&file)
                    )));
                }
                start.follow_script(file, &line);
                continue;
            }
            start.why = may_load(&file, library, host)?;
            start.program = file;
            start.set_variable(library);
            return Ok(start);
        }
        Err(Refusal::NotRunnable(
            "the command leads from program to program without an end".into(),
        ))
    }

    fn variable(&self, name: &str) -> Option<&OsString> {
        let mut all = self.environment.iter();
        all.find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The file of the command, as execvp(3) finds it.
    fn find(&self) -> Result<PathBuf, Refusal> {
        let name = self.arguments.first().map_or(OsStr::new(""), |name| name);
        let path = self.variable("PATH").cloned();
        let text = shown(Path::new(name));
        let Some(file) = find_in(name, path, any_may_be_looked_at).filter(|_| !name.is_empty())
        else {
            return Err(Refusal::NotFound(format!(
                "{text} cannot be run: it is not found"
            )));
        };
        if may_run(&file) {
            Ok(file)
        } else {
            Err(Refusal::NotRunnable(format!(
                "{} cannot be run: it is not a program this user may run",
                shown(&file)
            )))
        }
    }

    /// Does what env(1) would do; `false` where it starts nothing.
    fn follow_env(&mut self, file: &Path) -> Result<bool, Refusal> {
        let call = script::env_call(self.arguments.get(1..).unwrap_or_default());
        let call = call.map_err(|word| {
            Refusal::NotReached(format!(
                "the rules do not reach this program: what {} does with {} is not followed; start the program that it \
                 starts",
                shown(file),
                shown(Path::new(&word))
            ))
        })?;
        if call.command.is_empty() {
            return Ok(false);
        }
        if call.clear {
            self.environment.clear();
        }
        for (name, value) in call.changes {
            self.environment.retain(|(known, _)| *known != name);
            self.environment.extend(value.map(|value| (name, value)));
        }
        self.arguments = call.command;
        self.followed.push(file.to_owned());
        Ok(true)
    }

    /// Puts the interpreter in front, as the kernel does.
    fn follow_script(&mut self, file: PathBuf, line: &[u8]) {
        let mut arguments = script::words(line);
        // The kernel does not look for an interpreter in PATH.
        if let Some(interpreter) = arguments.first_mut()
            && !interpreter.as_bytes().contains(&b'/')
        {
            *interpreter = Path::new(".").join(&*interpreter).into_os_string();
        }
        arguments.push(file.clone().into_os_string());
        arguments.extend(self.arguments.drain(..).skip(1));
        self.arguments = arguments;
        self.followed.push(file);
    }

    /// Behind whatever is inserted already.
    fn set_variable(&mut self, library: &Path) {
        let mut text = self.variable(VARIABLE).cloned().unwrap_or_default();
        let there = |one: &[u8]| one == library.as_os_str().as_bytes();
        if !text.as_bytes().split(|&b| b == b':').any(there) {
            if !text.is_empty() {
                text.push(":");
            }
            text.push(library);
        }
        self.environment.retain(|(name, _)| name != VARIABLE);
        self.environment.push((VARIABLE.into(), text));
    }
}

/// Whether dyld loads `library` into the program at `file`, which is not a script.
fn may_load(file: &Path, library: &Path, host: Host) -> Result<String, Refusal> {
    let name = shown(file);
    let unreached = |why: &str| {
        Refusal::NotReached(format!(
            "the rules do not reach {name}, so it is not started. {why}"
        ))
    };
    let refused = |judged: Judged| {
        let remedy = judged.remedy.map(|text| format!(" {text}"));
        unreached(&(judged.why + &remedy.unwrap_or_default()))
    };
    if judge::is_protected(file) {
        return Err(refused(judge::protected(file)));
    }
    let kind = program::kind_of(file).ok().flatten();
    let images = match &kind {
        Some(Kind::MachO(Ok(images))) => images,
        Some(Kind::MachO(Err(why))) => {
            return Err(Refusal::NotRunnable(format!("{name} cannot be run: {why}")));
        }
        Some(Kind::Elf(_)) => {
            return Err(Refusal::NotRunnable(format!(
                "{name} cannot be run: it is a program for Linux"
            )));
        }
        // A shell would run it by /bin/sh, which takes the variable out.
        None => {
            return Err(unreached(
                "It is neither Mach-O nor a script that begins with #!.",
            ));
        }
    };
    let Some(image) = host.runs(images) else {
        return Err(Refusal::NotRunnable(format!(
            "{name} cannot be run: it has no slice for this Mac"
        )));
    };
    // What its mode decides counts for all of its slices.
    let judged = judge::of_file(file, &Kind::MachO(Ok(vec![image.clone()])), System::Mac);
    if judged.verdict != ReachVerdict::Reached {
        return Err(refused(judged));
    }
    fits(library, image.cpu).map_err(|why| {
        unreached(&format!(
            "{} {why}, and a library that cannot be loaded ends the program.",
            shown(library)
        ))
    })?;
    Ok(judged.why)
}

/// Whether a process that runs as `cpu` can load the library.
fn fits(library: &Path, cpu: Cpu) -> Result<(), String> {
    if library.as_os_str().as_bytes().contains(&b':') {
        return Err(format!(
            "has a colon in its path, which {VARIABLE} cannot name"
        ));
    }
    if !library.is_file() {
        return Err("is not there".into());
    }
    let images = match program::kind_of(library) {
        Ok(Some(Kind::MachO(Ok(images)))) => images,
        Ok(Some(Kind::MachO(Err(why)))) => return Err(format!("is damaged: {why}")),
        Ok(_) => return Err("is not a Mach-O file".into()),
        Err(_) => return Err("cannot be read".into()),
    };
    let Some(image) = images.iter().find(|image| image.cpu == cpu) else {
        return Err(format!("has no slice for {}", cpu.name()));
    };
    if image.role != Role::Library {
        return Err("is not a library".into());
    }
    if image.signature.is_none() && cpu != Cpu::X86_64 {
        return Err(format!("is not signed for {}", cpu.name()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
