//! What the rules make of one event of a stream.

use rules::event;
use rules::record;
use rules::rule::Log;
use rules::{Rule, Rules};

use super::api::{
    CHANGE_OWNER, CLONED, CREATED, FINDER_INFO_MOD, INODE_META_MOD, IS_DIR, MODIFIED,
    OF_THE_SYSTEM, REMOVED, RENAMED, XATTR_MOD,
};

/// Flags that say what happened; the others say what it happened to.
const CHANGES: u32 = CREATED
    | REMOVED
    | INODE_META_MOD
    | RENAMED
    | MODIFIED
    | FINDER_INFO_MOD
    | CHANGE_OWNER
    | XATTR_MOD
    | CLONED;

/// What `chmod` among the stripped words stands for. INODE_META_MOD is what a touch and a truncate raise.
const CHMOD: u32 = FINDER_INFO_MOD | CHANGE_OWNER | XATTR_MOD;

/// What becomes of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is handed over, with these flags.
    Keep(u32),
    /// It is not, for this rule.
    Remove(Rule),
}

/// Decides one event. Where a path is not known it is empty.
pub fn judge(rules: &Rules<'_>, path: &[u8], flags: u32, names_files: bool) -> Verdict {
    if flags & OF_THE_SYSTEM != 0 {
        return Verdict::Keep(flags);
    }
    if rules.drop.match_below(path, rules.home) {
        return Verdict::Remove(Rule::Drop);
    }
    if !names_files {
        return Verdict::Keep(flags);
    }
    let name = path.rsplit(|&c| c == b'/').next().unwrap_or(path);
    if flags & IS_DIR == 0 && !name.is_empty() && record::ignored(rules, name) {
        let is_log = match rules.log {
            Log::File(log) => log.rsplit(|&c| c == b'/').next() == Some(name),
            Log::None | Log::Stderr => false,
        };
        return Verdict::Remove(if is_log { Rule::Log } else { Rule::Ignore });
    }
    let left = flags & !stripped(rules);
    // One that says nothing of a change is not known here.
    if flags & CHANGES != 0 && left & CHANGES == 0 {
        return Verdict::Remove(Rule::Strip);
    }
    Verdict::Keep(left)
}

/// The flags that say no more than events that are stripped.
fn stripped(rules: &Rules<'_>) -> u32 {
    let chmod = if rules.chmod { CHMOD } else { 0 };
    [
        (event::MODIFY, MODIFIED),
        (event::ATTRIB, CHMOD | INODE_META_MOD),
        (event::CREATE, CREATED | CLONED),
        (event::DELETE, REMOVED),
        (event::MOVED_FROM | event::MOVED_TO, RENAMED),
    ]
    .into_iter()
    .filter(|(events, _)| rules.strip & events == *events)
    .fold(chmod, |all, (_, flags)| all | flags)
}
