//! `fdscan top`

use super::{answer, complain, layout};
use inspect::Exit;
use inspect::cli::TopArgs;
use inspect::gather::{Named, Selection, Users};
use inspect::render::{self, Detail};

/// Processes listed as text without `--limit`, at most; and at least, however small the screen is.
const ROWS: usize = 20;
const FEW: usize = 5;
/// Lines that stand around them: headings, users, and what it comes to.
const OTHER: usize = 16;

fn rows() -> usize {
    match inspect::terminal_rows() {
        Some(rows) => usize::from(rows).saturating_sub(OTHER).clamp(FEW, ROWS),
        None => ROWS,
    }
}

/// Looks at all processes and lists those asked for.
pub fn top(args: &TopArgs) -> Exit {
    let users = Users::read();
    let uid = match &args.user {
        None => None,
        Some(user) => match users.uid(user) {
            Some(uid) => Some(uid),
            None => {
                complain(&format!(
                    "there is no user '{user}' in /etc/passwd: give a name that is, or a number"
                ));
                return Exit::Usage;
            }
        },
    };
    let named = args.name.clone().map(|name| Named {
        names: vec![name],
        pids: Vec::new(),
    });
    let selection = Selection { uid, named };
    let mut top = match inspect::top(&selection, &users) {
        Ok(top) => top,
        Err(e) => {
            complain(&format!("/proc cannot be listed: {e}"));
            return Exit::NotPermitted;
        }
    };
    let exit = Exit::of_top(&top, args.answer.fail_on.least());
    let limit = args.limit.or_else(|| (!args.answer.json).then(rows));
    top.arrange(args.sort, limit.filter(|&limit| limit > 0));
    let layout = layout(args.answer.color, Detail::Short);
    if let Err(exit) = answer(args.answer, &top, |to| render::top_text(&top, layout, to)) {
        return exit;
    }
    if exit == Exit::NoProcess {
        complain("no process matches");
    }
    exit
}
