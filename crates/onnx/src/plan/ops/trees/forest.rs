//! Trees compiled: which leaf a row ends in, and what the leaves add.

use super::super::*;
use super::bits::Bits;
use super::groups::{Group, Groups, each_leaf, read};
use super::packed::Packed;
use super::plain::{Node, Tree};
use super::walk::Walk;

/// How the leaves of a row become one score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

/// What the leaves add, leaf after leaf, while it is read.
pub(super) struct Payload<T> {
    width: usize,
    starts: Vec<u32>,
    entries: Vec<(u32, T)>,
    /// The only target of each tree, where there is only one.
    tree_targets: Vec<Option<u32>>,
    tree_start: usize,
}

impl<T: Real> Payload<T> {
    pub(super) fn new(width: usize) -> Self {
        Payload {
            width,
            starts: vec![0],
            entries: Vec::new(),
            tree_targets: Vec::new(),
            tree_start: 0,
        }
    }

    pub(super) fn leaves(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    pub(super) fn push(&mut self, entries: &[(u32, T)]) {
        self.entries.extend_from_slice(entries);
        self.starts.push(self.entries.len() as u32);
    }

    pub(super) fn end_tree(&mut self) {
        let (first, entries) = (
            self.tree_start,
            &self.entries[self.starts[self.tree_start] as usize..],
        );
        let target = entries.first().map_or(0, |(target, _)| *target);
        let single = (self.starts[first..].windows(2)).all(|pair| pair[1] - pair[0] <= 1)
            && entries.iter().all(|(other, _)| *other == target);
        self.tree_targets.push(single.then_some(target));
        self.tree_start = self.starts.len() - 1;
    }
}

/// What a leaf adds, by its number.
#[derive(Debug)]
pub(super) enum Leaves<T> {
    /// A value for each target.
    Dense(Vec<T>),
    /// One value, for the tree's own target.
    Single { values: Vec<T>, targets: Vec<u32> },
    /// Some values, each for a target that it names.
    Sparse {
        starts: Vec<u32>,
        entries: Vec<(u32, T)>,
    },
}

impl<T: Real> Leaves<T> {
    fn new(payload: Payload<T>, aggregate: Aggregate) -> Self {
        let Payload {
            width,
            starts,
            entries,
            tree_targets,
            ..
        } = payload;
        let leaves = starts.len() - 1;
        let range = |leaf: usize| starts[leaf] as usize..starts[leaf + 1] as usize;
        let all = leaves.saturating_mul(width);
        // What is left out counts as nothing only in a sum.
        let adds = matches!(aggregate, Aggregate::Sum | Aggregate::Average);
        let targets: Option<Vec<u32>> = tree_targets.into_iter().collect();
        let each = |leaf: usize| entries[range(leaf)].first();
        match targets {
            Some(targets) if adds && width > 1 => Leaves::Single {
                values: (0..leaves)
                    .map(|leaf| each(leaf).map_or(T::default(), |(_, value)| *value))
                    .collect(),
                targets,
            },
            _ if adds && all / 4 <= entries.len().max(1 << 10) => {
                let mut values = vec![T::default(); all];
                for leaf in 0..leaves {
                    for (target, value) in &entries[range(leaf)] {
                        values[leaf * width + *target as usize] += *value;
                    }
                }
                Leaves::Dense(values)
            }
            _ => Leaves::Sparse { starts, entries },
        }
    }

    /// Adds a leaf to the scores of its row.
    #[inline(always)]
    fn add(&self, tree: usize, leaf: u32, scores: &mut [T]) {
        let leaf = leaf as usize;
        match self {
            Leaves::Dense(values) => {
                let width = scores.len();
                let values = &values[leaf * width..][..width];
                scores
                    .iter_mut()
                    .zip(values)
                    .for_each(|(score, value)| *score += *value);
            }
            Leaves::Single { values, targets } => scores[targets[tree] as usize] += values[leaf],
            Leaves::Sparse { starts, entries } => {
                for (target, value) in &entries[starts[leaf] as usize..starts[leaf + 1] as usize] {
                    scores[*target as usize] += *value;
                }
            }
        }
    }
}

#[derive(Debug)]
enum Engine<T: Real> {
    Bits(Bits<T>),
    Groups(Box<dyn Groups<T>>),
    Walk(Walk<T>),
}

/// Trees ready to answer rows.
#[derive(Debug)]
pub(super) struct Forest<T: Real> {
    engine: Engine<T>,
    leaves: Leaves<T>,
    pub(super) aggregate: Aggregate,
    pub(super) trees: usize,
    pub(super) width: usize,
    /// Columns that a row must have at least.
    pub(super) features: usize,
    /// Steps of work a row, at most.
    pub(super) work: usize,
    /// Which targets any leaf has a value for.
    pub(super) present: Vec<bool>,
    pub(super) any_negative: bool,
}

impl<T: Real> Forest<T> {
    pub(super) fn new(trees: Vec<Tree<T>>, payload: Payload<T>, aggregate: Aggregate) -> Result<Self, Fault> {
        let count = trees.len();
        if count == 0 {
            return Err(Fault::count("trees", 0, "1 or more"));
        }
        let width = payload.width;
        let mut present = vec![false; width];
        payload
            .entries
            .iter()
            .for_each(|(target, _)| present[*target as usize] = true);
        let any_negative = payload.entries.iter().any(|(_, value)| *value < T::default());
        let nodes = || trees.iter().flat_map(|tree| &tree.nodes);
        let feature = |node: &Node<T>| match node {
            Node::Branch { feature, .. } => *feature as usize + 1,
            Node::Leaf(_) => 0,
        };
        let total: usize = trees.iter().map(|tree| tree.nodes.len()).sum();
        if total > 1 << 30 || payload.entries.len() > u32::MAX as usize {
            return Err(Fault::limit("nodes of all trees", total, 1 << 30));
        }
        let features = nodes().map(feature).max().unwrap_or(0);
        let missing = nodes().any(|node| matches!(node, Node::Branch { nan_low: true, .. }));
        let engine = match Bits::new(&trees, missing) {
            Some(bits) => Engine::Bits(bits),
            None => match side_by_side(&trees) {
                Some(groups) => Engine::Groups(groups),
                None => Engine::Walk(Walk::new(&trees, missing)),
            },
        };
        let work = match &engine {
            Engine::Bits(bits) => bits.work(),
            Engine::Groups(groups) => groups.work(),
            Engine::Walk(walk) => walk.work(),
        };
        Ok(Forest {
            engine,
            leaves: Leaves::new(payload, aggregate),
            aggregate,
            trees: count,
            width,
            features,
            work: work.saturating_add(count.saturating_mul(width.min(8))),
            present,
            any_negative,
        })
    }

    /// Scores of rows that are `columns` wide, into `scores`, which are [`Self::width`] wide. For
    /// `Min` and `Max` a score that no leaf gave is NaN.
    pub(super) fn scores(&self, rows: &[T], columns: usize, scores: &mut [T]) {
        if rows.is_empty() {
            return;
        }
        match self.aggregate {
            Aggregate::Sum | Aggregate::Average => self.sums(rows, columns, scores),
            Aggregate::Min => self.extremes(rows, columns, scores, |new, old| new < old),
            Aggregate::Max => self.extremes(rows, columns, scores, |new, old| new > old),
        }
    }

    fn sums(&self, rows: &[T], columns: usize, scores: &mut [T]) {
        match (&self.engine, &self.leaves) {
            // Sums of known width stay in registers.
            (Engine::Bits(bits), Leaves::Dense(values)) => match self.width {
                1 => sum_rows::<T, 1>(bits, values, rows, columns, scores),
                2 => sum_rows::<T, 2>(bits, values, rows, columns, scores),
                3 => sum_rows::<T, 3>(bits, values, rows, columns, scores),
                4 => sum_rows::<T, 4>(bits, values, rows, columns, scores),
                width => {
                    for (row, scores) in rows.chunks(columns).zip(scores.chunks_mut(width)) {
                        scores.fill(T::default());
                        bits.each_leaf(row, |tree, leaf| self.leaves.add(tree, leaf, scores));
                    }
                }
            },
            (Engine::Bits(bits), leaves) => {
                for (row, scores) in rows.chunks(columns).zip(scores.chunks_mut(self.width)) {
                    scores.fill(T::default());
                    bits.each_leaf(row, |tree, leaf| leaves.add(tree, leaf, scores));
                }
            }
            (Engine::Groups(groups), Leaves::Dense(values)) if self.width == 3 => {
                scores.fill(T::default());
                add_rows::<T, 3>(groups.as_ref(), values, rows, columns, scores);
            }
            (Engine::Groups(groups), Leaves::Dense(values)) if self.width == 1 => {
                scores.fill(T::default());
                add_rows::<T, 1>(groups.as_ref(), values, rows, columns, scores);
            }
            (Engine::Groups(groups), Leaves::Dense(values)) if self.width == 2 => {
                scores.fill(T::default());
                add_rows::<T, 2>(groups.as_ref(), values, rows, columns, scores);
            }
            (Engine::Groups(groups), leaves) => {
                scores.fill(T::default());
                let width = self.width;
                each_leaf(groups.as_ref(), rows, columns, |tree, row, leaf| {
                    leaves.add(tree, leaf, &mut scores[row * width..][..width]);
                });
            }
            (Engine::Walk(walk), leaves) => {
                scores.fill(T::default());
                let width = self.width;
                walk.each_leaf(rows, columns, |tree, row, leaf| {
                    leaves.add(tree, leaf, &mut scores[row * width..][..width]);
                });
            }
        }
    }

    fn extremes(&self, rows: &[T], columns: usize, scores: &mut [T], better: impl Fn(T, T) -> bool) {
        scores.fill(T::default() / T::default());
        let Leaves::Sparse { starts, entries } = &self.leaves else {
            return;
        };
        let width = self.width;
        let mut take = |row: usize, leaf: u32| {
            let leaf = leaf as usize;
            for (target, value) in &entries[starts[leaf] as usize..starts[leaf + 1] as usize] {
                let score = &mut scores[row * width + *target as usize];
                if score.is_nan() || better(*value, *score) {
                    *score = *value;
                }
            }
        };
        match &self.engine {
            Engine::Bits(bits) => {
                for (number, row) in rows.chunks(columns).enumerate() {
                    bits.each_leaf(row, |_, leaf| take(number, leaf));
                }
            }
            Engine::Groups(groups) => {
                each_leaf(groups.as_ref(), rows, columns, |_, row, leaf| take(row, leaf))
            }
            Engine::Walk(walk) => walk.each_leaf(rows, columns, |_, row, leaf| take(row, leaf)),
        }
    }
}

fn side_by_side<T: Real>(trees: &[Tree<T>]) -> Option<Box<dyn Groups<T>>> {
    #[cfg(target_arch = "x86_64")]
    if let Some(blocks) = super::blocks::Blocks::new(trees) {
        return Some(Box::new(blocks));
    }
    Some(Box::new(Packed::new(trees)?))
}

fn sum_rows<T: Real, const WIDTH: usize>(
    bits: &Bits<T>,
    values: &[T],
    rows: &[T],
    columns: usize,
    scores: &mut [T],
) {
    let (values, _) = values.as_chunks::<WIDTH>();
    for (row, scores) in rows.chunks(columns).zip(scores.chunks_mut(WIDTH)) {
        let mut sums = [T::default(); WIDTH];
        bits.each_leaf(row, |_, leaf| {
            for (sum, value) in sums.iter_mut().zip(&values[leaf as usize]) {
                *sum += *value;
            }
        });
        scores.copy_from_slice(&sums);
    }
}

fn add_rows<T: Real, const WIDTH: usize>(
    groups: &dyn Groups<T>,
    values: &[T],
    rows: &[T],
    columns: usize,
    scores: &mut [T],
) {
    let ((values, _), (scores, _)) = (values.as_chunks::<WIDTH>(), scores.as_chunks_mut::<WIDTH>());
    let add = |score: &mut [T; WIDTH], leaf: u32| {
        for (score, value) in score.iter_mut().zip(&values[leaf as usize]) {
            *score += *value;
        }
    };
    groups.groups(rows, columns, &mut |group| match group {
        Group::Next(leaves) => read(&values[leaves]),
        Group::Rows { row, leaves, .. } => {
            for (score, leaf) in scores[row..].iter_mut().zip(leaves) {
                add(score, *leaf);
            }
        }
        Group::Trees { row, leaves, .. } => {
            let score = &mut scores[row];
            leaves.iter().for_each(|leaf| add(score, *leaf));
        }
    });
}
