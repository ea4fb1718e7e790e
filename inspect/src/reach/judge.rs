//! What becomes of the preload library, by what a file says of itself.
//!
//! Nobody of this project has a Mac. What is said of one rests on dyld(1), Apple's pages on the two entitlements and the
//! published sources of xnu and dyld; it was not tried there.

use super::elf;
use super::mach_o::{Cpu, Image, Role};
use super::program::{Kind, privileges};
use crate::model::{Name, ReachVerdict, SliceReach, SliceSignature};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whose rules hold for a script, and for where a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// LD_PRELOAD.
    Linux,
    /// DYLD_INSERT_LIBRARIES.
    Mac,
}

impl System {
    /// The one this program runs on.
    pub fn here() -> System {
        if cfg!(target_os = "macos") {
            System::Mac
        } else {
            System::Linux
        }
    }
}

/// A verdict with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What becomes of the library.
    pub verdict: ReachVerdict,
    /// A whole sentence.
    pub why: String,
    /// What helps, as a whole sentence.
    pub remedy: Option<String>,
}

impl Judged {
    /// Without a remedy.
    pub fn new(verdict: ReachVerdict, why: impl Into<String>) -> Judged {
        Judged {
            verdict,
            why: why.into(),
            remedy: None,
        }
    }

    fn with(self, remedy: impl Into<String>) -> Judged {
        Judged {
            remedy: Some(remedy.into()),
            ..self
        }
    }
}

const TAKEN_OUT: &str =
    "dyld takes the variable out without a word, and what this program starts does not have it";

const BY_RUN: &str = "watchfix run reaches it without a library, by a supervisor.";

/// The file at `path`, which is not a script.
pub fn of_file(path: &Path, kind: &Kind, system: System) -> Judged {
    if system == System::Mac && is_protected(path) {
        return protected(path);
    }
    match kind {
        Kind::Elf(kind) => of_elf(path, kind.as_ref()),
        Kind::MachO(Err(why)) => Judged::new(
            ReachVerdict::Unknown,
            format!("It is a Mach-O file, but {why}."),
        ),
        Kind::MachO(Ok(images)) => of_mach_o(path, images),
    }
}

fn of_elf(path: &Path, kind: Option<&elf::Kind>) -> Judged {
    let not = |why: &str| Judged::new(ReachVerdict::NotReached, why);
    match kind {
        None => Judged::new(
            ReachVerdict::Unknown,
            "It is an ELF file, but its header is damaged.",
        ),
        Some(elf::Kind::Library) => Judged::new(
            ReachVerdict::Unknown,
            "It is a library: the program that loads it decides.",
        ),
        Some(elf::Kind::Static) => not("It is static: it has no loader that could load a library.")
            .with(BY_RUN),
        Some(elf::Kind::Dynamic { bits: 32, .. }) => {
            not("It is a 32-bit program: its loader ignores the library, which is 64-bit.")
        }
        Some(elf::Kind::Dynamic { go: true, .. }) => not(
            "It is a Go program: it makes its system calls itself, and a library sees none of them.",
        )
        .with(BY_RUN),
        Some(elf::Kind::Dynamic { loader, .. }) => match privileges(path) {
            Some(why) => not(&format!(
                "It may gain rights ({why}): its loader ignores LD_PRELOAD, unless root starts it."
            )),
            None => Judged::new(
                ReachVerdict::Reached,
                format!("It is dynamic and 64-bit: its loader {loader} loads the library."),
            ),
        },
    }
}

fn of_mach_o(path: &Path, images: &[Image]) -> Judged {
    let not = |why: String| Judged::new(ReachVerdict::NotReached, format!("{why}: {TAKEN_OUT}."));
    if !images.iter().any(|image| image.role == Role::Program) {
        return Judged::new(
            ReachVerdict::Unknown,
            "It is not a program: the program that loads it decides.",
        );
    }
    if let Some(why) = privileges(path) {
        return not(format!("It may gain rights ({why})"));
    }
    // Those that no Mac of today runs do not count, unless there are no others.
    let runs = |image: &&Image| !matches!(image.cpu, Cpu::Other(_));
    let mut all: Vec<&Image> = images.iter().filter(runs).collect();
    if all.is_empty() {
        all = images.iter().collect();
    }
    let worst = all
        .into_iter()
        .map(|image| (image, of_image(image)))
        .max_by_key(|(_, judged)| judged.verdict);
    let Some((image, mut judged)) = worst else {
        return Judged::new(ReachVerdict::Unknown, "It has no slice.");
    };
    if images.len() > 1 {
        judged.why = format!("The slice for {}: {}", image.cpu.name(), judged.why);
    }
    judged
}

/// One slice of a program.
pub fn of_image(image: &Image) -> Judged {
    let judged = |verdict, why: &str| Judged::new(verdict, why);
    let not = |why: &str| Judged::new(ReachVerdict::NotReached, format!("{why}: {TAKEN_OUT}."));
    let anew =
        "A copy that you sign anew (codesign -f -s - COPY) is reached; it loses its entitlements.";
    let none = SliceSignature::default();
    let signature = image.signature.as_ref().unwrap_or(&none);
    let validates = signature.hardened_runtime || signature.library_validation;
    match image.cpu {
        Cpu::Other(_) => {
            return judged(
                ReachVerdict::NotReached,
                "It is for a processor that macOS does not run on since 10.15.",
            );
        }
        Cpu::Arm64 if image.signature.is_none() => {
            return judged(
                ReachVerdict::Killed,
                "It is not signed: a Mac with Apple's processor ends it, with the library or without.",
            )
            .with("Sign it: codesign -s - FILE.");
        }
        _ => {}
    }
    if image.restrict_section {
        not("It has the section __RESTRICT,__restrict")
    } else if signature.restricted {
        not("Its signature restricts it (CS_RESTRICT)").with(anew)
    } else if signature.platform {
        not("It is Apple's own (a platform binary)")
    } else if signature.hardened_runtime && !signature.allows_dyld_variables {
        not("It has the hardened runtime without the entitlement com.apple.security.cs.allow-dyld-environment-variables")
            .with(anew)
    } else if validates && !signature.disables_library_validation {
        judged(
            ReachVerdict::Killed,
            "It has library validation without the entitlement com.apple.security.cs.disable-library-validation: dyld \
             ends it, because the library is not signed by its team.",
        )
        .with(anew)
    } else if image.cpu == Cpu::Arm64e {
        judged(
            ReachVerdict::Killed,
            "It is an arm64e program, and libwatchfix.dylib has no arm64e slice: dyld ends it.",
        )
    } else {
        judged(
            ReachVerdict::Reached,
            match &image.signature {
                None => "It is not signed: dyld loads the library.",
                Some(s) if s.hardened_runtime => {
                    "It has the hardened runtime and both entitlements: dyld loads the library."
                }
                Some(s) if s.ad_hoc => {
                    "It is signed ad hoc, without the hardened runtime: dyld loads the library."
                }
                Some(_) => "It is signed without the hardened runtime: dyld loads the library.",
            },
        )
    }
}

/// A program that has lost the variable before it begins, whatever its file says.
pub fn protected(path: &Path) -> Judged {
    let name = shown(path);
    Judged::new(
        ReachVerdict::NotReached,
        format!("{name} lies where System Integrity Protection holds: {TAKEN_OUT}."),
    )
    .with("Start the program that it starts; or one of your own in its place.")
}

/// A slice with its verdict.
pub fn slice(image: &Image) -> SliceReach {
    let Judged { verdict, why, .. } = match image.role {
        Role::Program => of_image(image),
        Role::Library | Role::Other => Judged::new(
            ReachVerdict::Unknown,
            "It is not a program: the program that loads it decides.",
        ),
    };
    SliceReach {
        cpu: image.cpu.name(),
        verdict,
        why,
        signature: image.signature.clone(),
    }
}

/// Whether System Integrity Protection holds for a path (Apple's page HT204899, csrutil(8)).
pub fn is_protected(path: &Path) -> bool {
    let resolved = path.canonicalize();
    let path = resolved.as_deref().unwrap_or(path);
    let free = ["/usr/local", "/System/Volumes/Data"];
    let protected = ["/System", "/usr", "/bin", "/sbin", "/Library/Apple"];
    let below = |place: &str| path.starts_with(place);
    protected.into_iter().any(below) && !free.into_iter().any(below)
}

/// A path, as messages show it.
pub fn shown(path: &Path) -> Name {
    path.as_os_str().as_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_the_systems_own_places_is_protected() {
        for path in [
            "/bin/nothing",
            "/usr/bin/nothing",
            "/System/Library/nothing",
        ] {
            assert!(is_protected(Path::new(path)), "{path}");
        }
        for path in [
            "/usr/local/bin/nothing",
            "/opt/homebrew/bin/nothing",
            "/usrx/nothing",
        ] {
            assert!(!is_protected(Path::new(path)), "{path}");
        }
    }
}
