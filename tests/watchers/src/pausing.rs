//! Runs watchers through a deploy, bare and behind `watchfix pause`, and holds the one against the other.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::Tree;
use crate::deploy::Deploy;
use crate::matrix::{Skip, in_parallel};
use crate::session::{Heard, Session};

/// A burst of reports is cut in two by a slow moment of the machine. So often it is counted, and the fewest count.
const COUNTS: usize = 4;

/// What came of one deploy.
#[derive(Default)]
pub struct Figures {
    /// Lines until it was quiet after the last change.
    pub during: usize,
    /// How bursts of them began.
    pub bursts_during: Vec<String>,
    /// Lines after the end of the pause.
    pub after: usize,
    /// How bursts of them began.
    pub bursts_after: Vec<String>,
    /// How often something was started anew, in all.
    pub restarts: usize,
    /// Changes that no line names.
    pub missed: usize,
    /// The most watches at once.
    pub peak: usize,
}

/// What came of one watcher.
pub struct PauseRow {
    /// Which.
    pub deploy: Deploy,
    /// Why it was not run.
    pub skipped: Option<Skip>,
    /// Without a pause.
    pub bare: Figures,
    /// With one.
    pub paused: Figures,
    /// What is not as it is to be.
    pub problems: Vec<String>,
}

/// Runs them, a few at a time: each is to be quick to report.
pub fn run(deploys: Vec<Deploy>, done: impl Fn(&PauseRow) + Sync) -> Vec<PauseRow> {
    in_parallel(3, deploys, |deploy| {
        let mut row = PauseRow {
            deploy,
            skipped: None,
            bare: Figures::default(),
            paused: Figures::default(),
            problems: Vec::new(),
        };
        if let Some(why) = (row.deploy.watcher.unsupported)() {
            row.skipped = Some(Skip::Unsupported(why));
        } else if let Err(problem) = row.fill() {
            row.problems.push(problem);
        }
        done(&row);
        row
    })
}

impl PauseRow {
    fn fill(&mut self) -> Result<(), String> {
        let Some(mut session) = self.session()? else {
            return Ok(());
        };
        let heard = session.deploy(&mut self.deploy.command(session.tree(), false))?;
        let named = session.named(&heard.during.lines);
        self.bare = self.figures(&heard, &heard.during.lines, &named);
        let mut alive = Vec::new();
        for file in self.deploy.edited_afterwards() {
            if session.hears(&file)? {
                alive.push(file);
            }
        }
        session.stop()?;
        for count in 1..=COUNTS {
            let Some(mut session) = self.session()? else {
                return Ok(());
            };
            let heard = session.deploy(&mut self.deploy.command(session.tree(), true))?;
            let named = session.named(&heard.after.lines);
            let figures = self.figures(&heard, &heard.after.lines, &named);
            self.hold(&heard, &named);
            if count == 1 || figures.split() < self.paused.split() {
                self.paused = figures;
            }
            let is_split = self.is_split().is_some();
            if is_split && count < COUNTS && self.problems.is_empty() {
                continue;
            }
            for file in &alive {
                session.must_hear(file)?;
            }
            session.stop()?;
            break;
        }
        self.problems.extend(self.is_split());
        Ok(())
    }

    /// The watcher at work on a tree that can be deployed.
    fn session(&mut self) -> Result<Option<Session<'static>>, String> {
        let watcher = self.deploy.watcher;
        let tree = Tree::new(watcher.extension);
        let tree = tree.map_err(|e| format!("no tree: {e}"))?;
        let prepared = self.deploy.prepare(&tree);
        prepared.map_err(|e| format!("no tree: {e}"))?;
        let command = match (watcher.command)(&tree) {
            Ok(command) => command,
            Err(why) => {
                self.skipped = Some(Skip::Missing(why));
                return Ok(None);
            }
        };
        let mut session = Session::start(watcher, self.deploy.engine, tree, command)?;
        session.wait_until_placed(self.deploy.directories())?;
        Ok(Some(session))
    }

    fn figures(&self, heard: &Heard, all: &[String], named: &BTreeSet<PathBuf>) -> Figures {
        let restarts =
            |line: &&String| self.deploy.restarts.is_some_and(|word| line.contains(word));
        Figures {
            during: heard.during.lines.len(),
            bursts_during: heard.during.bursts.clone(),
            after: heard.after.lines.len(),
            bursts_after: heard.after.bursts.clone(),
            restarts: all.iter().filter(restarts).count(),
            missed: self.deploy.missed(named).len(),
            peak: heard.peak,
        }
    }

    /// What a pause promises.
    fn hold(&mut self, heard: &Heard, named: &BTreeSet<PathBuf>) {
        let mut wrong = Vec::new();
        if !heard.during.lines.is_empty() {
            wrong.push(format!("it hears of the deploy: {:#?}", heard.during.lines));
        }
        let missed = self.deploy.missed(named);
        // Who names one change has to look for the others.
        if !self.deploy.names_one && !missed.is_empty() {
            wrong.push(format!("it misses {missed:?} of {:#?}", heard.after.lines));
        }
        let invented = self.deploy.invented(named);
        if !invented.is_empty() {
            wrong.push(format!(
                "{invented:?} did not change: {:#?}",
                heard.after.lines
            ));
        }
        if !heard.altered.is_empty() {
            wrong.push(format!(
                "telling of the changes altered {:#?}",
                heard.altered
            ));
        }
        if !wrong.is_empty() {
            wrong.push(format!("the pause said {:#?}", heard.printed));
        }
        self.problems.extend(wrong);
    }

    /// How it was told more than once, if it was.
    fn is_split(&self) -> Option<String> {
        let Figures {
            bursts_after: bursts,
            restarts,
            ..
        } = &self.paused;
        let most = self.deploy.bursts;
        (bursts.len() > most || *restarts > most || bursts.is_empty())
            .then(|| format!("{restarts} restarts after the pause, and bursts: {bursts:#?}"))
    }
}

impl Figures {
    fn split(&self) -> (usize, usize) {
        (self.restarts, self.bursts_after.len())
    }
}
