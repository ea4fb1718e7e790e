//! Who says what became of the processes: line by line, or as one document at the end.

use super::document::{Document, OfProcess};
use super::exit::Exit;
use crate::cli::HealArgs;
use crate::complaint::{USAGE, complain};
use inspect::gather::comm_of;
use inspect::model::FailureKind;
use inspect::output;
use inspect::render::inert;
use inspect::targets::Found;
use inspect::words::sanitize;
use std::process::ExitCode;

/// Where fdinfo does not show the flags of a watch they cannot be carried over.
const FLAGS_LOST: &str = "this kernel does not show IN_ONESHOT and IN_EXCL_UNLINK (Linux 5.19 does): \
    watches that were changed and had them have them no more\n";

/// What is said about one process.
pub struct Answer {
    pub exit: Exit,
    /// Lines, each with its newline.
    pub text: String,
    pub data: OfProcess,
    /// That somebody starts the process again: a line with its newline.
    pub restart: Option<String>,
    /// Masks were changed, and can be given back.
    pub changed: bool,
    /// Flags that are not shown could not be carried over.
    pub flags_lost: bool,
}

/// Says it, and knows what it comes to.
pub struct Voice {
    pids: Vec<u32>,
    /// With `--json`.
    document: Option<Document>,
    worst: Exit,
    answered: bool,
    /// The processes whose masks were changed.
    changed: Vec<String>,
    flags_lost: bool,
    /// Something that was to be said did not arrive.
    unwritten: bool,
}

impl Voice {
    /// For the processes that were found; what led to none is said at once.
    pub fn new(args: &HealArgs, found: Found) -> Voice {
        let mut voice = Voice {
            pids: found.pids,
            document: None,
            worst: Exit::Done,
            answered: false,
            changed: Vec::new(),
            flags_lost: false,
            unwritten: false,
        };
        for failure in &found.failures {
            complain(&failure.why);
            voice.worst = voice.worst.max(match failure.kind {
                FailureKind::NoProcess => Exit::NoProcess,
                FailureKind::NotPermitted => Exit::NotPermitted,
            });
        }
        if args.json {
            let action = match args {
                args if args.undo => "undo",
                args if args.dry_run => "dry-run",
                _ => "heal",
            };
            voice.document = Some(Document::new(action, found.failures));
        } else {
            // Which process it is that is changed, by a name.
            for note in &found.notes {
                complain(note);
            }
        }
        voice
    }

    /// The processes.
    pub fn pids(&self) -> Vec<u32> {
        self.pids.clone()
    }

    /// Whether something was done, or would be.
    pub fn has_answered(&self) -> bool {
        self.answered
    }

    /// What became of one.
    pub fn answer(&mut self, mut answer: Answer) {
        self.worst = self.worst.max(answer.exit);
        self.answered = true;
        self.flags_lost |= answer.flags_lost;
        match &mut self.document {
            Some(document) => {
                answer.data.restart = answer.restart.map(|text| text.trim_end().into());
                document.processes.push(answer.data);
            }
            None => {
                if answer.changed {
                    self.changed.push(answer.data.pid.to_string());
                }
                self.name(answer.data.pid);
                self.say(&answer.text);
                self.say(answer.restart.as_deref().unwrap_or_default());
            }
        }
    }

    /// Nothing was done to one.
    pub fn refused(&mut self, pid: u32, exit: Exit, why: &str) {
        self.worst = self.worst.max(exit);
        complain(why);
        if let Some(document) = &mut self.document {
            document.processes.push(OfProcess::refused(pid, exit, why));
        }
    }

    /// What is so for all of them: a line with its newline.
    pub fn note(&mut self, text: &str) {
        match &mut self.document {
            Some(document) => document.notes.push(text.trim_end().into()),
            None => self.say(text),
        }
    }

    /// The end of it.
    pub fn finish(mut self) -> ExitCode {
        if self.flags_lost {
            self.note(FLAGS_LOST);
        }
        if !self.changed.is_empty() {
            self.say(&format!(
                "to undo: watchfix heal --undo {}; to heal later watches too: --follow\n",
                self.changed.join(",")
            ));
        }
        if let Some(document) = self.document.take() {
            // Of numbers, texts and lists of them: none that JSON has no form for.
            let text = serde_json::to_string(&document).unwrap_or_default();
            self.print(&format!("{text}\n"));
        }
        match self.unwritten {
            true => USAGE.into(),
            false => self.worst.into(),
        }
    }

    /// Text on standard output.
    pub fn say(&mut self, text: &str) {
        self.print(&inert(text));
    }

    /// What was done stays done where it cannot be told; that is told once, and by the exit status.
    fn print(&mut self, text: &str) {
        if let Err(why) = output::print(text.as_bytes())
            && !std::mem::replace(&mut self.unwritten, true)
        {
            complain(&why);
        }
    }

    /// Of several, which one it is about.
    fn name(&mut self, pid: u32) {
        if self.pids.len() > 1 {
            let comm = comm_of(pid).map_or_else(|| "?".into(), |comm| comm.to_string());
            self.say(&format!("{} (PID {pid}): ", sanitize(&comm)));
        }
    }
}
