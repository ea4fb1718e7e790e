//! A real terminal: a tmux server of its own, whose screen is read as a person would see it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// One window. It ends with the test.
pub struct Terminal {
    tmux: PathBuf,
    // tmux makes its socket in here.
    dir: TempDir,
}

impl Terminal {
    /// A window of this size with a shell in it; `None`, with a skip, where there is no tmux.
    pub fn open(columns: u16, rows: u16) -> Option<Terminal> {
        let Some(tmux) = crate::tool("tmux") else {
            crate::skip("there is no tmux");
            return None;
        };
        let terminal = Terminal {
            tmux,
            dir: TempDir::new().unwrap(),
        };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        // A prompt that can be waited for, and no start-up files.
        let shell = "PS1='ready> ' exec bash --norc --noprofile -i";
        let args = ["new-session", "-d", "-x", &columns, "-y", &rows, shell];
        terminal.tmux(&args);
        terminal.until("the prompt", |screen| screen.starts_with("ready>"));
        Some(terminal)
    }

    fn tmux(&self, args: &[&str]) -> String {
        let run = Command::new(&self.tmux)
            .arg("-S")
            .arg(self.dir.path().join("socket"))
            // Without the user's configuration.
            .args(["-f", "/dev/null"])
            .args(args)
            .env_remove("TMUX")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "tmux {args:?}: {error}");
        String::from_utf8(run.stdout).unwrap()
    }

    /// Types a line.
    pub fn type_line(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.press("Enter");
    }

    /// Presses a key, by tmux's name.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Changes the size of the window.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// What stands on the screen.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Whether a program shows a screen of its own, and whether the cursor can be seen.
    fn modes(&self) -> (bool, bool) {
        let modes = self.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]);
        (modes.starts_with('1'), modes.trim_end().ends_with('1'))
    }

    /// Waits until the screen is as `wanted` says, and returns it.
    #[track_caller]
    pub fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(
                start.elapsed() < crate::DEADLINE,
                "no {what} on the screen:\n{screen}"
            );
            // tmux does not say when its screen has changed.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a program shows a screen of its own, without a cursor.
    #[track_caller]
    pub fn must_be_a_screen(&self) {
        self.until("screen of a program", |_| self.modes() == (true, false));
    }

    /// Fails unless the terminal is as a shell expects it: no screen of a program, a cursor, echo.
    #[track_caller]
    pub fn must_be_restored(&self) {
        let last = |screen: &str| screen.trim_end().lines().last().map(str::to_owned);
        self.until("prompt", |screen| {
            last(screen).is_some_and(|line| line.starts_with("ready>"))
        });
        assert_eq!(self.modes(), (false, true), "alternate screen, cursor");
        self.type_line("stty -a | tr ' ' '\\n' | grep -cxE 'icanon;?|echo;?|isig;?'");
        self.until("echo, icanon and isig", |screen| {
            screen.lines().any(|line| line == "3")
        });
    }
}

/// A path for a shell's command line.
pub fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Its own server, by its socket.
        let _ = Command::new(&self.tmux)
            .arg("-S")
            .arg(self.dir.path().join("socket"))
            .arg("kill-server")
            .output();
    }
}
