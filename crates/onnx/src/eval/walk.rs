//! Walking from the root: 16 bytes a node, leaves that point at themselves, eight walks side by side.
//!
//! A walk that stops at its leaf ends each tree with a branch the processor cannot predict, and
//! waits for one load after the other. Here a group of walks takes the same number of steps without
//! a branch that depends on the row; a walk that has arrived steps on the spot.

use crate::ensemble::{Node, TreeEnsemble};

/// Walks side by side: enough to hide the latency of a load, few enough to stay in registers.
const LANES: usize = 8;
/// Rows of a batch that share one pass over the trees.
const BLOCK: usize = 64;
/// Deeper groups look at each step whether all walks have arrived.
const ALWAYS: u32 = 8;

/// `row[feature] <= threshold` steps to `low`, else to `high`. A leaf steps to itself whatever the
/// comparison says (also for NaN), so its `threshold` is free: its bits are the place of its values.
#[derive(Clone, Copy, Debug)]
struct Step {
    threshold: f32,
    feature: u32,
    low: u32,
    high: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Walk {
    steps: Vec<Step>,
    values: Vec<f32>,
    roots: Vec<u32>,
    /// Steps of the longest path of each tree.
    depths: Vec<u32>,
}

impl Walk {
    pub(super) fn new(ensemble: &TreeEnsemble) -> Self {
        let trees = ensemble.trees();
        let mut walk = Walk {
            steps: Vec::with_capacity(trees.iter().map(|tree| tree.nodes.len()).sum()),
            values: Vec::with_capacity(trees.iter().map(|tree| tree.values.len()).sum()),
            roots: Vec::with_capacity(trees.len()),
            depths: Vec::with_capacity(trees.len()),
        };
        for tree in trees {
            // `TreeEnsemble` keeps both counts below 2^32.
            let (root, values) = (walk.steps.len() as u32, walk.values.len() as u32);
            walk.roots.push(root);
            walk.depths.push(depth(&tree.nodes));
            walk.values.extend_from_slice(&tree.values);
            walk.steps
                .extend((root..).zip(&tree.nodes).map(|(here, node)| match *node {
                    Node::Branch {
                        feature,
                        threshold,
                        low,
                        high,
                    } => Step {
                        threshold,
                        feature,
                        low: root + low,
                        high: root + high,
                    },
                    Node::Leaf { first } => Step {
                        threshold: f32::from_bits(values + first),
                        feature: 0,
                        low: here,
                        high: here,
                    },
                }));
        }
        walk
    }

    /// Hands the leaf values of each tree to `each`, in the order of the trees.
    #[inline(always)]
    pub(super) fn each_leaf(&self, row: &[f32], width: usize, mut each: impl FnMut(&[f32])) {
        for (roots, depths) in self.roots.chunks(LANES).zip(self.depths.chunks(LANES)) {
            let depth = depths.iter().copied().max().unwrap_or(0);
            // Idle lanes repeat the last tree.
            let starts = std::array::from_fn(|lane| roots[lane.min(roots.len() - 1)]);
            let leaves = self.arrive(starts, row, [0; LANES], depth);
            for &leaf in &leaves[..roots.len()] {
                each(self.leaf(leaf, width));
            }
        }
    }

    /// Sums the leaves of many rows (`[n, features]`) into `scores` (`[n, width]`): tree by tree over
    /// blocks of rows, so that a tree larger than the cache is fetched once a block.
    pub(super) fn sum_rows(&self, rows: &[f32], features: usize, scores: &mut [f32], width: usize) {
        let blocks = rows
            .chunks(BLOCK * features)
            .zip(scores.chunks_mut(BLOCK * width));
        for (rows, scores) in blocks {
            scores.fill(0.0);
            for (&root, &depth) in self.roots.iter().zip(&self.depths) {
                let groups = rows
                    .chunks(LANES * features)
                    .zip(scores.chunks_mut(LANES * width));
                for (rows, scores) in groups {
                    let count = scores.len() / width;
                    // Idle lanes repeat the last row.
                    let starts = std::array::from_fn(|lane| lane.min(count - 1) * features);
                    let leaves = self.arrive([root; LANES], rows, starts, depth);
                    for (scores, leaf) in scores.chunks_mut(width).zip(leaves) {
                        super::add(scores, self.leaf(leaf, width));
                    }
                }
            }
        }
    }

    /// Takes up to `depth` steps in each lane, from `nodes`, over the row that begins at `starts`.
    #[inline(always)]
    fn arrive(
        &self,
        mut nodes: [u32; LANES],
        rows: &[f32],
        starts: [usize; LANES],
        depth: u32,
    ) -> [u32; LANES] {
        // What is read back to be compared was written piece by piece, which a processor cannot
        // forward; so whether anything moved is gathered on the way.
        let step = |nodes: &mut [u32; LANES]| {
            let mut moved = 0;
            for (node, start) in nodes.iter_mut().zip(starts) {
                let step = &self.steps[*node as usize];
                let low = rows[start + step.feature as usize] <= step.threshold;
                let to = if low { step.low } else { step.high };
                moved |= to ^ *node;
                *node = to;
            }
            moved
        };
        for _ in 0..depth.min(ALWAYS) {
            step(&mut nodes);
        }
        for _ in ALWAYS..depth {
            if step(&mut nodes) == 0 {
                break;
            }
        }
        nodes
    }

    #[inline(always)]
    fn leaf(&self, node: u32, width: usize) -> &[f32] {
        let first = self.steps[node as usize].threshold.to_bits() as usize;
        &self.values[first..first + width]
    }
}

fn depth(nodes: &[Node]) -> u32 {
    let (mut deepest, mut open) = (0, vec![(0u32, 0u32)]);
    while let Some((node, depth)) = open.pop() {
        match nodes[node as usize] {
            Node::Branch { low, high, .. } => open.extend([(high, depth + 1), (low, depth + 1)]),
            Node::Leaf { .. } => deepest = deepest.max(depth),
        }
    }
    deepest
}
