//! `fdscan watch`: takes readings of one process until it ends, the user stops it, or a condition holds.

mod condition;
mod display;
mod held;
mod lines;
mod screen;
mod source;
mod trend;

pub use condition::{Condition, Wrong};
pub use held::Held;
use held::Until;

use crate::model::Reading;
use crate::render::{self, Guard};
use crate::sys::{Signals, end_by, is_ready, process_end, stop_here};
use screen::Screen;
use source::Source;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::time::{Duration, Instant};

/// What to watch, how, and for how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// The process.
    pub pid: u32,
    /// Time between readings.
    pub interval: Duration,
    /// For how long; `None` means until something else ends it.
    pub window: Option<Duration>,
    /// When to end.
    pub until: Option<Condition>,
    /// For how many readings in a row the condition must hold.
    pub samples: u32,
    /// How readings are shown.
    pub view: View,
    /// Whether the screen has colours.
    pub colour: bool,
    /// Whether the screen shows ASCII only.
    pub ascii: bool,
}

/// How readings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// A screen that is redrawn.
    Screen,
    /// A line each.
    Lines,
    /// A JSON object per line.
    Json,
}

/// Why watching ended.
#[derive(Debug)]
pub enum End {
    /// The time is up, the user stopped it, or nobody reads the output any more.
    Done,
    /// The process has ended.
    ProcessEnded,
    /// The condition held for enough readings in a row.
    Held(Box<Held>),
}

/// Why watching could not begin.
#[derive(Debug)]
pub enum Refused {
    /// There is no such process.
    NoProcess,
    /// This user may not read what it should show, or what the condition names.
    NotPermitted(String),
    /// The terminal or the output failed.
    Output(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        Refused::Output(error)
    }
}

/// Watches until one of these happens. If a signal ends it, this program ends too, after the terminal is restored.
///
/// # Errors
/// Why watching could not begin, or how the output failed.
pub fn watch(options: &Options) -> Result<End, Refused> {
    // Before anything is opened, so that a signal that comes meanwhile stays pending.
    let signals = Signals::catch(&[libc::SIGQUIT, libc::SIGTSTP, libc::SIGCONT, libc::SIGWINCH])?;
    let gone = |_| Refused::NoProcess;
    let mut source = Source::open(options.pid).map_err(gone)?;
    let first = source.read().map_err(gone)?;
    if first.fds.open.is_none() {
        let why = "what it has open may not be read";
        return Err(Refused::NotPermitted(why.into()));
    }
    if let Some(condition) = &options.until
        && first.sqlite.is_none()
        && condition.value(&first).is_none()
        && !condition.figure().starts_with("fds")
    {
        let why = format!(
            "{} is not known, so {} can never hold",
            condition.figure(),
            condition.text
        );
        return Err(Refused::NotPermitted(why));
    }
    let screen = match options.view {
        View::Screen => Some(Screen::open()?),
        _ => None,
    };
    let mut run = Run {
        keys: own_file(io::stdin().as_fd())
            .filter(|_| screen.is_some() && io::stdin().is_terminal()),
        pipe: own_file(io::stdout().as_fd()).filter(is_pipe),
        ended: process_end(options.pid).ok(),
        options,
        signals,
        source,
        screen,
        until: options
            .until
            .clone()
            .map(|until| Until::new(until, options.samples)),
    };
    let end = run.until_it_ends(first);
    // The terminal and the signals must be restored first.
    let Run {
        screen, signals, ..
    } = run;
    drop(screen);
    signals.release();
    Ok(end?)
}

/// A duplicate descriptor, read without the buffer of standard input.
fn own_file(fd: BorrowedFd<'_>) -> Option<File> {
    fd.try_clone_to_owned().ok().map(File::from)
}

fn is_pipe(file: &File) -> bool {
    file.metadata().is_ok_and(|file| file.file_type().is_fifo())
}

struct Run<'a> {
    options: &'a Options,
    signals: Signals,
    source: Source,
    /// Becomes readable when the process ends.
    ended: Option<OwnedFd>,
    screen: Option<Screen>,
    /// The keyboard.
    keys: Option<File>,
    /// Standard output, if it is a pipe: it becomes ready when nobody reads it any more.
    pipe: Option<File>,
    until: Option<Until>,
}

/// Which event came first.
enum Came {
    Time,
    Quit,
    ProcessEnded,
}

impl Run<'_> {
    fn until_it_ends(&mut self, first: Reading) -> io::Result<End> {
        let last = self.options.window.map(|window| Instant::now() + window);
        let mut reading = first;
        loop {
            let next = Instant::now() + self.options.interval;
            let held = self.until.as_mut().and_then(|until| until.judge(&reading));
            let read = self.show(&reading)?;
            if let Some(held) = held {
                return Ok(End::Held(Box::new(held)));
            }
            if !read {
                return Ok(End::Done);
            }
            // Takes a last reading when the time is up.
            let until = last.map_or(next, |last| last.min(next));
            match self.wait(until, &reading)? {
                Came::Quit => return Ok(End::Done),
                Came::ProcessEnded => return Ok(End::ProcessEnded),
                Came::Time if last.is_some_and(|last| next > last) => return Ok(End::Done),
                Came::Time => {}
            }
            reading = match self.source.read() {
                Ok(reading) => reading,
                Err(_) => return Ok(End::ProcessEnded),
            };
        }
    }

    /// Shows a reading. Returns false when nobody reads the output any more.
    fn show(&mut self, reading: &Reading) -> io::Result<bool> {
        if let Some(screen) = &mut self.screen {
            let status = display::Status {
                interval: self.options.interval,
                until: self.until.as_ref().map(Until::text),
                colour: self.options.colour,
                ascii: self.options.ascii,
            };
            let trends = &self.source.trends;
            screen.draw(|frame| display::draw(frame, reading, trends, &status))?;
            return Ok(true);
        }
        let mut to = Guard::new(BufWriter::new(io::stdout().lock()));
        let written = match self.options.view {
            View::Json => render::json(reading, to.unguarded()),
            _ => writeln!(to, "{}", lines::line(reading)),
        };
        match written.and_then(|()| to.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            written => written.map(|()| true),
        }
    }

    fn wait(&mut self, until: Instant, reading: &Reading) -> io::Result<Came> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Came::Time);
            }
            let files = [&self.keys, &self.pipe].into_iter().flatten();
            let ended = self.ended.iter().map(AsFd::as_fd);
            let others: Vec<_> = ended.chain(files.map(AsFd::as_fd)).collect();
            if !self.signals.wait(&others, left) {
                continue;
            }
            while let Some(signal) = self.signals.next() {
                self.signal(signal.number, reading)?;
            }
            if self
                .ended
                .as_ref()
                .is_some_and(|ended| is_ready(ended.as_fd()))
            {
                return Ok(Came::ProcessEnded);
            }
            if self
                .pipe
                .as_ref()
                .is_some_and(|pipe| is_ready(pipe.as_fd()))
                || self.quit()
            {
                return Ok(Came::Quit);
            }
        }
    }

    fn signal(&mut self, number: i32, reading: &Reading) -> io::Result<()> {
        match number {
            libc::SIGTSTP => match &mut self.screen {
                Some(screen) => screen.suspended(stop_here)?,
                None => stop_here(),
            },
            libc::SIGCONT | libc::SIGWINCH => match &mut self.screen {
                Some(screen) => screen.retake()?,
                None => return Ok(()),
            },
            _ => {
                // Restores the terminal.
                self.screen = None;
                end_by(number);
            }
        }
        match self.screen {
            Some(_) => self.show(reading).map(drop),
            None => Ok(()),
        }
    }

    /// Whether the user pressed a key that ends it.
    fn quit(&mut self) -> bool {
        let mut typed = [0; 64];
        let Some(keys) = self.keys.as_mut().filter(|keys| is_ready(keys.as_fd())) else {
            return false;
        };
        match keys.read(&mut typed) {
            Ok(length) if length > 0 => {
                let typed = typed.get(..length).unwrap_or_default();
                typed.iter().any(|key| matches!(key, b'q' | b'Q'))
            }
            // The terminal is gone: no key will come.
            _ => {
                self.keys = None;
                false
            }
        }
    }
}
