//! A Mac made up for a test: a stand-in, not a recording of one. Its answers are laid out by the numbers that the headers
//! give (bsd/sys/proc_info.h, proc_info_private.h and event_private.h of xnu-11417), not by the declarations in `layout`.

use super::kernel::{Kernel, Question};
use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A user whose processes may be looked into.
pub const USER: u32 = 501;
/// Its processes began so long after 1970.
pub const BEGAN: u64 = 1_700_000_000;
/// NOTE_WRITE and NOTE_ATTRIB.
pub const WRITE_AND_ATTRIB: u32 = 0x0a;

/// Answers by process and question.
#[derive(Default)]
pub struct ConstructedMac {
    answers: HashMap<(u32, Question), Vec<u8>>,
    sessions: HashMap<u32, u32>,
    refused: Vec<u32>,
    pub jobs: Option<&'static str>,
}

impl Kernel for ConstructedMac {
    fn pids(&self) -> io::Result<Vec<u32>> {
        let mut pids: Vec<u32> = self.answers.keys().map(|(pid, _)| *pid).collect();
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    fn ask(&self, pid: u32, question: Question) -> io::Result<Vec<u8>> {
        let of_everybody = matches!(question, Question::ShortProcess | Question::Program);
        if self.refused.contains(&pid) && !of_everybody {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        let answer = self.answers.get(&(pid, question)).cloned();
        answer.ok_or_else(|| {
            let known = self.answers.keys().any(|(other, _)| *other == pid);
            io::Error::from_raw_os_error(if known { libc::EBADF } else { libc::ESRCH })
        })
    }

    fn session(&self, pid: u32) -> Option<u32> {
        self.sessions.get(&pid).copied()
    }

    fn jobs(&self) -> Option<Vec<u8>> {
        self.jobs.map(|text| text.as_bytes().to_vec())
    }
}

impl ConstructedMac {
    /// One with launchd, which is root's.
    pub fn new() -> ConstructedMac {
        let mut mac = ConstructedMac::default();
        let mut launchd = vec![0; 64];
        put(&mut launchd, 0, &1u32.to_le_bytes());
        put(&mut launchd, 12, &2u32.to_le_bytes());
        put(&mut launchd, 16, b"launchd");
        mac.answers.insert((1, Question::ShortProcess), launchd);
        mac.sessions.insert(1, 1);
        mac.refused.push(1);
        mac
    }

    /// A process that leads its session and began `after` so many seconds.
    pub fn process(&mut self, pid: u32, ppid: u32, words: &[&str], after: u64) {
        let program = words[0];
        let name = program.rsplit('/').next().unwrap().as_bytes();
        let mut answer = vec![0; 136];
        put(&mut answer, 4, &3u32.to_le_bytes());
        put(&mut answer, 12, &pid.to_le_bytes());
        put(&mut answer, 16, &ppid.to_le_bytes());
        put(&mut answer, 20, &USER.to_le_bytes());
        put(&mut answer, 24, &20u32.to_le_bytes());
        put(&mut answer, 48, &name[..name.len().min(15)]);
        put(&mut answer, 64, name);
        put(&mut answer, 108, &u32::MAX.to_le_bytes());
        put(&mut answer, 120, &(BEGAN + after).to_le_bytes());
        put(&mut answer, 128, &250_000u64.to_le_bytes());
        self.answers.insert((pid, Question::Process), answer);
        self.sessions.insert(pid, pid);
        self.answers
            .insert((pid, Question::Program), program.as_bytes().to_vec());
        self.started_with(pid, words, &[]);
        self.answers
            .insert((pid, Question::Descriptors), Vec::new());
    }

    pub fn started_with(&mut self, pid: u32, words: &[&str], environment: &[&str]) {
        let mut answer = (words.len() as i32).to_le_bytes().to_vec();
        answer.extend([words[0].as_bytes(), b"\0\0\0\0"].concat());
        for text in words.iter().chain(environment) {
            answer.extend([text.as_bytes(), b"\0"].concat());
        }
        answer.extend(b"\0ptr_munge=\0");
        self.answers.insert((pid, Question::Arguments), answer);
    }

    /// Its user is another one, and we are not root.
    pub fn refuse(&mut self, pid: u32) {
        let answer = self.answers.get(&(pid, Question::Process)).unwrap();
        let mut short = vec![0; 64];
        put(&mut short, 0, &answer[12..16]);
        put(&mut short, 4, &answer[16..20]);
        put(&mut short, 16, &answer[48..64]);
        put(&mut short, 36, &502u32.to_le_bytes());
        self.answers.insert((pid, Question::ShortProcess), short);
        self.refused.push(pid);
    }

    /// Ends it while it is looked at.
    pub fn close(&mut self, pid: u32, fd: i32) {
        self.answers.remove(&(pid, Question::File(fd)));
    }

    pub fn works_in(&mut self, pid: u32, directory: &Path) {
        let mut answer = vec![0; 2352];
        put(&mut answer, 152, directory.as_os_str().as_encoded_bytes());
        self.answers.insert((pid, Question::Directories), answer);
    }

    fn descriptor(&mut self, pid: u32, kind: u32) -> i32 {
        let list = self.answers.get_mut(&(pid, Question::Descriptors)).unwrap();
        // As the kernel's, it need not be in order.
        let fd = i32::try_from(list.len() / 8).unwrap();
        let entry = [fd.to_le_bytes(), kind.to_le_bytes()].concat();
        list.splice(0..0, entry);
        fd
    }

    /// A file that is open for reading and writing.
    pub fn file(&mut self, pid: u32, file: &File<'_>) -> i32 {
        let fd = self.descriptor(pid, 1);
        let mut answer = vec![0; 1200];
        // FREAD | FWRITE.
        put(&mut answer, 0, &3u32.to_le_bytes());
        put(&mut answer, 24, &file.device.to_le_bytes());
        put(&mut answer, 28, &file.mode.to_le_bytes());
        put(&mut answer, 30, &file.links.to_le_bytes());
        put(&mut answer, 32, &file.inode.to_le_bytes());
        put(&mut answer, 112, &file.size.to_le_bytes());
        put(&mut answer, 120, &(file.size / 512).to_le_bytes());
        put(&mut answer, 176, file.path);
        self.answers.insert((pid, Question::File(fd)), answer);
        fd
    }

    /// A TCP socket on 127.0.0.1 in this state (TSI_S_*).
    pub fn tcp(&mut self, pid: u32, handle: u64, port: u16, peer: u16, state: i32) -> i32 {
        let fd = self.descriptor(pid, 2);
        let mut answer = vec![0; 792];
        put(&mut answer, 24 + 136, &handle.to_le_bytes());
        put(&mut answer, 24 + 152, &1i32.to_le_bytes());
        put(&mut answer, 24 + 156, &6i32.to_le_bytes());
        put(&mut answer, 24 + 160, &2i32.to_le_bytes());
        put(&mut answer, 24 + 232, &2i32.to_le_bytes());
        put(&mut answer, 264, &peer.to_be_bytes());
        put(&mut answer, 268, &port.to_be_bytes());
        put(&mut answer, 264 + 24, &[1]);
        put(&mut answer, 264 + 48 + 12, &[127, 0, 0, 1]);
        put(&mut answer, 264 + 80, &state.to_le_bytes());
        self.answers.insert((pid, Question::Socket(fd)), answer);
        fd
    }

    /// A unix socket that listens.
    pub fn unix(&mut self, pid: u32, handle: u64, path: &str) -> i32 {
        let fd = self.descriptor(pid, 2);
        let mut answer = vec![0; 792];
        put(&mut answer, 24 + 136, &handle.to_le_bytes());
        put(&mut answer, 24 + 160, &1i32.to_le_bytes());
        put(&mut answer, 24 + 164, &2i16.to_le_bytes());
        put(&mut answer, 24 + 232, &3i32.to_le_bytes());
        let length = u8::try_from(path.len() + 2).unwrap();
        put(&mut answer, 264 + 16, &[length, 1]);
        put(&mut answer, 264 + 18, path.as_bytes());
        self.answers.insert((pid, Question::Socket(fd)), answer);
        fd
    }

    pub fn pipe(&mut self, pid: u32, own: u64, peer: u64) -> i32 {
        let fd = self.descriptor(pid, 6);
        let mut answer = vec![0; 184];
        put(&mut answer, 160, &own.to_le_bytes());
        put(&mut answer, 168, &peer.to_le_bytes());
        self.answers.insert((pid, Question::Pipe(fd)), answer);
        fd
    }

    /// A kqueue with notes: what is watched, by which filter, for what.
    pub fn kqueue(&mut self, pid: u32, notes: &[(u64, i16, u32)]) -> i32 {
        let fd = self.descriptor(pid, 5);
        let mut answer = vec![0; 104 * notes.len()];
        for ((ident, filter, flags), note) in notes.iter().zip(answer.chunks_exact_mut(104)) {
            put(note, 0, &ident.to_le_bytes());
            put(note, 8, &filter.to_le_bytes());
            // What has happened is not what was asked for.
            put(note, 24, &0x40u32.to_le_bytes());
            put(note, 84, &flags.to_le_bytes());
        }
        self.answers.insert((pid, Question::Notes(fd)), answer);
        fd
    }
}

fn put(answer: &mut [u8], at: usize, bytes: &[u8]) {
    answer[at..at + bytes.len()].copy_from_slice(bytes);
}

/// What a Mac says of an open file.
pub struct File<'a> {
    pub path: &'a [u8],
    pub mode: u16,
    pub links: u16,
    pub device: u32,
    pub inode: u64,
    pub size: u64,
}

impl<'a> File<'a> {
    /// A file that is nowhere.
    pub fn made_up(path: &'a str, inode: u64, size: u64) -> File<'a> {
        File {
            path: path.as_bytes(),
            mode: 0o100_644,
            links: 1,
            device: 0x0100_0004,
            inode,
            size,
        }
    }

    /// One that is there.
    pub fn real(path: &'a Path) -> File<'a> {
        let meta = path.metadata().unwrap();
        File {
            path: path.as_os_str().as_encoded_bytes(),
            mode: u16::try_from(meta.mode()).unwrap(),
            links: u16::try_from(meta.nlink()).unwrap(),
            device: meta.dev() as u32,
            inode: meta.ino(),
            size: meta.len(),
        }
    }
}
