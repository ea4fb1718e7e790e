//! Limits how many items have series. The items with most of anything that is exported stay.
//!
//! If one figure alone decided, a process that runs out of descriptors would be left out on a machine with many
//! watchers, and a pod that holds all instances would be left out beside pods with many watches.

use crate::model::{Row, UnitRow, User};
use std::cmp::Reverse;

/// Containers, pods and units.
const UNITS: usize = 100;

/// A cluster may give every pod a user of its own.
const USERS: usize = 200;

/// How much an item has of one thing.
type Rank<T> = fn(&T) -> u64;

/// The processes that have series, at most `most`, and how many have none.
pub fn processes(rows: Vec<Row>, most: usize) -> (Vec<Row>, u64) {
    const RANKS: &[Rank<Row>] = &[
        |row| row.watches.unwrap_or(0),
        |row| row.instances.unwrap_or(0),
        |row| row.fds.open.unwrap_or(0),
        // How much of its limit it uses, per mille.
        |row| match (row.fds.open, row.fds.soft_limit) {
            (Some(open), Some(limit)) => open.saturating_mul(1000) / limit.max(1),
            _ => 0,
        },
        |row| row.wal_bytes.unwrap_or(0),
        |row| row.worst().map_or(0, |worst| 1 + worst as u64),
    ];
    of_each(rows, most, RANKS)
}

/// The units that have series.
pub fn units(rows: Vec<UnitRow>) -> (Vec<UnitRow>, u64) {
    const RANKS: &[Rank<UnitRow>] = &[
        |row| row.used.watches,
        |row| row.used.instances,
        |row| row.used.fds.unwrap_or(0),
    ];
    let known = rows.into_iter().filter(|row| row.unit.is_some());
    of_each(known.collect(), UNITS, RANKS)
}

/// The users that have series.
pub fn users(users: Vec<User>) -> (Vec<User>, u64) {
    const RANKS: &[Rank<User>] = &[
        |user| user.watches.unwrap_or(0),
        |user| user.instances.unwrap_or(0),
    ];
    // Users of other user namespaces have limits of their own, and there may be any number of them.
    let here = users
        .into_iter()
        .filter(|user| user.account.user_namespace.is_none());
    of_each(here.collect(), USERS, RANKS)
}

/// Selects up to `limit` of `items`: each of `ranks` in turn takes the item with most of its figure among those not
/// taken yet. Items with nothing come last. The order of the items does not change. Also returns how many are left out.
fn of_each<T>(items: Vec<T>, limit: usize, ranks: &[Rank<T>]) -> (Vec<T>, u64) {
    let left_out = items.len().saturating_sub(limit);
    if left_out == 0 {
        return (items, 0);
    }
    let mut kept = vec![false; items.len()];
    let mut free = limit;
    let order = |rank: &Rank<T>| {
        let order = items.iter().map(rank).enumerate();
        let mut order: Vec<(usize, u64)> = order.filter(|(_, has)| *has > 0).collect();
        order.sort_by_key(|(_, has)| Reverse(*has));
        order.into_iter().map(|(at, _)| at)
    };
    let mut orders: Vec<_> = ranks.iter().map(order).collect();
    while free > 0 {
        let mut named = false;
        for order in &mut orders {
            let next = order.find(|&at| kept.get(at) == Some(&false));
            if let Some(kept) = next.filter(|_| free > 0).and_then(|at| kept.get_mut(at)) {
                *kept = true;
                free -= 1;
                named = true;
            }
        }
        if !named {
            break;
        }
    }
    for kept in kept.iter_mut().filter(|kept| !**kept).take(free) {
        *kept = true;
    }
    let mut kept = kept.into_iter();
    let items = items.into_iter().filter(|_| kept.next() == Some(true));
    (items.collect(), left_out as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Item = (u64, u64);
    const RANKS: &[Rank<Item>] = &[|item| item.0, |item| item.1];

    #[test]
    fn an_item_with_most_of_one_thing_stays_whatever_others_have_of_another() {
        let items = vec![(9, 0), (8, 0), (7, 0), (0, 1), (6, 0)];
        let (kept, left_out) = of_each(items, 3, RANKS);
        assert_eq!((kept, left_out), (vec![(9, 0), (8, 0), (0, 1)], 2));
    }

    #[test]
    fn an_item_with_nothing_takes_no_place_from_others() {
        let items = vec![(0, 0), (0, 0), (0, 7)];
        assert_eq!(of_each(items.clone(), 1, RANKS), (vec![(0, 7)], 2));
        assert_eq!(of_each(items, 2, RANKS), (vec![(0, 0), (0, 7)], 1));
    }

    #[test]
    fn nothing_is_left_out_if_there_is_room_for_all() {
        assert_eq!(
            of_each(vec![(0, 0), (1, 1)], 2, RANKS),
            (vec![(0, 0), (1, 1)], 0)
        );
        assert_eq!(of_each(vec![(1, 1)], 0, RANKS), (Vec::new(), 1));
    }

    proptest! {
        #[test]
        fn the_limit_is_used_up_and_the_items_with_most_stay(
            items in proptest::collection::vec((0..9u64, 0..9u64), 0..40), limit in 2..40usize,
        ) {
            let (kept, left_out) = of_each(items.clone(), limit, RANKS);
            prop_assert_eq!(kept.len(), items.len().min(limit));
            prop_assert_eq!(kept.len() as u64 + left_out, items.len() as u64);
            for rank in RANKS {
                prop_assert_eq!(kept.iter().map(rank).max(), items.iter().map(rank).max());
            }
        }
    }
}
