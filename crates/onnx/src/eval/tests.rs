//! Both engines against the specification, bit for bit.

use super::*;
use crate::testing;
use proptest::prelude::*;

fn bits(scores: &[f32]) -> Vec<u32> {
    scores.iter().map(|score| score.to_bits()).collect()
}

proptest! {
    #[test]
    fn engines_agree_with_the_specification(
        (ensemble, rows) in testing::ensemble().prop_flat_map(|ensemble| {
            let features = ensemble.features();
            let row = prop::collection::vec(testing::row_value(), features);
            (Just(ensemble), prop::collection::vec(row, 1..90))
        }),
    ) {
        let chosen = Model::from(&ensemble);
        let walk = Model { engine: Engine::Walk(Walk::new(&ensemble)), ..chosen.clone() };
        let width = chosen.outputs();
        let all: Vec<f32> = rows.concat();
        for model in [&chosen, &walk] {
            let (mut scores, mut labels) = (vec![1.0; rows.len() * width], vec![-1; rows.len()]);
            model.predict_batch(&all, &mut scores, &mut labels);
            for (number, row) in rows.iter().enumerate() {
                let mut one = vec![1.0; width];
                let label = model.predict_row(row, &mut one);
                let expected = testing::plain_scores(&ensemble, row);
                prop_assert_eq!(bits(&one), bits(&expected));
                prop_assert_eq!(bits(&scores[number * width..][..width]), bits(&one));
                prop_assert_eq!(labels[number], label as i64);
                let best = (0..width).rev().max_by(|a, b| expected[*a].total_cmp(&expected[*b]));
                prop_assert!(expected[label] == expected[best.unwrap()]);
                prop_assert!(expected[..label].iter().all(|score| *score < expected[label]));
            }
        }
    }
}

#[test]
fn both_engines_are_in_use() {
    use crate::{Node, Tree};
    // A chain of so many branches, each with a leaf on its lower side.
    let chain = |branches: u32| {
        let branch = |at: u32| Node::Branch {
            feature: 0,
            threshold: at as f32,
            low: at * 2 + 1,
            high: at * 2 + 2,
        };
        let mut nodes: Vec<Node> = Vec::new();
        for at in 0..branches {
            nodes.extend([branch(at), Node::Leaf { first: at }]);
        }
        nodes.push(Node::Leaf { first: branches });
        Tree {
            nodes,
            values: (0..=branches).map(|leaf| leaf as f32).collect(),
        }
    };
    for (branches, expected_bits) in [(63, true), (64, false)] {
        let output = Output::Number { base: 0.0 };
        let ensemble = TreeEnsemble::new(1, output, vec![chain(branches)]).unwrap();
        let model = Model::from(&ensemble);
        assert_eq!(matches!(model.engine, Engine::Bits(_)), expected_bits);
        for leaf in 0..=branches {
            let mut score = [0.0];
            model.predict_row(&[leaf as f32], &mut score);
            assert_eq!(score, [leaf as f32]);
        }
    }
}
