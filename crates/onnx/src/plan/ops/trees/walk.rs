//! Walking from the root, eight rows side by side, as in [`crate::eval`]'s engine of the same name:
//! a group of walks takes the same number of steps without a branch that depends on the row; a walk
//! that has arrived steps on the spot.

use super::super::*;
use super::plain::{Node, Tree};

/// Walks side by side: enough to hide the latency of a load, few enough to stay in registers.
const LANES: usize = 8;
/// Rows that share one pass over the trees.
const BLOCK: usize = 256;
/// Deeper groups look at each step whether all walks have arrived.
const ALWAYS: u32 = 8;
/// In a step's feature: NaN goes low.
const NAN_LOW: u32 = 1 << 31;

/// `row[feature] <= threshold` steps to `low`, else to `high`. A leaf steps to itself.
#[derive(Clone, Copy, Debug)]
struct Step<T> {
    threshold: T,
    feature: u32,
    low: u32,
    high: u32,
}

#[derive(Debug)]
pub(super) struct Walk<T> {
    steps: Vec<Step<T>>,
    /// The number of the leaf at a step that is one.
    leaves: Vec<u32>,
    roots: Vec<u32>,
    /// Steps of the longest path of each tree.
    depths: Vec<u32>,
    missing: bool,
}

impl<T: Real> Walk<T> {
    pub(super) fn new(trees: &[Tree<T>], missing: bool) -> Self {
        let mut walk = Walk {
            steps: Vec::with_capacity(trees.iter().map(|tree| tree.nodes.len()).sum()),
            leaves: Vec::new(),
            roots: Vec::with_capacity(trees.len()),
            depths: Vec::with_capacity(trees.len()),
            missing,
        };
        for tree in trees {
            // `Forest` keeps the count below 2^30.
            let root = walk.steps.len() as u32;
            walk.roots.push(root);
            walk.depths.push(depth(tree));
            for (here, node) in (root..).zip(&tree.nodes) {
                walk.leaves.push(match *node {
                    Node::Branch { .. } => 0,
                    Node::Leaf(leaf) => leaf,
                });
                walk.steps.push(match *node {
                    Node::Branch {
                        feature,
                        threshold,
                        low,
                        high,
                        nan_low,
                    } => Step {
                        threshold,
                        feature: feature | if nan_low { NAN_LOW } else { 0 },
                        low: root + low,
                        high: root + high,
                    },
                    Node::Leaf(_) => Step {
                        threshold: T::default(),
                        feature: 0,
                        low: here,
                        high: here,
                    },
                });
            }
        }
        walk
    }

    pub(super) fn work(&self) -> usize {
        self.depths.iter().map(|depth| *depth as usize + 1).sum()
    }

    /// Hands `(tree, row, leaf)` to `each`; for one row in the order of the trees.
    #[inline(always)]
    pub(super) fn each_leaf(&self, rows: &[T], columns: usize, mut each: impl FnMut(usize, usize, u32)) {
        if rows.len() < 2 * columns {
            return self.each_tree(rows, |tree, leaf| each(tree, 0, leaf));
        }
        for (block, rows) in rows.chunks(BLOCK * columns).enumerate() {
            for (tree, (&root, &depth)) in self.roots.iter().zip(&self.depths).enumerate() {
                for (group, rows) in rows.chunks(LANES * columns).enumerate() {
                    let first = block * BLOCK + group * LANES;
                    let count = rows.len() / columns;
                    // Idle lanes repeat the last row.
                    let starts = std::array::from_fn(|lane| lane.min(count - 1) * columns);
                    let nodes = self.arrive([root; LANES], rows, starts, depth);
                    for (lane, &node) in nodes[..count].iter().enumerate() {
                        each(tree, first + lane, self.leaves[node as usize]);
                    }
                }
            }
        }
    }

    /// One row: as many trees side by side.
    #[inline(always)]
    fn each_tree(&self, row: &[T], mut each: impl FnMut(usize, u32)) {
        let groups = self.roots.chunks(LANES).zip(self.depths.chunks(LANES));
        for (group, (roots, depths)) in groups.enumerate() {
            let depth = depths.iter().copied().max().unwrap_or(0);
            // Idle lanes repeat the last tree.
            let starts = std::array::from_fn(|lane| roots[lane.min(roots.len() - 1)]);
            let nodes = self.arrive(starts, row, [0; LANES], depth);
            for (lane, &node) in nodes[..roots.len()].iter().enumerate() {
                each(group * LANES + lane, self.leaves[node as usize]);
            }
        }
    }

    #[inline(always)]
    fn arrive(&self, nodes: [u32; LANES], rows: &[T], starts: [usize; LANES], depth: u32) -> [u32; LANES] {
        if self.missing {
            self.steps::<true>(nodes, rows, starts, depth)
        } else {
            self.steps::<false>(nodes, rows, starts, depth)
        }
    }

    /// Takes up to `depth` steps in each lane, from `nodes`, over the row that begins at `starts`.
    #[inline(always)]
    fn steps<const MISSING: bool>(
        &self,
        mut nodes: [u32; LANES],
        rows: &[T],
        starts: [usize; LANES],
        depth: u32,
    ) -> [u32; LANES] {
        let step = |nodes: &mut [u32; LANES]| {
            for (node, start) in nodes.iter_mut().zip(starts) {
                let step = &self.steps[*node as usize];
                let feature = if MISSING {
                    step.feature & !NAN_LOW
                } else {
                    step.feature
                };
                let value = rows[start + feature as usize];
                let low =
                    value <= step.threshold || (MISSING && step.feature & NAN_LOW != 0 && value.is_nan());
                *node = if low { step.low } else { step.high };
            }
        };
        for _ in 0..depth.min(ALWAYS) {
            step(&mut nodes);
        }
        for _ in ALWAYS..depth {
            let before = nodes;
            step(&mut nodes);
            if nodes == before {
                break;
            }
        }
        nodes
    }
}

/// Steps of the longest path. Children come after their branches, so one pass forwards does.
fn depth<T>(tree: &Tree<T>) -> u32 {
    let mut depths = vec![0u32; tree.nodes.len()];
    let mut deepest = 0;
    for (place, node) in tree.nodes.iter().enumerate() {
        let here = depths[place];
        deepest = deepest.max(here);
        if let Node::Branch { low, high, .. } = *node {
            for child in [low, high] {
                let child = &mut depths[child as usize];
                *child = (*child).max(here + 1);
            }
        }
    }
    deepest
}
