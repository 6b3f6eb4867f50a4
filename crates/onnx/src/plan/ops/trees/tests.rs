//! All engines end in the same leaves. `Packed` is what runs where `Blocks` cannot.

use super::groups::{Group, Groups};
use super::packed::Packed;
use super::plain::{Node, Tree};
use super::walk::Walk;
use proptest::prelude::*;

/// A tree of `leaves` leaves, numbered from `first` on. `sides` says how its leaves are divided.
fn tree(leaves: usize, first: u32, features: u32, sides: &mut impl FnMut() -> u32) -> Tree<f32> {
    let mut tree = Tree::default();
    // Leaves below, and the branch whose low or high side this is.
    let mut open = vec![(leaves, None)];
    while let Some((below, parent)) = open.pop() {
        let here = tree.nodes.len() as u32;
        if let Some((parent, is_low)) = parent
            && let Node::Branch { low, high, .. } = &mut tree.nodes[parent as usize]
        {
            *(if is_low { low } else { high }) = here;
        }
        if below == 1 {
            tree.nodes.push(Node::Leaf(first + tree.leaves as u32));
            tree.leaves += 1;
            continue;
        }
        let (side, feature, threshold) = (sides(), sides() % features, sides() % 9);
        tree.nodes.push(Node::Branch {
            feature,
            threshold: [
                f32::NEG_INFINITY,
                -1.5,
                -1.0,
                -0.0,
                0.0,
                0.5,
                1.0,
                2.0,
                f32::INFINITY,
            ][threshold as usize],
            low: 0,
            high: 0,
            nan_low: side & 1 == 0,
        });
        // Now and then as unbalanced as can be.
        let low = match side >> 1 & 3 {
            0 => 1,
            1 => below - 1,
            _ => 1 + (side >> 3) as usize % (below - 1),
        };
        open.push((below - low, Some((here, false))));
        open.push((low, Some((here, true))));
    }
    tree
}

fn random(mut state: u64) -> impl FnMut() -> u32 {
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    }
}

/// The leaf of each tree for each row.
fn leaves(engine: &dyn Groups<f32>, trees: usize, rows: &[f32], columns: usize) -> Vec<Vec<u32>> {
    let mut all = vec![vec![u32::MAX; trees]; rows.len() / columns];
    engine.groups(rows, columns, &mut |group| match group {
        Group::Next(_) => {}
        Group::Rows { tree, row, leaves } => {
            (all[row..].iter_mut().zip(leaves)).for_each(|(row, leaf)| row[tree] = *leaf);
        }
        Group::Trees { tree, row, leaves } => all[row][tree..][..leaves.len()].copy_from_slice(leaves),
    });
    all
}

fn check(sizes: &[usize], features: u32, columns: usize, count: usize, seed: u64, nan: bool) -> bool {
    let mut random = random(seed);
    let mut trees = Vec::new();
    for size in sizes {
        let first = trees.iter().map(|tree: &Tree<f32>| tree.leaves as u32).sum();
        trees.push(tree(*size, first, features, &mut random));
    }
    let values = [
        f32::NEG_INFINITY,
        -1.5,
        -1.25,
        -1.0,
        -0.0,
        0.0,
        0.25,
        0.5,
        1.0,
        3.0,
        f32::INFINITY,
        f32::NAN,
    ];
    let rows: Box<[f32]> = (0..count * columns)
        .map(|_| values[random() as usize % (values.len() - usize::from(!nan))])
        .collect();
    let walk = Walk::new(&trees, true);
    let mut expected = vec![vec![u32::MAX; trees.len()]; count];
    walk.each_leaf(&rows, columns, |tree, row, leaf| expected[row][tree] = leaf);
    let packed = Packed::new(&trees).unwrap();
    assert_eq!(leaves(&packed, trees.len(), &rows, columns), expected);
    #[cfg(target_arch = "x86_64")]
    if let Some(blocks) = super::blocks::Blocks::new(&trees) {
        assert_eq!(leaves(&blocks, trees.len(), &rows, columns), expected);
        for (row, expected) in rows.chunks(columns).zip(expected) {
            assert_eq!(leaves(&blocks, trees.len(), row, columns), [expected]);
        }
        return true;
    }
    false
}

proptest! {
    #[test]
    fn engines_end_in_the_same_leaves(
        sizes in proptest::collection::vec(1usize..200, 1..70),
        features in 1u32..=32,
        more in 0usize..3,
        count in 1usize..140,
        seed in any::<u64>(),
        nan in any::<bool>(),
    ) {
        check(&sizes, features, features as usize + more, count, seed, nan);
    }
}

#[test]
fn large_trees_are_cut_into_blocks() {
    // Where a processor has what blocks need, this must not fall back unnoticed.
    #[cfg(target_arch = "x86_64")]
    let able = is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl");
    #[cfg(not(target_arch = "x86_64"))]
    let able = false;
    for size in [1, 2, 16, 17, 32, 33, 5000] {
        assert_eq!(
            check(&[size; 3], 20, 20, 100, size as u64, true),
            able,
            "{size} leaves"
        );
    }
}

#[test]
fn wide_rows_and_chains_are_walked() {
    assert!(!check(&[40], 33, 33, 10, 1, false));
    // Every low side is a leaf.
    let chain = tree(3000, 0, 1, &mut || 0);
    assert!(Packed::new(std::slice::from_ref(&chain)).is_some());
    #[cfg(target_arch = "x86_64")]
    assert!(super::blocks::Blocks::new(&[chain]).is_none());
}
