//! Watches by directory: thousands of rows become the few directories that hold most of them.

use crate::model::{Name, Process};
use std::collections::HashMap;

/// How many directories are shown.
const SHOWN: usize = 10;

/// Where the watches are.
#[derive(Debug, PartialEq, Eq)]
pub struct Top {
    /// Directories that do not contain each other, with the number of watches at and below each; most first.
    pub rows: Vec<(Name, usize)>,
    /// The directory that contains all of them, with the number of watches on it itself, if any.
    pub root: Option<(Name, usize)>,
    /// Watches with a path outside all of these.
    pub elsewhere: usize,
}

/// The few directories that say the most about where the watches of a process are.
pub fn top_directories(process: &Process) -> Top {
    let watches = process.inotify.iter().flat_map(|i| &i.watches);
    roll_up(watches.filter_map(|watch| Some(watch.path.as_ref()?.as_bytes())))
}

/// The few directories that say the most about where `paths` are.
pub fn roll_up<'a>(paths: impl Iterator<Item = &'a [u8]> + Clone) -> Top {
    // The deepest directory that contains everything, and its entries.
    let Some(start) = paths.clone().reduce(common) else {
        return Top {
            rows: Vec::new(),
            root: None,
            elsewhere: 0,
        };
    };
    let mut total = 0;
    let mut groups: HashMap<&[u8], Group<'a>> = HashMap::new();
    for path in paths {
        total += 1;
        if path.len() > start.len() {
            let group = groups.entry(below(start, path)).or_insert(Group {
                holds: path,
                watches: 0,
            });
            group.holds = common(group.holds, path);
            group.watches += 1;
        }
    }
    let inside: usize = groups.values().map(|group| group.watches).sum();
    let mut rows: Vec<_> = groups.into_values().collect();
    let most = |a: &Group<'_>, b: &Group<'_>| b.watches.cmp(&a.watches).then(a.holds.cmp(b.holds));
    // There may be one for each of 100,000 watches. Only those that are shown are sorted.
    if rows.len() > SHOWN {
        rows.select_nth_unstable_by(SHOWN, most);
        rows.truncate(SHOWN);
    }
    rows.sort_by(most);
    let shown: usize = rows.iter().map(|group| group.watches).sum();
    // To name a few of many equal directories says no more than to name the directory that contains them.
    if rows.is_empty() || shown * 2 < inside {
        return Top {
            rows: vec![(start.into(), total)],
            root: None,
            elsewhere: 0,
        };
    }
    Top {
        rows: rows
            .into_iter()
            .map(|group| (group.holds.into(), group.watches))
            .collect(),
        root: (total > inside).then(|| (start.into(), total - inside)),
        elsewhere: inside - shown,
    }
}

/// Watches in one directory of the first level.
struct Group<'a> {
    /// The deepest directory that contains all of them.
    holds: &'a [u8],
    watches: usize,
}

/// The deepest path at or above both.
fn common<'a>(a: &'a [u8], b: &'a [u8]) -> &'a [u8] {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let ends = |path: &[u8]| path.get(same).is_none_or(|&byte| byte == b'/');
    if ends(a) && ends(b) && same > 1 {
        return a.get(..same).unwrap_or(a);
    }
    let whole = a.get(..same).unwrap_or(a);
    match whole.iter().rposition(|&byte| byte == b'/') {
        Some(at) if at > 0 => whole.get(..at).unwrap_or(whole),
        _ => b"/",
    }
}

/// The first component of `path` below `start`, with everything above it.
fn below<'a>(start: &[u8], path: &'a [u8]) -> &'a [u8] {
    let from = if start == b"/" { 1 } else { start.len() + 1 };
    let rest = path.get(from..).unwrap_or_default();
    let end = rest.iter().position(|&byte| byte == b'/');
    end.and_then(|end| path.get(..from + end)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(paths: &[&str]) -> Vec<(String, usize)> {
        let top = roll_up(paths.iter().map(|path| path.as_bytes()));
        let rows = top.rows.iter();
        rows.map(|(path, count)| (path.to_string(), *count))
            .collect()
    }

    #[test]
    fn a_subtree_is_one_row_however_deep_its_watches_are() {
        let mut paths = vec!["/p/src", "/p/src/a", "/p"];
        paths.extend([
            "/p/node_modules/x/y",
            "/p/node_modules/x/z",
            "/p/node_modules/w/v/u",
        ]);
        paths.push("/p/node_modules");
        let wanted = [("/p/node_modules".to_owned(), 4), ("/p/src".to_owned(), 2)];
        assert_eq!(shown(&paths), wanted);
        // The watches on the common directory are counted nowhere else.
        let top = roll_up(paths.iter().map(|path| path.as_bytes()));
        assert_eq!((top.root, top.elsewhere), (Some(("/p".into(), 1)), 0));
    }

    #[test]
    fn many_equal_directories_are_shown_as_the_one_that_contains_them() {
        let paths: Vec<_> = (0..100).map(|n| format!("/t/d{n}")).collect();
        let paths: Vec<_> = paths.iter().map(String::as_str).collect();
        assert_eq!(shown(&paths), [("/t".to_owned(), 100)]);
    }

    #[test]
    fn names_that_begin_alike_are_different_directories() {
        let wanted = [("/a-b/x".to_owned(), 1), ("/a/x".to_owned(), 1)];
        assert_eq!(shown(&["/a/x", "/a-b/x"]), wanted);
    }

    #[test]
    fn one_watch_is_its_own_row_and_no_watch_is_no_row() {
        assert_eq!(shown(&["/a/b"]), [("/a/b".to_owned(), 1)]);
        assert_eq!(shown(&["/"]), [("/".to_owned(), 1)]);
        assert!(shown(&[]).is_empty());
    }
}
