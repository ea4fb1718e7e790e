//! Who a process is.

use super::bytes::Bytes;
use super::kernel::{Kernel, Question};
use super::layout::{ProcBsdInfo, ProcBsdShortInfo, ProcVnodePathInfo};
use crate::model::Name;
use crate::process_tree::Relative;
use std::io;
use std::mem::offset_of;

/// SZOMB (bsd/sys/proc.h).
const ZOMBIE: u32 = 5;
/// NODEV (bsd/sys/types.h): it has no controlling terminal.
const NO_TERMINAL: u32 = u32::MAX;

/// A process as the kernel lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub pid: u32,
    pub ppid: u32,
    pub uid: u32,
    pub gid: u32,
    pub name: Name,
    pub status: u32,
    pub terminal: bool,
    pub session: Option<u32>,
    /// Seconds since 1970 and microseconds; `None` for a process of another user.
    pub start: Option<(u64, u32)>,
}

impl Listed {
    /// Asks for one.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn ask(kernel: &impl Kernel, pid: u32) -> io::Result<Listed> {
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let mut listed = match kernel.ask(pid, Question::Process) {
            Ok(answer) => of(&answer).ok_or_else(cut)?,
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                of_short(&kernel.ask(pid, Question::ShortProcess)?).ok_or_else(cut)?
            }
            Err(e) => return Err(e),
        };
        listed.session = kernel.session(pid);
        Ok(listed)
    }

    /// Whether it has ended, and its parent has not noticed.
    pub fn is_zombie(&self) -> bool {
        self.status == ZOMBIE
    }

    /// When it started: RFC 3339, UTC.
    pub fn start_time(&self) -> Option<String> {
        let (seconds, micros) = self.start?;
        let nanos = i32::try_from(micros).ok()?.checked_mul(1000)?;
        let time = jiff::Timestamp::new(i64::try_from(seconds).ok()?, nanos).ok()?;
        Some(time.to_string())
    }

    /// The state in the letter that ps(1) has for it.
    pub fn state(&self) -> Option<char> {
        // SIDL, SRUN, SSLEEP, SSTOP, SZOMB (bsd/sys/proc.h).
        match self.status {
            1 => Some('I'),
            2 => Some('R'),
            3 => Some('S'),
            4 => Some('T'),
            ZOMBIE => Some('Z'),
            _ => None,
        }
    }
}

impl Relative for Listed {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn ppid(&self) -> Option<u32> {
        Some(self.ppid)
    }

    /// What launchd starts may be in launchd's own session, which tells nobody that two belong together.
    fn session(&self) -> Option<u32> {
        match self.session {
            Some(1) => Some(self.pid),
            other => other,
        }
    }

    /// Microseconds since 1970. Those of other users, launchd among them, count as older than everything.
    fn began(&self) -> u64 {
        self.start
            .map_or(0, |(seconds, micros)| micros_of(seconds, micros))
    }

    fn name(&self) -> Name {
        self.name.clone()
    }

    /// launchd is the only one.
    fn is_init(&self) -> bool {
        self.pid == 1
    }

    fn adopts(&self) -> bool {
        false
    }
}

fn micros_of(seconds: u64, micros: u32) -> u64 {
    seconds
        .saturating_mul(1_000_000)
        .saturating_add(micros.into())
}

/// A proc_bsdinfo; `None` if the bytes are too few.
pub fn of(answer: &[u8]) -> Option<Listed> {
    let bytes = Bytes(answer);
    let seconds = bytes.u64(offset_of!(ProcBsdInfo, pbi_start_tvsec))?;
    let micros = bytes.u64(offset_of!(ProcBsdInfo, pbi_start_tvusec))?;
    // The longer name is empty where none is registered.
    let long = bytes.text(offset_of!(ProcBsdInfo, pbi_name), 32);
    let name = long.or_else(|| bytes.text(offset_of!(ProcBsdInfo, pbi_comm), 16));
    Some(Listed {
        pid: bytes.u32(offset_of!(ProcBsdInfo, pbi_pid))?,
        ppid: bytes.u32(offset_of!(ProcBsdInfo, pbi_ppid))?,
        uid: bytes.u32(offset_of!(ProcBsdInfo, pbi_uid))?,
        gid: bytes.u32(offset_of!(ProcBsdInfo, pbi_gid))?,
        name: name.unwrap_or_default().into(),
        status: bytes.u32(offset_of!(ProcBsdInfo, pbi_status))?,
        terminal: bytes.u32(offset_of!(ProcBsdInfo, e_tdev))? != NO_TERMINAL,
        session: None,
        start: Some((seconds, u32::try_from(micros).unwrap_or_default())),
    })
}

/// A proc_bsdshortinfo; `None` if the bytes are too few.
pub fn of_short(answer: &[u8]) -> Option<Listed> {
    let bytes = Bytes(answer);
    let name = bytes.text(offset_of!(ProcBsdShortInfo, pbsi_comm), 16);
    Some(Listed {
        pid: bytes.u32(offset_of!(ProcBsdShortInfo, pbsi_pid))?,
        ppid: bytes.u32(offset_of!(ProcBsdShortInfo, pbsi_ppid))?,
        uid: bytes.u32(offset_of!(ProcBsdShortInfo, pbsi_uid))?,
        gid: bytes.u32(offset_of!(ProcBsdShortInfo, pbsi_gid))?,
        name: name.unwrap_or_default().into(),
        status: bytes.u32(offset_of!(ProcBsdShortInfo, pbsi_status))?,
        terminal: false,
        session: None,
        start: None,
    })
}

/// The path of its program.
pub fn program(kernel: &impl Kernel, pid: u32) -> Option<Name> {
    let path = kernel.ask(pid, Question::Program).ok()?;
    let path = path.split(|&byte| byte == 0).next()?;
    (!path.is_empty()).then(|| path.into())
}

/// The working directory, of a proc_vnodepathinfo.
pub fn working_directory(answer: &[u8]) -> Option<Name> {
    let at = offset_of!(ProcVnodePathInfo, pvi_cdir.vip_path);
    Bytes(answer)
        .text(at, super::layout::MAXPATHLEN)
        .map(Name::from)
}
