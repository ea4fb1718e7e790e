//! What of a name may be shown: words of systems and of programs, which say nothing about their users.

/// Directories whose whole content comes from the distribution.
pub const SYSTEM_ROOTS: &[&[u8]] = &[
    b"/usr", b"/bin", b"/sbin", b"/lib", b"/lib32", b"/lib64", b"/sys",
];
/// Names every system or many programs have.
pub const SYSTEM_NAMES: &[&str] = &[
    "~",
    "*",
    "**",
    "***",
    "bin",
    "boot",
    "cache",
    "cgroup",
    "config",
    "containers",
    "cron",
    "data",
    "db",
    "dbus",
    "dev",
    "docker",
    "etc",
    "fd",
    "fdinfo",
    "fs",
    "git",
    "games",
    "home",
    "http:",
    "https:",
    "include",
    "init",
    "initctl",
    "lib",
    "lib32",
    "lib64",
    "libexec",
    "libwatchfix.so",
    "localhost",
    "local",
    "lock",
    "locale",
    "log",
    "lost+found",
    "mail",
    "maps",
    "media",
    "mem",
    "mnt",
    "mqueue",
    "net",
    "node_modules",
    "ns",
    "null",
    "opt",
    "overlay",
    "pipe",
    "proc",
    "ptmx",
    "pts",
    "random",
    "root",
    "run",
    "sbin",
    "self",
    "share",
    "shm",
    "site-packages",
    "snap",
    "spool",
    "src",
    "srv",
    "state",
    "status",
    "sys",
    "system",
    "systemd",
    "task",
    "tmp",
    "target",
    "tty",
    "ttyS",
    "urandom",
    "user",
    "users",
    "usr",
    "var",
    "www",
    "zero",
    ".cache",
    ".cargo",
    ".config",
    ".git",
    ".hg",
    ".local",
    ".npm",
    ".svn",
    ".venv",
    ".X11-unix",
    "Library",
    "Users",
    "__pycache__",
];
/// Extensions that say what kind of file it is.
pub const EXTENSIONS: &[&str] = &[
    "bak", "bin", "c", "cc", "cfg", "conf", "cpp", "cs", "css", "csv", "dat", "db", "db3", "go",
    "gz", "h", "hpp", "html", "ini", "java", "jar", "js", "json", "jsonl", "jsx", "kt", "lck",
    "ldb", "lock", "log", "md", "mjs", "pack", "php", "pid", "pidfile", "port", "py", "pyc", "rb",
    "rs", "sh", "so", "sock", "socket", "sql", "sqlite", "sqlite3", "sst", "stop", "swp", "tar",
    "tmp", "toml", "ts", "tsx", "txt", "vue", "xml", "yaml", "yml", "zip",
];
/// The files SQLite puts beside a database.
pub const SIDES: &[&str] = &["-wal", "-shm", "-journal"];

/// What the kernel itself calls things: `anon_inode:[eventfd]`, `socket:[123]`, `mnt:[4026531841]`.
pub fn of_the_kernel(name: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(name).ok()?;
    let (kind, rest) = text.split_once(':')?;
    let inner = rest
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let number = inner.is_some_and(|inner| inner.bytes().all(|b| b.is_ascii_digit()));
    let lower = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-'))
    };
    let anonymous = kind == "anon_inode" && lower(inner.unwrap_or(rest));
    (anonymous || (number && lower(kind))).then_some(text)
}

/// `--flag=`, `-f` and `NAME=` are the program's own words; what follows is not.
pub fn split_flag(word: &[u8]) -> Option<(&str, &[u8])> {
    let equals = word.iter().position(|&b| b == b'=');
    let end = match (word, equals) {
        ([b'-', b'-', ..], Some(at)) => at + 1,
        ([b'-', b'-', ..], None) => word.len(),
        ([b'-', _, ..], _) => 2,
        ([_, ..], Some(at)) => at + 1,
        _ => return None,
    };
    let (flag, rest) = word.split_at(end);
    let own =
        |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'=');
    let variable = |b: &u8| b.is_ascii_uppercase() || matches!(b, b'_' | b'=');
    let fits = match flag {
        [b'-', letter] => letter.is_ascii_alphanumeric(),
        [b'-', ..] => flag.iter().all(own),
        _ => flag.iter().all(variable),
    };
    Some((std::str::from_utf8(flag).ok().filter(|_| fits)?, rest))
}

pub fn split_side(name: &[u8]) -> (&[u8], &'static str) {
    let found = SIDES
        .iter()
        .find_map(|side| Some((name.strip_suffix(side.as_bytes())?, *side)));
    found
        .filter(|(stem, _)| !stem.is_empty())
        .unwrap_or((name, ""))
}

pub fn split_extension(name: &[u8]) -> (&[u8], String) {
    let found = name
        .iter()
        .rposition(|&b| b == b'.')
        .filter(|&at| at > 0)
        .and_then(|at| {
            let (stem, rest) = name.split_at(at);
            let text = std::str::from_utf8(rest).ok()?;
            let known = EXTENSIONS.contains(&text.strip_prefix('.')?);
            known.then(|| (stem, text.to_owned()))
        });
    found.unwrap_or((name, String::new()))
}

pub fn is_plain(text: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._+-@:".contains(b);
    !text.is_empty() && text.iter().all(plain)
}
