//! Walking in eight bytes a node (sixteen for doubles): children lie side by side, so that a step is
//! one load, one comparison and one addition, and trees of full depth fit the second cache.
//!
//! `x > threshold` goes to the second child. A leaf is its own first child under a threshold that
//! nothing exceeds and that carries the leaf's number: a walk that has arrived steps on the spot.
//! A value that is NaN, which exceeds nothing, would stay on the low side everywhere: blocks of rows
//! that hold one are walked with a look at the branch's own rule.
//!
//! A forest is larger than the caches, so many rows go through a few trees at a time, and those are
//! read from end to end before they are walked: forwards memory is fast, here and there it is slow.
//! Rows are copied to where a feature's place needs no check, and which walks have arrived is known
//! without reading back what was just written piece by piece, which a processor cannot forward.

use super::super::*;
use super::groups::{Group, Groups, MANY, read};
use super::plain::{Node, Tree, first_leaf};

/// Walks side by side: enough to hide the latency of a load, few enough to stay in registers.
const LANES: usize = 8;
/// Rows that share one pass over the trees.
const BLOCK: usize = 4096;
/// Trees that share one copy of the rows, and fit the second cache.
const TOGETHER: usize = 4;
/// Steps between two looks at whether all walks have arrived.
const STRIDE: u32 = 3;

/// A step's word: the feature, whether NaN goes low, and the first child's place in the tree.
const FEATURES: u32 = 12;
const NAN_LOW: u32 = 1 << FEATURES;
const CHILD: u32 = FEATURES + 1;
const MOST_NODES: usize = 1 << (32 - CHILD);

/// `threshold` is a key, see [`Real::key`]: integers compare and add up in fewer instructions.
#[derive(Clone, Copy, Debug)]
struct Step<K> {
    threshold: K,
    word: u32,
}

#[derive(Debug)]
struct Place {
    first: usize,
    end: usize,
    /// Number of its lowest leaf; the leaves' steps carry what is to be added.
    leaf: u32,
    /// How many leaves it has.
    leaves: u32,
    /// Steps of the longest path.
    depth: u32,
}

#[derive(Debug)]
pub(super) struct Packed<T: Real> {
    steps: Vec<Step<T::Key>>,
    trees: Vec<Place>,
    /// Columns that any branch looks at, from the first on.
    features: usize,
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
            trees: Vec::with_capacity(trees.len()),
            features: 0,
        };
        trees.iter().for_each(|tree| packed.push(tree));
        Some(packed)
    }

    /// Level by level: the first steps of all rows lie close together.
    fn push(&mut self, tree: &Tree<T>) {
        let first = self.steps.len();
        // Numbered from the low side on, all of them together.
        let leaf = first_leaf(tree, 0);
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
                        self.features = self.features.max(feature as usize + 1);
                        let rule = if nan_low { NAN_LOW } else { 0 };
                        self.steps.push(Step {
                            threshold: threshold.key(),
                            word: feature | rule | free << CHILD,
                        });
                        free += 2;
                        next.extend([low, high]);
                    }
                    Node::Leaf(number) => self.steps.push(Step {
                        threshold: T::carrier(number - leaf),
                        word: NAN_LOW | here << CHILD,
                    }),
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
        self.trees.push(Place {
            first,
            end,
            leaf,
            leaves: tree.leaves as u32,
            depth,
        });
    }

    fn blocks<const PAD: usize>(&self, rows: &[T], columns: usize, visit: &mut dyn FnMut(Group<'_>)) {
        for (block, rows) in rows.chunks(BLOCK * columns).enumerate() {
            let first = block * BLOCK;
            let nan = rows.iter().any(|value| value.is_nan());
            match (rows.len() < 2 * columns, nan) {
                (true, true) => self.one::<true, PAD>(rows, first, visit),
                (true, false) => self.one::<false, PAD>(rows, first, visit),
                (false, true) => self.many::<true, PAD>(rows, columns, first, visit),
                (false, false) => self.many::<false, PAD>(rows, columns, first, visit),
            }
        }
    }

    /// A block of rows: some trees at a time, rows side by side.
    fn many<const NAN: bool, const PAD: usize>(
        &self,
        rows: &[T],
        columns: usize,
        first: usize,
        visit: &mut dyn FnMut(Group<'_>),
    ) {
        let mut padded = [[T::Key::default(); PAD]; LANES];
        for (number, trees) in self.trees.chunks(TOGETHER).enumerate() {
            if rows.len() >= MANY * columns {
                for tree in trees {
                    read(&self.steps[tree.first..tree.end]);
                    visit(Group::Next(
                        tree.leaf as usize..(tree.leaf + tree.leaves) as usize,
                    ));
                }
            }
            for (group, rows) in rows.chunks(LANES * columns).enumerate() {
                // Idle lanes walk with an earlier row, and nobody asks where to.
                for (padded, row) in padded.iter_mut().zip(rows.chunks(columns)) {
                    self.keys(row, padded);
                }
                let (row, count) = (first + group * LANES, rows.len() / columns);
                for (tree, place) in (number * TOGETHER..).zip(trees) {
                    let steps = &self.steps[place.first..place.end];
                    let nodes = arrive(place.depth, |lane, node| {
                        next::<T, NAN, PAD>(&steps[node as usize], &padded[lane])
                    });
                    let leaves = nodes.map(|node| place.leaf + T::carried(steps[node as usize].threshold));
                    let leaves = &leaves[..count];
                    visit(Group::Rows { tree, row, leaves });
                }
            }
        }
    }

    #[inline(always)]
    fn keys<const PAD: usize>(&self, row: &[T], keys: &mut [T::Key; PAD]) {
        for (key, value) in keys.iter_mut().zip(&row[..self.features]) {
            *key = value.key();
        }
    }

    /// One row: trees side by side.
    fn one<const NAN: bool, const PAD: usize>(
        &self,
        values: &[T],
        row: usize,
        visit: &mut dyn FnMut(Group<'_>),
    ) {
        let mut padded = [T::Key::default(); PAD];
        self.keys(values, &mut padded);
        for (group, trees) in self.trees.chunks(LANES).enumerate() {
            // Idle lanes repeat the last tree.
            let place = |lane: usize| &trees[lane.min(trees.len() - 1)];
            // Steps of all trees are fewer than 2^30.
            let roots: [u32; LANES] = std::array::from_fn(|lane| place(lane).first as u32);
            let depth = trees.iter().map(|tree| tree.depth).max().unwrap_or(0);
            let nodes = arrive(depth, |lane, node| {
                next::<T, NAN, PAD>(&self.steps[(roots[lane] + node) as usize], &padded)
            });
            let leaves: [u32; LANES] = std::array::from_fn(|lane| {
                let step = &self.steps[(roots[lane] + nodes[lane]) as usize];
                place(lane).leaf + T::carried(step.threshold)
            });
            let (tree, leaves) = (group * LANES, &leaves[..trees.len()]);
            visit(Group::Trees { tree, row, leaves });
        }
    }
}

impl<T: Real> Groups<T> for Packed<T> {
    fn work(&self) -> usize {
        self.trees.iter().map(|tree| tree.depth as usize + 1).sum()
    }

    fn groups(&self, rows: &[T], columns: usize, visit: &mut dyn FnMut(Group<'_>)) {
        match self.features {
            ..=32 => self.blocks::<32>(rows, columns, visit),
            33..=256 => self.blocks::<256>(rows, columns, visit),
            _ => self.blocks::<{ 1 << FEATURES }>(rows, columns, visit),
        }
    }
}

/// Takes up to `depth` steps from the root in each lane.
#[inline(always)]
fn arrive(depth: u32, step: impl Fn(usize, u32) -> u32) -> [u32; LANES] {
    let mut nodes = [0; LANES];
    let mut left = depth;
    while left > 0 {
        for _ in 1..left.min(STRIDE) {
            for (lane, node) in nodes.iter_mut().enumerate() {
                *node = step(lane, *node);
            }
        }
        let mut moved = 0;
        for (lane, node) in nodes.iter_mut().enumerate() {
            let to = step(lane, *node);
            moved |= to ^ *node;
            *node = to;
        }
        // All have stepped on the spot.
        if moved == 0 {
            break;
        }
        left = left.saturating_sub(STRIDE);
    }
    nodes
}

#[inline(always)]
fn next<T: Real, const NAN: bool, const PAD: usize>(step: &Step<T::Key>, row: &[T::Key; PAD]) -> u32 {
    let Step { threshold, word } = *step;
    // `PAD` is a power of two, and a feature is below it.
    let value = row[word as usize % PAD];
    let high = if NAN && value == T::Key::default() {
        word & NAN_LOW == 0
    } else {
        value > threshold
    };
    (word >> CHILD) + u32::from(high)
}
