//! Incident 1 again, made by a cure: a watcher whose command is `uv run`, which opens and closes a lock file in the
//! watched project. Whoever takes that for a change has it run for ever.

use std::path::{Path, PathBuf};
use std::process::Command;

use support::Victim;
use tempfile::TempDir;

use crate::{Product, Way};

/// Python with watchfiles, and uv.
pub struct Tools {
    python: PathBuf,
    uv: PathBuf,
}

impl Tools {
    /// Those of scripts/install-test-tools.
    ///
    /// # Errors
    /// What is missing.
    pub fn find() -> Result<Tools, String> {
        let python = support::tool("watchfix-python");
        let uv = support::root().join("target/tools/venv/bin/uv");
        match python {
            Some(python) if uv.is_file() => Ok(Tools { python, uv }),
            _ => Err("no watchfiles or no uv: scripts/install-test-tools says why".to_owned()),
        }
    }
}

/// A project without dependencies, and what uv keeps elsewhere.
pub struct Project {
    dir: TempDir,
    cache: TempDir,
}

impl Project {
    /// Makes one in which uv has run once: its environment is there.
    pub fn new(tools: &Tools) -> Project {
        let temporary = |prefix| tempfile::Builder::new().prefix(prefix).tempdir().unwrap();
        let project = Project {
            dir: temporary("project"),
            cache: temporary("cache"),
        };
        let text = "[project]\nname = \"project\"\nversion = \"1\"\nrequires-python = \">=3\"\n";
        support::overwrite(&project.path().join("pyproject.toml"), text);
        for name in FILES {
            support::overwrite(&project.path().join(name), "x = 1\n");
        }
        let mut command = Command::new(&tools.uv);
        command.args(["run", "--quiet", "true"]);
        let status = project.offline(&mut command).status().unwrap();
        assert!(status.success(), "uv run true: {status}");
        assert!(project.path().join(".venv/.lock").is_file());
        project
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A command in the project whose uv uses no network and nobody's settings.
    fn offline<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for (variable, _) in std::env::vars_os() {
            if variable == "VIRTUAL_ENV" || variable.to_string_lossy().starts_with("UV_") {
                command.env_remove(variable);
            }
        }
        command
            .current_dir(self.path())
            .env("UV_OFFLINE", "1")
            .env("UV_NO_CONFIG", "1")
            .env("UV_PYTHON_DOWNLOADS", "never")
            .env("UV_PYTHON_PREFERENCE", "only-system")
            .env("UV_CACHE_DIR", self.cache.path())
    }
}

/// Of the program; each is edited once.
const FILES: [&str; 3] = ["app.py", "models.py", "router.py"];

/// The watcher at work on a project.
pub struct Watcher<'a> {
    project: &'a Project,
    victim: Victim,
    pid: u32,
}

impl<'a> Watcher<'a> {
    /// Starts it and waits until it watches.
    pub fn start(product: &Product, tools: &Tools, project: &'a Project, way: Way) -> Watcher<'a> {
        let mut command = product.command(way, &tools.python);
        command
            .arg(support::root().join("tests/incidents/victims/uv_run.py"))
            .arg(&tools.uv)
            .arg(project.path());
        let mut victim = Victim::spawn(project.offline(&mut command));
        let ready = victim.line_with("READY ");
        let pid = ready.trim_start_matches("READY ").parse();
        Watcher {
            project,
            victim,
            pid: pid.expect("READY is followed by its PID"),
        }
    }

    /// Its PID; not that of `watchfix run`, which may have started it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Edits one file after the other, each when the command has run for the one before. Returns for each what the
    /// command ran for until it had run for that edit.
    ///
    /// What uv did to the project was done when a run was over, so before the next edit: had it been taken for a
    /// change, the command would have run for it before that edit, or for both at once.
    pub fn edit(&mut self) -> Vec<(&'static str, Vec<String>)> {
        FILES.map(|name| (name, self.edit_one(name))).to_vec()
    }

    fn edit_one(&mut self, name: &str) -> Vec<String> {
        support::append(&self.project.path().join(name), "# edited\n");
        let lines = self.victim.lines_until(name, |line| line.contains(name));
        let runs = lines
            .iter()
            .filter_map(|line| line.strip_prefix("ran for "));
        runs.map(str::to_owned).collect()
    }

    /// Ends it, as it does when its standard input is closed.
    pub fn end(self) {
        let (status, lines) = self.victim.finish();
        assert!(status.success(), "{status}: {lines:#?}");
        let strange = lines
            .iter()
            .find(|line| !line.starts_with("READY ") && !line.starts_with("ran for "));
        assert!(strange.is_none(), "{lines:#?}");
    }
}
