//! What engines that take rows side by side have in common: they tell where a group of walks ended.

use std::ops::Range;

/// Rows for which trees are read from end to end first.
pub(super) const MANY: usize = 64;
/// Bytes that come from memory at once.
const LINE: usize = 64;

/// Where some walks ended.
pub(super) enum Group<'a> {
    /// Many rows go to these leaves next.
    Next(Range<usize>),
    /// Rows from `row` on are at `leaves` of one tree.
    Rows {
        tree: usize,
        row: usize,
        leaves: &'a [u32],
    },
    /// A row is at `leaves` of the trees from `tree` on.
    Trees {
        tree: usize,
        row: usize,
        leaves: &'a [u32],
    },
}

pub(super) trait Groups<T>: std::fmt::Debug + Send + Sync {
    /// Steps of work a row, at most.
    fn work(&self) -> usize;

    /// Tells where rows ended, each row in the order of the trees.
    fn groups(&self, rows: &[T], columns: usize, visit: &mut dyn FnMut(Group<'_>));
}

/// Hands `(tree, row, leaf)` to `each`, for each row in the order of the trees.
#[inline(always)]
pub(super) fn each_leaf<T>(
    engine: &dyn Groups<T>,
    rows: &[T],
    columns: usize,
    mut each: impl FnMut(usize, usize, u32),
) {
    // One call for some walks, so that the walk is there once and not for each `each`.
    engine.groups(rows, columns, &mut |group| match group {
        Group::Next(_) => {}
        Group::Rows { tree, row, leaves } => {
            for (row, leaf) in (row..).zip(leaves) {
                each(tree, row, *leaf);
            }
        }
        Group::Trees { tree, row, leaves } => {
            for (tree, leaf) in (tree..).zip(leaves) {
                each(tree, row, *leaf);
            }
        }
    });
}

/// Brings what will be read here and there into the cache.
pub(super) fn read<V: Copy>(values: &[V]) {
    let each = (LINE / size_of::<V>().max(1)).max(1);
    for value in values.iter().step_by(each) {
        std::hint::black_box(*value);
    }
}
