//! Linfa's decision tree, exported.

use crate::tables::clouds;
use linfa::prelude::*;
use model::baseline::export;
use ndarray::{Array1, array};

/// Linfa predicts with `x < threshold`: rows exactly on a threshold must go where linfa sends them.
#[test]
fn the_baseline_answers_as_linfa() {
    let table = Dataset::new(array![[1.0], [2.0], [2.0], [4.0]], array![0usize, 1, 1, 0]);
    let tree = linfa_trees::DecisionTree::params().fit(&table).unwrap();
    let forest = export(&tree, 1, 2).unwrap();
    let rows = Array1::linspace(0.0, 5.0, 501)
        .into_shape_with_order((501, 1))
        .unwrap();
    let rows = rows.mapv(|value: f64| f64::from(value as f32));
    assert_eq!(tree.predict(&rows), forest.predict(&rows));
    assert_eq!(
        forest.predict(&array![[1.5], [1.5f32.next_down().into()], [3.0]]),
        array![1, 0, 0]
    );

    let table = clouds(200, 9);
    let records = table.records.mapv(|value| f64::from(value as f32));
    let table = Dataset::new(records, table.targets);
    let tree = linfa_trees::DecisionTree::params().fit(&table).unwrap();
    let forest = export(&tree, 6, 3).unwrap();
    let others = clouds(500, 10).records.mapv(|value| f64::from(value as f32));
    assert_eq!(tree.predict(&others), forest.predict(&others));
    let read = onnx::read(&forest.to_onnx()).unwrap();
    assert_eq!(&read, forest.ensemble());
}
