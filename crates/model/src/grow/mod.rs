//! One tree: depth first, best of a few features at each node, by exact search over sorted ranks.
//!
//! Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees" (1984), for the splits;
//! Breiman, "Random Forests" (Machine Learning 45, 2001), for the bootstrap and the drawn features.

mod classes;
mod numbers;
mod sort;

pub(crate) use classes::ClassTarget;
pub(crate) use numbers::NumberTarget;

use crate::columns::Columns;
use crate::params::ValidForestParams;
use crate::random::SplitMix64;
use onnx::{Node, Tree};

/// A row in the bag of one tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) row: u32,
    /// What the target packs with it: class and weight, or the weight.
    pub(crate) load: u32,
}

/// The best place to part the sorted rows of a node by one feature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// The higher the purer are both sides; comparable among the features of one node.
    pub(crate) score: f64,
    /// Rows on the lower side.
    pub(crate) count: usize,
}

/// What is learnt: Gini over classes, or variance of numbers. Holds the sums of the current node.
pub(crate) trait Target {
    /// Packs what the search needs to know of a row drawn `weight` times.
    fn load(&self, row: usize, weight: u32) -> u32;
    /// Sums up a node; true when nothing is left to separate.
    fn enter(&mut self, samples: &[Sample]) -> bool;
    /// The low half of a sort key: what `best_cut` gets back for the sample at this position.
    fn key(position: usize, sample: Sample) -> u32;
    /// The best cut of rows sorted by rank (`rank << 32 | key`), none where ranks or `least` forbid any.
    fn best_cut(&mut self, sorted: &[u64], samples: &[Sample], least: usize) -> Option<Cut>;
    /// Appends the values of the current node as a leaf.
    fn leaf(&self, values: &mut Vec<f32>);
}

/// What one tree needs of its forest's parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    max_depth: usize,
    min_split: usize,
    min_leaf: usize,
    features: usize,
    bootstrap: bool,
    seed: u64,
}

impl Limits {
    pub(crate) fn new<Kind>(params: &ValidForestParams<Kind>, columns: usize) -> Self {
        Limits {
            max_depth: params.max_depth.unwrap_or(usize::MAX),
            min_split: params.min_samples_split,
            min_leaf: params.min_samples_leaf,
            features: params.max_features.of(columns),
            bootstrap: params.bootstrap,
            seed: params.seed,
        }
    }
}

/// Memory that a thread keeps from tree to tree.
#[derive(Default)]
pub(crate) struct Arena {
    weights: Vec<u32>,
    samples: Vec<Sample>,
    other: Vec<Sample>,
    keys: Vec<u64>,
    sorter: sort::Sorter,
    order: Vec<u32>,
}

/// A part of the samples that is still to become a node.
struct Open {
    start: usize,
    end: usize,
    depth: usize,
    /// The branch whose upper side this is.
    high_of: Option<u32>,
}

struct Split {
    cut: Cut,
    feature: u32,
    low: u32,
    high: u32,
}

/// Grows tree number `tree`. Depends on nothing but the arguments: not on `arena`'s past, not on threads.
pub(crate) fn grow<T: Target>(
    columns: &Columns,
    limits: &Limits,
    target: &mut T,
    arena: &mut Arena,
    tree: usize,
) -> Tree {
    let mut random = SplitMix64::for_tree(limits.seed, tree as u64);
    draw(columns.rows, limits.bootstrap, target, arena, &mut random);
    arena.order.clear();
    arena.order.extend(0..columns.columns.len() as u32);

    let mut grown = Tree::default();
    let mut open = vec![Open {
        start: 0,
        end: arena.samples.len(),
        depth: 0,
        high_of: None,
    }];
    while let Some(Open {
        start,
        end,
        depth,
        high_of,
    }) = open.pop()
    {
        let node = grown.nodes.len() as u32;
        if let Some(Node::Branch { high, .. }) = high_of.map(|branch| &mut grown.nodes[branch as usize]) {
            *high = node;
        }
        let pure = target.enter(&arena.samples[start..end]);
        let split = if pure || depth >= limits.max_depth || end - start < limits.min_split {
            None
        } else {
            best_split(columns, limits, target, arena, &mut random, start..end)
        };
        let Some(split) = split else {
            let first = grown.values.len() as u32;
            grown.nodes.push(Node::Leaf { first });
            target.leaf(&mut grown.values);
            continue;
        };
        let column = &columns.columns[split.feature as usize];
        part(arena, start..end, &column.ranks, split.low);
        grown.nodes.push(Node::Branch {
            feature: split.feature,
            threshold: column.threshold(split.low, split.high),
            low: node + 1,
            high: 0,
        });
        let middle = start + split.cut.count;
        for (start, end, high_of) in [(middle, end, Some(node)), (start, middle, None)] {
            open.push(Open {
                start,
                end,
                depth: depth + 1,
                high_of,
            });
        }
    }
    grown
}

/// Fills the bag: every row once, or as many draws with replacement as there are rows.
fn draw<T: Target>(rows: usize, bootstrap: bool, target: &T, arena: &mut Arena, random: &mut SplitMix64) {
    arena.weights.clear();
    arena.weights.resize(rows, u32::from(!bootstrap));
    if bootstrap {
        for _ in 0..rows {
            arena.weights[random.below(rows as u32) as usize] += 1;
        }
    }
    arena.samples.clear();
    for (row, &weight) in arena.weights.iter().enumerate() {
        if weight > 0 {
            let load = target.load(row, weight);
            arena.samples.push(Sample {
                row: row as u32,
                load,
            });
        }
    }
    arena
        .other
        .resize(arena.samples.len(), Sample { row: 0, load: 0 });
    arena.keys.resize(arena.samples.len(), 0);
}

/// Tries features in random order until enough that are not constant in this node have been seen.
fn best_split<T: Target>(
    columns: &Columns,
    limits: &Limits,
    target: &mut T,
    arena: &mut Arena,
    random: &mut SplitMix64,
    range: std::ops::Range<usize>,
) -> Option<Split> {
    let samples = &arena.samples[range];
    let keys = &mut arena.keys[..samples.len()];
    let mut best: Option<Split> = None;
    let mut seen = 0;
    for place in 0..arena.order.len() {
        let other = place + random.below((arena.order.len() - place) as u32) as usize;
        arena.order.swap(place, other);
        let feature = arena.order[place];
        let ranks = &columns.columns[feature as usize].ranks;
        let (mut lowest, mut highest) = (u32::MAX, 0);
        for (position, (key, sample)) in keys.iter_mut().zip(samples).enumerate() {
            let rank = ranks[sample.row as usize];
            lowest = lowest.min(rank);
            highest = highest.max(rank);
            *key = u64::from(rank) << 32 | u64::from(T::key(position, *sample));
        }
        if lowest == highest {
            continue;
        }
        let sorted = arena.sorter.sort(keys, lowest, highest);
        if let Some(cut) = target.best_cut(sorted, samples, limits.min_leaf)
            && best.as_ref().is_none_or(|best| cut.score > best.cut.score)
        {
            best = Some(Split {
                cut,
                feature,
                low: (sorted[cut.count - 1] >> 32) as u32,
                high: (sorted[cut.count] >> 32) as u32,
            });
        }
        seen += 1;
        if seen == limits.features {
            break;
        }
    }
    best
}

/// Moves rows up to rank `low` to the front; both sides keep their order, so memory is read forwards.
fn part(arena: &mut Arena, range: std::ops::Range<usize>, ranks: &[u32], low: u32) {
    let samples = &mut arena.samples[range];
    let (mut kept, mut moved) = (0, 0);
    for position in 0..samples.len() {
        let sample = samples[position];
        let stays = ranks[sample.row as usize] <= low;
        // Both written, one counted: no branch to predict.
        samples[kept] = sample;
        arena.other[moved] = sample;
        kept += usize::from(stays);
        moved += usize::from(!stays);
    }
    samples[kept..].copy_from_slice(&arena.other[..moved]);
}
