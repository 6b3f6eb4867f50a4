//! Where a tree is cut into the blocks of [`super::blocks`].

use super::super::*;
use super::plain::{Node, Tree};

/// Exits of a block; it has a branch less.
pub(super) const EXITS: usize = 16;
/// Exits of the block at a tree's root, whose registers are filled once for many rows.
pub(super) const ROOT_EXITS: usize = 32;
/// Cuts a tree into blocks.
#[derive(Default)]
pub(super) struct Cut {
    /// For each node: how many blocks high its tree is, and how many exits its block has.
    sizes: Vec<(u32, u32)>,
    /// Of the block being made: feature, threshold, whether NaN goes low.
    pub(super) branches: Vec<(u32, f32, bool)>,
    /// From the low side on: a node, and which branches rule it out.
    pub(super) exits: Vec<(u32, u32)>,
    /// Columns that any branch of the tree looks at.
    pub(super) features: usize,
}

impl Cut {
    /// From the leaves upwards, children join their parent's block while there is room.
    pub(super) fn measure<T>(&mut self, tree: &Tree<T>) {
        self.features = 0;
        self.sizes.clear();
        // Nothing joins a leaf.
        self.sizes.resize(tree.nodes.len(), (0, EXITS as u32));
        // Children come after their branches.
        for (place, node) in tree.nodes.iter().enumerate().rev() {
            if let Node::Branch {
                low, high, feature, ..
            } = *node
            {
                self.features = self.features.max(feature as usize + 1);
                let (low, high) = (self.sizes[low as usize], self.sizes[high as usize]);
                let height = low.0.max(high.0);
                // What is lower is an exit.
                let exits = |child: (u32, u32)| if child.0 == height { child.1 } else { 1 };
                let exits = exits(low) + exits(high);
                self.sizes[place] = match exits <= EXITS as u32 {
                    true => (height, exits),
                    false => (height + 1, 2),
                };
            }
        }
    }

    /// Begins a block that has `node` as its only exit.
    pub(super) fn start(&mut self, node: u32) {
        self.branches.clear();
        self.exits.clear();
        self.exits.push((node, 0));
    }

    /// Makes branches of all exits of that height.
    pub(super) fn open<T: Real>(&mut self, tree: &Tree<T>, height: u32) {
        let mut place = 0;
        while let Some(&(node, above)) = self.exits.get(place) {
            match tree.nodes[node as usize] {
                Node::Branch {
                    feature,
                    threshold,
                    low,
                    high,
                    nan_low,
                } if self.sizes[node as usize].0 == height => {
                    let branch = self.branches.len();
                    self.branches.push((feature, threshold.wide() as f32, nan_low));
                    self.exits[place] = (low, above | 1 << branch);
                    self.exits.insert(place + 1, (high, above));
                }
                _ => place += 1,
            }
        }
    }

    /// The block at the root, of as many whole layers as there is room for; how high its exits are.
    pub(super) fn root<T: Real>(&mut self, tree: &Tree<T>) -> u32 {
        self.start(0);
        loop {
            let sizes = || self.exits.iter().map(|(node, _)| self.sizes[*node as usize]);
            let height = sizes().map(|(height, _)| height).max().unwrap_or(0);
            let exits = sizes().map(|(of, exits)| if of == height { exits } else { 1 });
            if height == 0 || exits.sum::<u32>() > ROOT_EXITS as u32 {
                return height;
            }
            self.open(tree, height);
        }
    }
}
