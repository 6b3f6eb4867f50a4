//! Random ensembles for property tests.

use crate::{Node, Output, Tree, TreeEnsemble};
use proptest::prelude::*;

/// Thresholds and values from few numbers, so that rows meet them exactly.
pub(crate) fn number() -> impl Strategy<Value = f32> + Clone {
    prop_oneof![
        4 => (-8i8..8).prop_map(|number| f32::from(number) / 4.0),
        1 => Just(-0.0f32),
        1 => -1e30f32..1e30,
    ]
}

/// A row's values: also those that no model should be asked about.
pub(crate) fn row_value() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => number(),
        1 => Just(f32::NAN),
        1 => Just(f32::INFINITY),
        1 => Just(f32::NEG_INFINITY),
    ]
}

/// Splits random leaves until there are as many as wanted: small trees and lopsided deep ones.
fn tree(features: usize, width: usize) -> impl Strategy<Value = Tree> {
    let split = (any::<prop::sample::Index>(), 0..features as u32, number());
    let splits = prop_oneof![
        4 => prop::collection::vec(split.clone(), 0..12),
        1 => prop::collection::vec(split, 60..100),
    ];
    (splits, prop::collection::vec(number(), 13)).prop_map(move |(splits, numbers)| {
        let mut nodes = vec![Node::Leaf { first: 0 }];
        for (index, feature, threshold) in splits {
            let leaves: Vec<usize> = (0..nodes.len())
                .filter(|node| matches!(nodes[*node], Node::Leaf { .. }))
                .collect();
            let (low, high) = (nodes.len() as u32, nodes.len() as u32 + 1);
            nodes[*index.get(&leaves)] = Node::Branch {
                feature,
                threshold,
                low,
                high,
            };
            nodes.extend([Node::Leaf { first: 0 }; 2]);
        }
        let mut used = 0;
        for node in &mut nodes {
            if let Node::Leaf { first } = node {
                *first = used;
                used += width as u32;
            }
        }
        Tree {
            nodes,
            values: numbers.into_iter().cycle().take(used as usize).collect(),
        }
    })
}

/// An ensemble and the number of its features.
pub(crate) fn ensemble() -> impl Strategy<Value = TreeEnsemble> {
    let output = prop_oneof![
        (2usize..7).prop_map(Output::Classes),
        number().prop_map(|base| Output::Number { base }),
    ];
    (1usize..6, output).prop_flat_map(|(features, output)| {
        prop::collection::vec(tree(features, output.width()), 1..20)
            .prop_map(move |trees| TreeEnsemble::new(features, output, trees).expect("well formed"))
    })
}

/// What the specification says, one node after the other.
pub(crate) fn plain_scores(ensemble: &TreeEnsemble, row: &[f32]) -> Vec<f32> {
    let width = ensemble.output().width();
    let mut scores = vec![0.0f32; width];
    for tree in ensemble.trees() {
        let mut node = 0;
        let first = loop {
            match tree.nodes[node] {
                Node::Leaf { first } => break first as usize,
                Node::Branch {
                    feature,
                    threshold,
                    low,
                    high,
                } => {
                    node = if row[feature as usize] <= threshold {
                        low
                    } else {
                        high
                    } as usize
                }
            }
        };
        for (score, value) in scores.iter_mut().zip(&tree.values[first..first + width]) {
            *score += value;
        }
    }
    if let Output::Number { base } = ensemble.output() {
        scores[0] += base;
    }
    scores
}
