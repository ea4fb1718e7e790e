//! A stage for one test: a directory, a user, fixtures on it, and fdscan looking at them.

mod quiet;
mod schema;
mod user;
mod witness;

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Barrier, OnceLock};

use serde_json::Value;
use support::Victim;
use tempfile::TempDir;

pub use quiet::quiet;
pub use schema::{reading_violations, violations};
pub use support::is_root;
pub use user::{pid_exists, waits};
pub use witness::Witness;

/// Where one test works, and as whom.
pub struct Stage {
    dir: TempDir,
    mkfds: PathBuf,
    fdscan: PathBuf,
    // The victims' and, by `scan_as_user`, fdscan's user; `None` is whoever runs the tests.
    uid: Option<u32>,
}

impl Stage {
    /// As the user who runs the tests.
    pub fn new() -> Stage {
        Stage::below(&std::env::temp_dir())
    }

    /// The same, in no directory for temporary files.
    pub fn lasting() -> Stage {
        Stage::below(Path::new("/dev/shm"))
    }

    fn below(parent: &Path) -> Stage {
        installed();
        Stage {
            dir: TempDir::new_in(parent).unwrap(),
            mkfds: support::binary("mkfds", "mkfds"),
            fdscan: env!("CARGO_BIN_EXE_fdscan").into(),
            uid: None,
        }
    }

    /// As the user `uid`: one of its own for each test that counts per user. Only root can do that.
    pub fn as_user(uid: u32) -> Stage {
        Stage::as_user_below(uid, &std::env::temp_dir())
    }

    /// As [`Stage::as_user`], with its directory below `parent`.
    pub fn as_user_below(uid: u32, parent: &Path) -> Stage {
        user::claim(uid, true);
        Stage::of_user(uid, parent)
    }

    fn of_user(uid: u32, parent: &Path) -> Stage {
        let dir = TempDir::new_in(parent).unwrap();
        user::give(dir.path(), uid);
        // The repository may lie where only root may look.
        let mkfds = user::share(&support::binary("mkfds", "mkfds"), dir.path());
        let fdscan = user::share(Path::new(env!("CARGO_BIN_EXE_fdscan")), dir.path());
        for part in installed() {
            user::share(part, dir.path());
        }
        Stage {
            dir,
            mkfds,
            fdscan,
            uid: Some(uid),
        }
    }

    /// As an unprivileged user: `uid` when root runs the tests, else whoever does.
    pub fn unprivileged(uid: u32) -> Stage {
        if is_root() {
            user::claim(uid, false);
            Stage::of_user(uid, &std::env::temp_dir())
        } else {
            Stage::new()
        }
    }

    /// A new directory of the victims' user, with symbolic links resolved.
    pub fn make(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir(&path).unwrap();
        if let Some(uid) = self.uid {
            user::give(&path, uid);
        }
        path.canonicalize().unwrap()
    }

    /// The stage's mkfds, which the victims' user may run.
    pub fn mkfds_binary(&self) -> &Path {
        &self.mkfds
    }

    /// `program`, as the victims' user.
    pub fn command(&self, program: &Path) -> Command {
        match self.uid {
            Some(uid) => support::as_user(uid, program),
            None => Command::new(program),
        }
    }

    /// Starts mkfds in `state` and waits until the state is complete.
    pub fn mkfds(&self, args: &[&str]) -> Fixture {
        self.mkfds_with(args, |_| {})
    }

    /// As [`Stage::mkfds`] with a directory of its own as `--dir`.
    pub fn mkfds_in(&self, dir: &Path, args: &[&str]) -> Fixture {
        self.mkfds_with(args, |c| {
            c.arg("--dir").arg(dir);
        })
    }

    /// As [`Stage::mkfds`], with a last word on its command.
    pub fn mkfds_with(&self, args: &[&str], adjust: impl FnOnce(&mut Command)) -> Fixture {
        let mut command = self.command(&self.mkfds);
        command.args(args);
        adjust(&mut command);
        Fixture::start(&mut command)
    }

    /// mkfds, called `name`.
    pub fn mkfds_called(&self, name: &str, args: &[&str]) -> Fixture {
        let copy = self.make(&format!("of-{name}")).join(name);
        support::install(&self.mkfds, &copy);
        Fixture::start(self.command(&copy).args(args))
    }

    /// fdscan, as the user who runs the tests.
    pub fn scan(&self, args: &[&str]) -> Scan {
        Scan::run(as_started_by_nobody_else(&mut Command::new(&self.fdscan)).args(args))
    }

    /// fdscan, as the victims' user.
    pub fn scan_as_user(&self, args: &[&str]) -> Scan {
        Scan::run(self.scan_command().args(args))
    }

    /// fdscan, as the victims' user, not yet started.
    pub fn scan_command(&self) -> Command {
        let mut command = self.command(&self.fdscan);
        as_started_by_nobody_else(&mut command);
        command
    }

    /// Looks at one fixture and returns what fdscan says about it.
    pub fn look(&self, fixture: &Fixture) -> Process {
        self.scan(&[&fixture.pid().to_string(), "--json"]).process()
    }

    /// As [`Stage::look`], as the victims' user.
    pub fn look_as_user(&self, fixture: &Fixture) -> Process {
        self.scan_as_user(&[&fixture.pid().to_string(), "--json"])
            .process()
    }
}

/// Lists `dir` again and again for as long as `look` takes: who watches it for opens is woken all the while.
pub fn while_reading<T>(dir: &Path, look: impl FnOnce() -> T) -> T {
    // On a machine with more to do than it can, one alone may wait for its turn longer than fdscan listens.
    const READERS: usize = 8;
    let (done, begun) = (AtomicBool::new(false), Barrier::new(READERS + 1));
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                begun.wait();
                while !done.load(Ordering::Relaxed) {
                    std::fs::read_dir(dir).unwrap().count();
                }
            });
        }
        begun.wait();
        // Also where the look fails: nobody would end the other one.
        let result = std::panic::catch_unwind(AssertUnwindSafe(look));
        done.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// `watchfix` and its library, which commands name, where fdscan finds them: `watchfix` beside it and the library where
/// cargo builds it.
pub fn installed() -> &'static [PathBuf; 2] {
    static PARTS: OnceLock<[PathBuf; 2]> = OnceLock::new();
    PARTS.get_or_init(|| {
        [
            support::binary("watchfix", "watchfix"),
            support::libwatchfix().to_owned(),
        ]
    })
}

/// fdscan, not yet started.
pub fn fdscan() -> Command {
    let mut command = Command::new(fdscan_binary());
    as_started_by_nobody_else(&mut command);
    command
}

/// Whoever ran the tests through sudo(8) would be told to use it for what is printed.
fn as_started_by_nobody_else(command: &mut Command) -> &mut Command {
    command.env_remove("SUDO_UID")
}

/// Fails unless fdscan, started so, ends at once and without a word when its reader goes after the first byte.
pub fn must_end_with_its_reader(args: &[&str]) {
    let mut child = fdscan()
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// fdscan's binary.
pub fn fdscan_binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_fdscan"))
}

/// A process in a known state. It ends with the test.
pub struct Fixture {
    pub victim: Victim,
    facts: Vec<(String, String)>,
}

impl Fixture {
    /// Starts anything that speaks mkfds' protocol.
    pub fn start(command: &mut Command) -> Fixture {
        let mut victim = Victim::spawn(command);
        let facts = victim
            .lines_until("READY", |line| line == "READY")
            .iter()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Fixture { victim, facts }
    }

    pub fn pid(&self) -> u32 {
        self.victim.pid()
    }

    /// Every value it gave for `key`.
    pub fn facts<'a>(&'a self, key: &str) -> Vec<&'a str> {
        self.facts
            .iter()
            .filter(|(k, _)| k == key)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// Its first value for `key`.
    pub fn fact<'a>(&'a self, key: &str) -> &'a str {
        self.facts(key)
            .first()
            .unwrap_or_else(|| panic!("mkfds said nothing about {key}: {:?}", self.facts))
    }

    /// Its value for `key`, a number.
    pub fn number(&self, key: &str) -> u64 {
        self.fact(key).parse().unwrap()
    }

    /// Its value for `key`, a path with the bytes mkfds escaped.
    pub fn path(&self, key: &str) -> PathBuf {
        unescape(self.fact(key))
    }

    /// Every path it gave for `key`.
    pub fn paths(&self, key: &str) -> Vec<PathBuf> {
        self.facts(key).into_iter().map(unescape).collect()
    }

    /// Every number it gave for `key`.
    pub fn numbers(&self, key: &str) -> Vec<u64> {
        self.facts(key)
            .iter()
            .map(|value| value.parse().unwrap())
            .collect()
    }
}

/// Undoes mkfds' (and fdscan's) `\xNN`.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'\\' && after.len() >= 3 && after[0] == b'x' {
            let digits = std::str::from_utf8(&after[1..3]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &after[3..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

/// One run of fdscan.
pub struct Scan {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Scan {
    /// Runs `command` to its end. A panic in it fails the test, whatever the test is about.
    pub fn run(command: &mut Command) -> Scan {
        let shown = format!("{command:?}");
        let _scanning = quiet::scanning();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{shown} does not start: {e}"));
        let pid = child.id();
        let (done, result) = channel();
        std::thread::spawn(move || {
            // The test may have given up waiting.
            let _ = done.send(child.wait_with_output());
        });
        let Ok(output) = result.recv_timeout(support::DEADLINE) else {
            user::kill(pid);
            panic!("{shown} did not end in {:?}", support::DEADLINE);
        };
        let output = output.unwrap();
        let scan = Scan {
            status: output.status,
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert!(
            scan.status.signal().is_none()
                && scan.status.code() != Some(101)
                && !scan.stderr.contains("panicked"),
            "{shown} crashed ({}): {}",
            scan.status,
            scan.stderr
        );
        scan
    }

    pub fn code(&self) -> i32 {
        self.status.code().unwrap()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("fdscan writes UTF-8")
    }

    /// The document, which must keep the contract.
    pub fn json(&self) -> Value {
        let doc: Value = serde_json::from_slice(&self.stdout).unwrap_or_else(|e| {
            panic!(
                "not one JSON document: {e}\nstatus: {}\nstderr: {}\nstdout: {}",
                self.status,
                self.stderr,
                String::from_utf8_lossy(&self.stdout)
            )
        });
        let mut found = violations(&doc);
        found.extend(schema::not_as_documented(&doc));
        assert!(
            found.is_empty(),
            "fdscan/1 is not kept:\n{}\nin {}",
            found.join("\n"),
            shorten(&doc)
        );
        doc
    }

    /// The only process of the document. Nothing failed.
    pub fn process(&self) -> Process {
        assert_eq!(self.code(), 0, "stderr: {}", self.stderr);
        let mut doc = self.json();
        let processes = doc["processes"].as_array_mut().unwrap();
        assert_eq!(processes.len(), 1);
        let found = Process(processes.remove(0));
        let missing = schema::not_known(&found.0);
        assert!(
            missing.is_empty(),
            "of a process fdscan may read, {} must be known: {}",
            missing.join(", "),
            shorten(&found.0)
        );
        found
    }
}

/// What fdscan says about one process.
pub struct Process(pub Value);

impl Process {
    pub fn codes(&self) -> Vec<&str> {
        self.0["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["code"].as_str().unwrap())
            .collect()
    }

    pub fn raises(&self, code: &str) -> bool {
        self.codes().contains(&code)
    }

    /// The findings with `code`.
    pub fn all(&self, code: &str) -> Vec<&Value> {
        self.0["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| f["code"] == code)
            .collect()
    }

    /// The one finding with `code`, of `severity`.
    #[track_caller]
    pub fn finding(&self, code: &str, severity: &str) -> &Value {
        let all = self.all(code);
        assert_eq!(
            all.len(),
            1,
            "one {code} is expected in {}",
            shorten(&self.0)
        );
        assert_eq!(all[0]["severity"], severity, "{:#}", all[0]);
        all[0]
    }

    /// Fails when a finding with `code` is there.
    #[track_caller]
    pub fn must_not_raise(&self, code: &str) {
        assert!(!self.raises(code), "{code} in {}", shorten(&self.0));
    }

    pub fn list(&self, key: &str) -> &[Value] {
        self.0[key].as_array().unwrap()
    }

    /// The watches of all its instances.
    pub fn watches(&self) -> Vec<&Value> {
        let instances = self.list("inotify").iter();
        instances
            .flat_map(|i| i["watches"].as_array().unwrap())
            .collect()
    }
}

/// Whether `number` stands anywhere in `value`.
pub fn holds_number(value: &Value, number: u64) -> bool {
    match value {
        Value::Number(n) => n.as_u64() == Some(number),
        Value::Array(list) => list.iter().any(|v| holds_number(v, number)),
        Value::Object(map) => map.values().any(|v| holds_number(v, number)),
        _ => false,
    }
}

/// A path as fdscan writes it: what is no UTF-8 as `\xNN`.
pub fn json_path(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// The inode number of what lies at `path`.
pub fn inode(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().ino()
}

/// Drops the kernel's unused names and inodes. False when this process may not.
pub fn forget_names() -> bool {
    // Not while another test looks at what it has made.
    let _quiet = quiet::quiet_here();
    // Names that were just used survive the first time.
    (0..2).all(|_| std::fs::write("/proc/sys/vm/drop_caches", "2").is_ok())
}

/// A number in a file below /proc.
pub fn proc_number(path: &str) -> u64 {
    std::fs::read_to_string(path)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// The type of the file system `path` lies on, as statfs(2) has it.
pub fn file_system(path: &Path) -> String {
    let run = Command::new("stat")
        .args([OsStr::new("-f"), OsStr::new("-c%T"), path.as_os_str()])
        .output()
        .unwrap();
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
}

/// A document for a failure's message, without thousands of watches.
pub fn shorten(doc: &Value) -> String {
    let mut doc = doc.clone();
    cut(&mut doc);
    format!("{doc:#}")
}

fn cut(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.truncate(5);
            list.iter_mut().for_each(cut);
        }
        Value::Object(map) => map.values_mut().for_each(cut),
        _ => {}
    }
}
