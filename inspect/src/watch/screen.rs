//! The terminal while a live screen is shown. It is restored however the program ends.

use crate::sys::Settings;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use std::io::{self, Stdout};
use std::sync::{Mutex, Once, PoisonError};

/// The terminal's previous settings; `None` while they are in force.
static BEFORE: Mutex<Option<Settings>> = Mutex::new(None);

/// The screen of a terminal. Dropping it restores the terminal.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal behind standard output.
    ///
    /// # Errors
    /// The error of the terminal. Its settings are then unchanged.
    pub fn open() -> io::Result<Screen> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            // This program aborts on a panic, so nothing is dropped. This hook is the last code that runs.
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                leave();
                before(info);
            }));
        });
        enter()
            .and_then(|()| Ok(Screen { terminal: blank()? }))
            .inspect_err(|_| leave())
    }

    /// Draws a frame.
    ///
    /// # Errors
    /// EIO when the terminal is gone.
    pub fn draw(&mut self, frame: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(frame).map(drop)
    }

    /// Takes the terminal again after something else may have written to it or changed it: it was resized, or the shell
    /// used it while this program was stopped. Keys typed meanwhile are kept.
    ///
    /// # Errors
    /// EIO when the terminal is gone.
    pub fn retake(&mut self) -> io::Result<()> {
        // Dropping the old terminal shows the cursor, so it is dropped before the settings are applied.
        self.terminal = blank()?;
        let settings = *before();
        settings.map_or(Ok(()), take)
    }

    /// Restores the terminal, calls `meanwhile` and takes the terminal again.
    ///
    /// # Errors
    /// The error of the terminal.
    pub fn suspended(&mut self, meanwhile: impl FnOnce()) -> io::Result<()> {
        leave();
        meanwhile();
        self.terminal = blank()?;
        enter()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn enter() -> io::Result<()> {
    let now = Settings::current()?;
    *before() = Some(now);
    take(now)
}

fn take(settings: Settings) -> io::Result<()> {
    settings.with_keys().apply()?;
    execute!(
        io::stdout(),
        EnterAlternateScreen,
        Clear(ClearType::All),
        Hide
    )
}

/// A terminal that counts as empty. `Terminal::clear` would ask for the position of the cursor, and take keys typed
/// meanwhile for the answer.
fn blank() -> io::Result<Terminal<CrosstermBackend<Stdout>>> {
    Terminal::new(CrosstermBackend::new(io::stdout()))
}

fn leave() {
    if let Some(settings) = before().take() {
        // A terminal that is gone needs no restoring.
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _ = settings.apply();
    }
}

fn before() -> std::sync::MutexGuard<'static, Option<Settings>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use support::{Terminal, quoted};

    #[test]
    fn a_panic_restores_the_terminal_before_its_message_is_printed() {
        let Some(terminal) = Terminal::open(200, 50) else {
            return;
        };
        let own = quoted(&std::env::current_exe().unwrap());
        terminal.type_line(&format!(
            "RUST_BACKTRACE=0 {own} --exact watch::screen::tests::panics_on_a_screen --ignored --nocapture"
        ));
        terminal.until("the panic", |screen| {
            screen.contains("told to the shell") && screen.contains("test result: FAILED")
        });
        terminal.must_be_restored();
    }

    /// Run in a terminal by `a_panic_restores_the_terminal_before_its_message_is_printed`, and by nothing else.
    #[test]
    #[ignore = "needs a terminal, and fails"]
    fn panics_on_a_screen() {
        let mut screen = Screen::open().unwrap();
        screen.draw(|_| ()).unwrap();
        panic!("told to the shell");
    }
}
