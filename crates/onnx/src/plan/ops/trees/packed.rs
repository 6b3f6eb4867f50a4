//! Walking in eight bytes a node (sixteen for doubles): children lie side by side, so that a step is
//! one load, one comparison and one addition, and trees of full depth fit the second cache.
//!
//! `x > threshold` goes to the second child. A leaf is its own first child under a threshold that
//! nothing exceeds, and so are steps on the spot. NaN, which exceeds nothing, would stay on the low
//! side everywhere: blocks of rows that hold one are walked with a look at the branch's own rule.

use super::super::*;
use super::plain::{Node, Tree};

/// Walks side by side: enough to hide the latency of a load, few enough to stay in registers.
const LANES: usize = 8;
/// Rows that share one pass over the trees.
const BLOCK: usize = 256;
/// Steps between two looks at whether all walks have arrived.
const STRIDE: u32 = 3;

/// A step's word: the feature, whether NaN goes low, and the first child's place in the tree.
const FEATURES: u32 = 12;
const NAN_LOW: u32 = 1 << FEATURES;
const CHILD: u32 = FEATURES + 1;
const MOST_NODES: usize = 1 << (32 - CHILD);

#[derive(Clone, Copy, Debug)]
struct Step<T> {
    threshold: T,
    word: u32,
}

#[derive(Debug)]
struct Place {
    first: usize,
    end: usize,
    /// Steps of the longest path.
    depth: u32,
}

#[derive(Debug)]
pub(super) struct Packed<T> {
    steps: Vec<Step<T>>,
    /// The number of the leaf at a step that is one.
    leaves: Vec<u32>,
    trees: Vec<Place>,
}

impl<T: Real> Packed<T> {
    /// `None` when a tree is too large, too wide, or no tree.
    pub(super) fn new(trees: &[Tree<T>]) -> Option<Self> {
        let fits = |tree: &Tree<T>| {
            let fits = |node: &Node<T>| match node {
                Node::Branch {
                    feature, threshold, ..
                } => *feature < 1 << FEATURES && !threshold.is_nan(),
                Node::Leaf(_) => true,
            };
            // One place more than nodes: the root has no sibling.
            !tree.shared && tree.nodes.len() < MOST_NODES && tree.nodes.iter().all(fits)
        };
        if !trees.iter().all(fits) {
            return None;
        }
        let count = trees.iter().map(|tree| tree.nodes.len()).sum();
        let mut packed = Packed {
            steps: Vec::with_capacity(count),
            leaves: Vec::with_capacity(count),
            trees: Vec::with_capacity(trees.len()),
        };
        trees.iter().for_each(|tree| packed.push(tree));
        Some(packed)
    }

    /// Level by level: the first steps of all rows lie close together.
    fn push(&mut self, tree: &Tree<T>) {
        let first = self.steps.len();
        let mut level = vec![0u32];
        let (mut next, mut depth) = (Vec::new(), 0);
        // Places in the tree, from the root's on.
        let (mut here, mut free) = (0u32, 1u32);
        loop {
            for node in level.drain(..) {
                match tree.nodes[node as usize] {
                    Node::Branch {
                        feature,
                        threshold,
                        low,
                        high,
                        nan_low,
                    } => {
                        let rule = if nan_low { NAN_LOW } else { 0 };
                        self.steps.push(Step {
                            threshold,
                            word: feature | rule | free << CHILD,
                        });
                        self.leaves.push(0);
                        free += 2;
                        next.extend([low, high]);
                    }
                    Node::Leaf(leaf) => {
                        self.steps.push(Step {
                            threshold: T::INFINITY,
                            word: NAN_LOW | here << CHILD,
                        });
                        self.leaves.push(leaf);
                    }
                }
                here += 1;
            }
            if next.is_empty() {
                break;
            }
            std::mem::swap(&mut level, &mut next);
            depth += 1;
        }
        let end = self.steps.len();
        self.trees.push(Place { first, end, depth });
    }

    pub(super) fn work(&self) -> usize {
        self.trees.iter().map(|tree| tree.depth as usize + 1).sum()
    }

    /// Hands `(tree, row, leaf)` to `each`; for one row in the order of the trees.
    #[inline(always)]
    pub(super) fn each_leaf(&self, rows: &[T], columns: usize, mut each: impl FnMut(usize, usize, u32)) {
        if rows.len() < 2 * columns {
            return if rows.iter().any(|value| value.is_nan()) {
                self.each_tree::<true>(rows, |tree, leaf| each(tree, 0, leaf))
            } else {
                self.each_tree::<false>(rows, |tree, leaf| each(tree, 0, leaf))
            };
        }
        for (block, rows) in rows.chunks(BLOCK * columns).enumerate() {
            let each = |tree: usize, row: usize, leaf: u32| each(tree, block * BLOCK + row, leaf);
            if rows.iter().any(|value| value.is_nan()) {
                self.each_row::<true>(rows, columns, each);
            } else {
                self.each_row::<false>(rows, columns, each);
            }
        }
    }

    /// A block of rows: tree by tree, some rows side by side.
    #[inline(always)]
    fn each_row<const NAN: bool>(&self, rows: &[T], columns: usize, mut each: impl FnMut(usize, usize, u32)) {
        for (number, tree) in self.trees.iter().enumerate() {
            let steps = &self.steps[tree.first..tree.end];
            let leaves = &self.leaves[tree.first..tree.end];
            for (group, rows) in rows.chunks(LANES * columns).enumerate() {
                let count = rows.len() / columns;
                // Idle lanes repeat the last row.
                let starts: [usize; LANES] = std::array::from_fn(|lane| lane.min(count - 1) * columns);
                let mut nodes = [0u32; LANES];
                let mut left = tree.depth;
                while left > 0 {
                    let before = nodes;
                    for _ in 0..left.min(STRIDE) {
                        for lane in 0..LANES {
                            nodes[lane] = next::<T, NAN>(steps, nodes[lane], rows, starts[lane]);
                        }
                    }
                    if nodes == before {
                        break;
                    }
                    left -= left.min(STRIDE);
                }
                for (lane, &node) in nodes[..count].iter().enumerate() {
                    each(number, group * LANES + lane, leaves[node as usize]);
                }
            }
        }
    }

    /// One row: some trees side by side.
    #[inline(always)]
    fn each_tree<const NAN: bool>(&self, row: &[T], mut each: impl FnMut(usize, u32)) {
        for (group, trees) in self.trees.chunks(LANES).enumerate() {
            // Idle lanes repeat the last tree.
            let steps: [&[Step<T>]; LANES] = std::array::from_fn(|lane| {
                let tree = &trees[lane.min(trees.len() - 1)];
                &self.steps[tree.first..tree.end]
            });
            let mut left = trees.iter().map(|tree| tree.depth).max().unwrap_or(0);
            let mut nodes = [0u32; LANES];
            while left > 0 {
                let before = nodes;
                for _ in 0..left.min(STRIDE) {
                    for lane in 0..LANES {
                        nodes[lane] = next::<T, NAN>(steps[lane], nodes[lane], row, 0);
                    }
                }
                if nodes == before {
                    break;
                }
                left -= left.min(STRIDE);
            }
            for (lane, (tree, node)) in trees.iter().zip(nodes).enumerate() {
                each(group * LANES + lane, self.leaves[tree.first + node as usize]);
            }
        }
    }
}

#[inline(always)]
fn next<T: Real, const NAN: bool>(steps: &[Step<T>], node: u32, rows: &[T], start: usize) -> u32 {
    let Step { threshold, word } = steps[node as usize];
    let value = rows[start + (word & ((1 << FEATURES) - 1)) as usize];
    let high = if NAN && value.is_nan() {
        word & NAN_LOW == 0
    } else {
        value > threshold
    };
    (word >> CHILD) + u32::from(high)
}
