//! The two incidents, and where they take place.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// As many directories as the report of the first incident counted watches, and of them those of the
/// program itself.
const DIRECTORIES: usize = 5299;
const PACKAGES: usize = 500;

/// More rows than the second one logs before it is healed.
const ROWS: &str = "100000000";

/// An incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incident {
    /// A development server whose watches report what it reads itself.
    Apx,
    /// A program that watches the directory of its own log database.
    Codex,
}

impl Incident {
    /// Its program.
    pub fn name(self) -> &'static str {
        match self {
            Incident::Apx => "apx",
            Incident::Codex => "codex",
        }
    }

    /// What happens, in a line.
    pub fn story(self) -> &'static str {
        match self {
            Incident::Apx => "a development server regenerates for ever, woken by its own reads",
            Incident::Codex => "a program logs every event into a database it watches itself",
        }
    }
}

impl Incident {
    /// What the columns of its table count.
    pub fn table(self) -> &'static str {
        match self {
            Incident::Apx => {
                "The table counts the opens, reads and changes that wake it in a second while nobody edits a file, and \
                 says\nwhether it notices one edit after that."
            }
            Incident::Codex => {
                "The table counts the events of its own log that wake it in a second, and says whether it notices one \
                 edit\nof its configuration after that."
            }
        }
    }
}

/// A directory of its own for one run of a program; it goes when this does.
pub struct Place {
    incident: Incident,
    path: PathBuf,
    /// Beside it: nothing there is watched, and nobody else comes there.
    log: PathBuf,
}

impl Place {
    /// Makes it, with everything the program needs.
    pub fn new(incident: Incident) -> Result<Place, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("watchfix-demo-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let made = || {
            DirBuilder::new().mode(0o700).create(&path)?;
            // Programs are told where they are, and say it as the kernel would.
            let path = path.canonicalize()?;
            let place = Place {
                incident,
                path: path.join("watched"),
                log: path.join("decisions"),
            };
            fs::create_dir(&place.path)?;
            place.furnish()?;
            Ok(place)
        };
        made().map_err(|e: io::Error| format!("{}: {e}", path.display()))
    }

    fn furnish(&self) -> io::Result<()> {
        match self.incident {
            Incident::Codex => fs::write(self.edited(), "model = 'a'\n"),
            Incident::Apx => {
                let (src, modules) = (self.path.join("src"), self.path.join("node_modules"));
                fs::create_dir(&src)?;
                fs::create_dir(&modules)?;
                for i in 0..PACKAGES {
                    let package = src.join(format!("package_{i}"));
                    fs::create_dir(&package)?;
                    fs::write(package.join("module.py"), "import os\n")?;
                }
                // The root and the two directories in it are counted, too.
                for i in 0..DIRECTORIES - PACKAGES - 3 {
                    fs::create_dir(modules.join(format!("package_{i}")))?;
                }
                fs::write(self.edited(), "routes = []\n")
            }
        }
    }

    /// What the program is started with.
    pub fn arguments(&self) -> Vec<OsString> {
        let path = self.path.clone().into();
        match self.incident {
            Incident::Apx => vec![path],
            Incident::Codex => vec![ROWS.into(), path],
        }
    }

    /// How the program's first line about its work begins.
    pub fn begun(&self) -> &'static str {
        match self.incident {
            Incident::Apx => "regeneration 0 ",
            Incident::Codex => "READY",
        }
    }

    /// Where `watchfix run` may write what it decides.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Edits a file as an editor does that writes it in place.
    pub fn edit(&self) -> Result<(), String> {
        let path = self.edited();
        let edit = || {
            let mut file = fs::OpenOptions::new().append(true).open(&path)?;
            file.write_all(b"# edited\n")
        };
        edit().map_err(|e: io::Error| format!("{}: {e}", path.display()))
    }

    /// What tells by a line of the program that it has noticed the edit.
    pub fn edits_heard(&self) -> impl Fn(&str) -> bool + use<> {
        let (begin, name) = match self.incident {
            Incident::Apx => ("regeneration ", "src/router.py"),
            Incident::Codex => ("event ", "config.toml"),
        };
        move |line| line.starts_with(begin) && line.contains(name)
    }

    fn edited(&self) -> PathBuf {
        self.path.join(match self.incident {
            Incident::Apx => Path::new("src/router.py"),
            Incident::Codex => Path::new("config.toml"),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The program has ended; what cannot be removed is left in the temporary directory.
        let _ = fs::remove_dir_all(self.path.parent().unwrap_or(&self.path));
    }
}
