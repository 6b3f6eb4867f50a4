//! Trees of at most 64 leaves as bit masks: QuickScorer (Lucchese et al., SIGIR 2015).
//!
//! A tree's leaves are the bits of a word, the lowest bit the lowest leaf. A branch whose test fails
//! (`!(x <= threshold)`) rules out the leaves of its lower side; when all failing branches have been
//! applied, in any order, the lowest bit left is the leaf a walk would reach. So the branches of all
//! trees are kept by feature in ascending order of threshold, and a row applies a prefix of each list:
//! memory is read forwards, and only one branch a feature is hard to predict.

use crate::ensemble::{Node, Output, Tree, TreeEnsemble};

/// Trees whose masks are kept side by side on the stack.
const TREES: usize = 128;

/// One branch of one tree.
#[derive(Clone, Copy, Debug)]
struct Cut {
    threshold: f32,
    /// Below [`TREES`].
    tree: u32,
    /// All leaves but those of the lower side.
    mask: u64,
}

/// The cuts of a block on one feature: `cuts[start..end]`.
#[derive(Clone, Copy, Debug)]
struct Run {
    feature: u32,
    start: u32,
    end: u32,
}

/// Up to [`TREES`] trees.
#[derive(Clone, Debug)]
struct Block {
    runs: Vec<Run>,
    cuts: Vec<Cut>,
    /// For each tree the place of its lowest leaf's values; its other leaves follow.
    first_values: Vec<u32>,
    values: Vec<f32>,
}

#[derive(Clone, Debug)]
pub(super) struct Bits {
    blocks: Vec<Block>,
}

impl Bits {
    /// `None` when a tree has more leaves than a word has bits.
    pub(super) fn new(ensemble: &TreeEnsemble) -> Option<Self> {
        let leaves = |tree: &Tree| tree.nodes.len() / 2 + 1;
        if ensemble.trees().iter().any(|tree| leaves(tree) > 64) {
            return None;
        }
        let blocks = ensemble.trees().chunks(TREES);
        Some(Bits {
            blocks: blocks.map(|trees| Block::new(trees, ensemble.output())).collect(),
        })
    }

    /// Hands the leaf values of each tree to `each`, in the order of the trees.
    #[inline(always)]
    pub(super) fn each_leaf(&self, row: &[f32], width: usize, mut each: impl FnMut(&[f32])) {
        for block in &self.blocks {
            let mut leaves = [u64::MAX; TREES];
            for run in &block.runs {
                let value = row[run.feature as usize];
                for cut in &block.cuts[run.start as usize..run.end as usize] {
                    if value <= cut.threshold {
                        break;
                    }
                    leaves[cut.tree as usize % TREES] &= cut.mask;
                }
            }
            for (first, leaves) in block.first_values.iter().zip(leaves) {
                let place = *first as usize + leaves.trailing_zeros() as usize * width;
                each(&block.values[place..place + width]);
            }
        }
    }
}

impl Block {
    fn new(trees: &[Tree], output: Output) -> Self {
        let width = output.width();
        let mut block = Block {
            runs: Vec::new(),
            cuts: Vec::new(),
            first_values: Vec::with_capacity(trees.len()),
            values: Vec::new(),
        };
        let mut cuts: Vec<(u32, Cut)> = Vec::new();
        for (number, tree) in (0u32..).zip(trees) {
            block.first_values.push(block.values.len() as u32);
            let mut leaves = 0u32;
            let mut open = vec![Visit::Node(0)];
            while let Some(visit) = open.pop() {
                match visit {
                    Visit::Node(node) => match tree.nodes[node as usize] {
                        Node::Leaf { first } => {
                            leaves += 1;
                            let first = first as usize;
                            block.values.extend_from_slice(&tree.values[first..first + width]);
                        }
                        Node::Branch { low, high, .. } => {
                            let lowest = leaves;
                            open.extend([
                                Visit::Node(high),
                                Visit::LowDone { node, lowest },
                                Visit::Node(low),
                            ]);
                        }
                    },
                    Visit::LowDone { node, lowest } => {
                        if let Node::Branch {
                            feature, threshold, ..
                        } = tree.nodes[node as usize]
                        {
                            // At least one leaf follows, so `leaves` is below 64.
                            let mask = !((1u64 << leaves) - (1u64 << lowest));
                            let tree = number;
                            cuts.push((
                                feature,
                                Cut {
                                    threshold,
                                    tree,
                                    mask,
                                },
                            ));
                        }
                    }
                }
            }
        }
        cuts.sort_by(|(f, a), (g, b)| f.cmp(g).then(a.threshold.total_cmp(&b.threshold)));
        for (feature, cut) in cuts {
            let place = block.cuts.len() as u32;
            match block.runs.last_mut() {
                Some(run) if run.feature == feature => run.end = place + 1,
                _ => block.runs.push(Run {
                    feature,
                    start: place,
                    end: place + 1,
                }),
            }
            block.cuts.push(cut);
        }
        block
    }
}

/// Steps of a walk through a whole tree, low side first.
enum Visit {
    Node(u32),
    /// All leaves of the lower side of this branch have been counted, from number `lowest` on.
    LowDone {
        node: u32,
        lowest: u32,
    },
}
