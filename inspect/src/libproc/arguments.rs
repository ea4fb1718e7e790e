//! The arguments and the environment that a process was started with (sysctl(3), KERN_PROCARGS2).

use super::bytes::Bytes;
use super::kernel::{Kernel, Question};
use crate::model::Name;
use std::io;

/// A larger number of arguments is not plausible: ARG_MAX is 1 MiB (bsd/sys/syslimits.h).
const MOST: usize = 1 << 19;

/// What a process was started with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// Its arguments.
    pub arguments: Vec<Name>,
    /// Its environment. It is left out for programs that System Integrity Protection restricts (bsd/kern/kern_sysctl.c,
    /// `sysctl_procargsx`).
    pub environment: Vec<Name>,
}

/// Parses the number of arguments, the path of the program, NULs up to a word, the arguments and the environment. Each
/// text ends with a NUL. `None` if the bytes have another form.
pub fn parse(answer: &[u8]) -> Option<Started> {
    let bytes = Bytes(answer);
    let count = usize::try_from(bytes.i32(0)?).ok()?;
    if count > MOST {
        return None;
    }
    let texts = answer.get(size_of::<i32>()..)?;
    let program = texts.iter().position(|&byte| byte == 0)?;
    let rest = texts.get(program..)?;
    let padding = rest.iter().position(|&byte| byte != 0)?;
    let mut words = rest.get(padding..)?.split(|&byte| byte == 0);
    let arguments: Vec<Name> = words.by_ref().take(count).map(Name::from).collect();
    // An empty text separates the environment from what the kernel keeps after it.
    let environment = words.take_while(|word| !word.is_empty());
    (arguments.len() == count).then(|| Started {
        arguments,
        environment: environment.map(Name::from).collect(),
    })
}

impl Started {
    /// Reads those of a process. The arguments are unchanged: secrets are not removed.
    ///
    /// # Errors
    /// The kernel's errno, or an error if its answer cannot be parsed.
    pub fn ask(kernel: &impl Kernel, pid: u32) -> io::Result<Started> {
        let answer = kernel.ask(pid, Question::Arguments)?;
        parse(&answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The value of a variable.
    pub fn variable(&self, name: &[u8]) -> Option<&[u8]> {
        let mut all = self.environment.iter();
        all.find_map(|word| word.as_bytes().strip_prefix(name)?.strip_prefix(b"="))
    }

    /// The variables whose names begin with this prefix.
    pub fn variables(&self, prefix: &[u8]) -> Vec<(Name, Name)> {
        let all = self.environment.iter();
        let split = all.filter_map(|word| {
            let word = word.as_bytes();
            let at = word.iter().position(|&byte| byte == b'=')?;
            let (name, value) = (word.get(..at)?, word.get(at + 1..)?);
            name.starts_with(prefix)
                .then(|| (Name::from(name), Name::from(value)))
        });
        split.collect()
    }
}
