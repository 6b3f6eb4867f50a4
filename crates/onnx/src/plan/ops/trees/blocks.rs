//! Fifteen branches at once, for processors with AVX-512. A block is a part of a tree with up to
//! sixteen exits: its branches are all compared in one instruction, and as in [`super::bits`] those
//! that are exceeded rule out the exits below their low sides; the lowest that is left is taken. A
//! row of up to 32 floats stays in two registers, from which one instruction picks the value that
//! each branch looks at.
//!
//! A tree is cut from its leaves upwards into blocks that are as full as they can be without making
//! it higher, so that even an unbalanced tree is three blocks high where [`super::packed`] takes as
//! many steps as the deepest of eight rows, seventeen. What is lower than its siblings is raised by
//! blocks without branches: all leaves are as far from the root, the exits of a block go to blocks
//! (at last, leaves) that follow each other, and a walk never asks whether it has arrived.

use super::super::*;
use super::cut::{Cut, EXITS, ROOT_EXITS};
use super::groups::{Group, Groups, MANY};
use super::plain::{Node, Tree, first_leaf};
use std::arch::x86_64::*;
use std::hint::black_box;
use std::ops::Range;

/// Columns that two registers hold.
const COLUMNS: usize = 32;
/// Rows that take each step together: what they wait for overlaps.
const ROWS: usize = 64;
/// Nodes of a tree for a block of it, at least: chains would need too many that only raise.
const NODES: usize = 4;

/// `Mask` has a bit for each branch.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Block<Mask, const EXITS: usize> {
    thresholds: [f32; EXITS],
    /// For each exit, the branches that rule it out: those that have it on their low side.
    above: [Mask; EXITS],
    features: [u8; EXITS],
    /// Branches that there are.
    branches: Mask,
    /// Branches that NaN exceeds.
    nan_high: Mask,
    /// Where the first exit goes: a block, or in the last blocks a leaf.
    first: u32,
}

type Inner = Block<u16, EXITS>;
type Root = Block<u32, ROOT_EXITS>;

#[derive(Debug)]
struct Place {
    root: Root,
    /// The tree's other blocks.
    blocks: Range<usize>,
    /// How many of them a walk goes through.
    height: u32,
    leaves: Range<usize>,
}

#[derive(Debug)]
pub(super) struct Blocks {
    blocks: Vec<Inner>,
    trees: Vec<Place>,
    /// Columns that any branch looks at, from the first on.
    features: usize,
}

#[derive(Clone, Copy)]
struct Row {
    low: __m512,
    high: __m512,
}

impl<Mask: Default + Copy + TryFrom<u32>, const EXITS: usize> Block<Mask, EXITS> {
    /// What is begun and opened in `cut`. Its exits, `height` blocks high, are added to `level`, whose
    /// first one is number `below`.
    fn new<T: Real>(cut: &Cut, tree: &Tree<T>, below: usize, height: u32, level: &mut Vec<u32>) -> Self {
        // A block has no more branches than bits.
        let mask = |bits: u32| Mask::try_from(bits).unwrap_or_default();
        let first = match height {
            0 => first_leaf(tree, cut.exits[0].0),
            // Fewer than nodes, which are fewer than 2^30.
            _ => (below + level.len()) as u32,
        };
        let (mut branches, mut nan_high) = (0, 0);
        let mut block = Block {
            thresholds: [0.0; EXITS],
            above: [mask(0); EXITS],
            features: [0; EXITS],
            branches: mask(0),
            nan_high: mask(0),
            first,
        };
        for (branch, (feature, threshold, nan_low)) in cut.branches.iter().enumerate() {
            block.features[branch] = *feature as u8;
            block.thresholds[branch] = *threshold;
            branches |= 1 << branch;
            nan_high |= u32::from(!nan_low) << branch;
        }
        (block.branches, block.nan_high) = (mask(branches), mask(nan_high));
        for (above, (node, ruled_out)) in block.above.iter_mut().zip(&cut.exits) {
            *above = mask(*ruled_out);
            if height > 0 {
                level.push(*node);
            }
        }
        block
    }
}

impl Blocks {
    /// `None` when the processor cannot do it, or a tree is too wide, too unbalanced, or no tree.
    pub(super) fn new<T: Real>(trees: &[Tree<T>]) -> Option<Self> {
        let able = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("bmi1");
        if !able || T::floats(&[]).is_none() {
            return None;
        }
        let mut blocks = Blocks {
            blocks: Vec::new(),
            trees: Vec::with_capacity(trees.len()),
            features: 0,
        };
        let mut cut = Cut::default();
        for tree in trees {
            blocks.push(tree, &mut cut)?;
        }
        Some(blocks)
    }

    fn push<T: Real>(&mut self, tree: &Tree<T>, cut: &mut Cut) -> Option<()> {
        let fits = |node: &Node<T>| match node {
            Node::Branch {
                feature, threshold, ..
            } => (*feature as usize) < COLUMNS && !threshold.is_nan(),
            Node::Leaf(_) => true,
        };
        if tree.shared || !tree.nodes.iter().all(fits) {
            return None;
        }
        cut.measure(tree);
        let (first, mut level) = (self.blocks.len(), Vec::new());
        let height = cut.root(tree);
        let root = Block::new(cut, tree, first, height, &mut level);
        for height in (1..=height).rev() {
            if self.blocks.len() - first + level.len() > tree.nodes.len() / NODES {
                return None;
            }
            let (below, mut next) = (self.blocks.len() + level.len(), Vec::new());
            for node in level {
                cut.start(node);
                cut.open(tree, height);
                self.blocks
                    .push(Block::new(cut, tree, below, height - 1, &mut next));
            }
            level = next;
        }
        self.features = self.features.max(cut.features);
        let first_leaf = first_leaf(tree, 0) as usize;
        self.trees.push(Place {
            root,
            blocks: first..self.blocks.len(),
            height,
            leaves: first_leaf..first_leaf + tree.leaves,
        });
        Some(())
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1")]
    fn many<const NAN: bool>(&self, rows: &[f32], columns: usize, visit: &mut dyn FnMut(Group<'_>)) {
        for (number, tree) in self.trees.iter().enumerate() {
            if rows.len() >= MANY * columns {
                for block in &self.blocks[tree.blocks.clone()] {
                    black_box((block.thresholds[0], block.first));
                }
                visit(Group::Next(tree.leaves.clone()));
            }
            for (chunk, rows) in rows.chunks(ROWS * columns).enumerate() {
                let rows = rows.chunks_exact(columns);
                let mut nodes = [0; ROWS];
                for (node, row) in nodes.iter_mut().zip(rows.clone()) {
                    *node = tree.root.exit::<NAN>(self.row(row));
                }
                for _ in 0..tree.height {
                    for (node, row) in nodes.iter_mut().zip(rows.clone()) {
                        *node = self.blocks[*node as usize].exit::<NAN>(self.row(row));
                    }
                }
                visit(Group::Rows {
                    tree: number,
                    row: chunk * ROWS,
                    leaves: &nodes[..rows.len()],
                });
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1")]
    fn one<const NAN: bool>(&self, row: &[f32], visit: &mut dyn FnMut(Group<'_>)) {
        let row = self.row(row);
        for (chunk, trees) in self.trees.chunks(ROWS).enumerate() {
            let mut nodes = [0; ROWS];
            for (node, tree) in nodes.iter_mut().zip(trees) {
                *node = tree.root.exit::<NAN>(row);
            }
            let highest = trees.iter().map(|tree| tree.height).max().unwrap_or(0);
            for height in 0..highest {
                for (node, tree) in nodes.iter_mut().zip(trees) {
                    if height < tree.height {
                        *node = self.blocks[*node as usize].exit::<NAN>(row);
                    }
                }
            }
            visit(Group::Trees {
                tree: chunk * ROWS,
                row: 0,
                leaves: &nodes[..trees.len()],
            });
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1")]
    fn row(&self, row: &[f32]) -> Row {
        let row = &row[..self.features];
        // Up to 32 columns.
        let mask = ((1u64 << row.len()) - 1) as u32;
        let (low, high) = (mask as u16, (mask >> 16) as u16);
        #[allow(unsafe_code)]
        // SAFETY: what the masks name is within the row; what they do not is not touched.
        unsafe {
            Row {
                low: _mm512_maskz_loadu_ps(low, row.as_ptr()),
                high: _mm512_maskz_loadu_ps(high, row.as_ptr().wrapping_add(16)),
            }
        }
    }
}

impl Row {
    /// Which of sixteen branches it exceeds.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1")]
    fn exceeds<const NAN: bool>(self, thresholds: &[f32; 16], features: &[u8; 16], nan_high: u16) -> u16 {
        #[allow(unsafe_code)]
        // SAFETY: each pointer is to an array as large as what is read.
        let (thresholds, features) = unsafe {
            (
                _mm512_loadu_ps(thresholds.as_ptr()),
                _mm_loadu_si128(features.as_ptr().cast()),
            )
        };
        let values = _mm512_permutex2var_ps(self.low, _mm512_cvtepu8_epi32(features), self.high);
        let exceeded = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(values, thresholds);
        match NAN {
            true => exceeded | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(values, values) & nan_high,
            false => exceeded,
        }
    }
}

// In both: the compiler would take a mask that it sees being made apart bit by bit to broadcast it;
// that branches which are not there are left out keeps it from looking.

impl Inner {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1")]
    fn exit<const NAN: bool>(&self, row: Row) -> u32 {
        let exceeded = row.exceeds::<NAN>(&self.thresholds, &self.features, self.nan_high) & self.branches;
        #[allow(unsafe_code)]
        // SAFETY: the pointer is to an array as large as what is read.
        let above = unsafe { _mm256_loadu_si256(self.above.as_ptr().cast()) };
        let left = _mm256_testn_epi16_mask(_mm256_set1_epi16(exceeded as i16), above);
        self.first + u32::from(left).trailing_zeros()
    }
}

impl Root {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1")]
    fn exit<const NAN: bool>(&self, row: Row) -> u32 {
        let (thresholds, _) = self.thresholds.as_chunks();
        let (features, _) = self.features.as_chunks();
        let (above, _) = self.above.as_chunks::<16>();
        let low = row.exceeds::<NAN>(&thresholds[0], &features[0], self.nan_high as u16);
        let high = row.exceeds::<NAN>(&thresholds[1], &features[1], (self.nan_high >> 16) as u16);
        let exceeded = (u32::from(low) | u32::from(high) << 16) & self.branches;
        let left = |above: &[u32; 16]| {
            #[allow(unsafe_code)]
            // SAFETY: the pointer is to an array as large as what is read.
            let above = unsafe { _mm512_loadu_si512(above.as_ptr().cast()) };
            u32::from(_mm512_testn_epi32_mask(_mm512_set1_epi32(exceeded as i32), above))
        };
        let left = left(&above[0]) | left(&above[1]) << 16;
        self.first + left.trailing_zeros()
    }
}

impl<T: Real> Groups<T> for Blocks {
    fn work(&self) -> usize {
        let each = |tree: &Place| (tree.height as usize + 2) * EXITS;
        self.trees.iter().map(each).sum()
    }

    fn groups(&self, rows: &[T], columns: usize, visit: &mut dyn FnMut(Group<'_>)) {
        // `new` has asked.
        let Some(rows) = T::floats(rows) else { return };
        let nan = rows.iter().any(|value| value.is_nan());
        #[allow(unsafe_code)]
        // SAFETY: `new` has asked whether the processor can do it.
        unsafe {
            match (rows.len() < 2 * columns, nan) {
                (true, true) => self.one::<true>(rows, visit),
                (true, false) => self.one::<false>(rows, visit),
                (false, true) => self.many::<true>(rows, columns, visit),
                (false, false) => self.many::<false>(rows, columns, visit),
            }
        }
    }
}
