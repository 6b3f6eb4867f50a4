//! Forests as linfa's users see them: determinism, parameters, refusals, cross-validation.

mod baseline;
mod refusals;
mod round_trip;
mod tables;

use linfa::prelude::*;
use model::baseline::BaselineParams;
use model::{Error, Forest, MaxFeatures, RegressionForest, metrics};
use ndarray::{Array1, Array2, array};
use onnx::{Node, Output, TreeEnsemble};
use rand::{SeedableRng, rngs::SmallRng};
use tables::{clouds, numbers};

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(work)
}

#[test]
fn same_bytes_on_any_number_of_threads() {
    let (classes, numbers) = (clouds(700, 1), numbers(700, 1));
    let fit = |seed| {
        let forest = Forest::params().trees(20).seed(seed).fit(&classes).unwrap();
        let regression = RegressionForest::params()
            .trees(20)
            .seed(seed)
            .fit(&numbers)
            .unwrap();
        (forest.to_onnx(), regression.to_onnx())
    };
    let first = on_threads(1, || fit(7));
    for threads in [1, 2, 3, 8] {
        assert!(on_threads(threads, || fit(7)) == first, "{threads} threads");
    }
    let other = fit(8);
    assert!(other.0 != first.0 && other.1 != first.1, "the seed must matter");
}

#[test]
fn layout_of_the_records_does_not_matter() {
    let table = clouds(100, 2);
    let mut columns_first = Array2::zeros((6, 100)).reversed_axes();
    columns_first.assign(&table.records);
    assert!(!columns_first.is_standard_layout());
    let turned = Dataset::new(columns_first.clone(), table.targets.clone());
    let forest = Forest::params().trees(5).fit(&table).unwrap();
    assert_eq!(
        forest.to_onnx(),
        Forest::params().trees(5).fit(&turned).unwrap().to_onnx()
    );
    assert_eq!(
        forest.predict_probabilities(&columns_first),
        forest.predict_probabilities(&table.records)
    );
}

#[test]
fn probabilities_sum_to_exactly_one() {
    let table = clouds(300, 3);
    for trees in [1, 3, 100, 300] {
        let forest = Forest::params()
            .trees(trees)
            .max_depth(Some(3))
            .fit(&table)
            .unwrap();
        for row in forest.predict_probabilities(&table.records).rows() {
            assert_eq!(row.sum(), 1.0);
        }
    }
}

#[test]
fn splits_cross_validates_and_counts_with_linfa() {
    let mut random = SmallRng::seed_from_u64(4);
    let mut table = clouds(600, 4).shuffle(&mut random);
    let params = [
        Forest::params().trees(1).max_depth(Some(1)),
        Forest::params().trees(40),
    ];
    let scores = table
        .cross_validate_single(5, &params, |predicted, truth| {
            Ok(predicted.confusion_matrix(truth)?.accuracy())
        })
        .map_err(|error: Error| error)
        .unwrap();
    assert!(scores[1] > 0.7 && scores[1] > scores[0] + 0.1, "{scores}");

    let (train, held_out) = table.split_with_ratio(0.8);
    let forest = params[1].fit(&train).unwrap();
    let matrix = forest.predict(&held_out).confusion_matrix(&held_out).unwrap();
    let accuracy = metrics::accuracy(&forest.predict(&held_out), held_out.targets()).unwrap();
    assert!((f64::from(matrix.accuracy()) - accuracy).abs() < 1e-6);

    let mut table = numbers(300, 4);
    let errors = table
        .cross_validate_single(4, &[RegressionForest::params().trees(30)], |predicted, truth| {
            predicted.r2(truth)
        })
        .map_err(|error: Error| error)
        .unwrap();
    assert!(errors[0] > 0.5, "{errors}");
    let mut table = clouds(150, 5);
    let baseline = table
        .cross_validate_single(3, &[BaselineParams::default()], |predicted, truth| {
            Ok(predicted.confusion_matrix(truth)?.accuracy())
        })
        .map_err(|error: Error| error)
        .unwrap();
    assert!(baseline[0] > 0.6, "{baseline}");
}

/// Number of training rows (not drawn, no bootstrap) that reach each leaf, and the longest path.
fn leaf_sizes(ensemble: &TreeEnsemble, rows: &Array2<f64>) -> (Vec<usize>, usize) {
    let tree = &ensemble.trees()[0];
    let (mut counts, mut longest) = (vec![0; tree.nodes.len()], 0);
    for row in rows.rows() {
        let (mut node, mut depth) = (0, 0);
        while let Node::Branch {
            feature,
            threshold,
            low,
            high,
        } = tree.nodes[node]
        {
            node = if row[feature as usize] as f32 <= threshold {
                low
            } else {
                high
            } as usize;
            depth += 1;
        }
        counts[node] += 1;
        longest = longest.max(depth);
    }
    let leaf = |node: &usize| matches!(tree.nodes[*node], Node::Leaf { .. });
    (
        (0..counts.len()).filter(leaf).map(|node| counts[node]).collect(),
        longest,
    )
}

#[test]
fn limits_are_kept() {
    let table = clouds(300, 6);
    let one = || Forest::params().trees(1).bootstrap(false);
    let fit = |params: model::ForestParams| {
        let forest = params.fit(&table).unwrap();
        leaf_sizes(forest.ensemble(), &table.records)
    };
    let (full, _) = fit(one());
    assert!(full.iter().all(|count| *count > 0) && full.iter().sum::<usize>() == 300);
    for depth in [1, 2, 5] {
        assert_eq!(fit(one().max_depth(Some(depth))).1, depth);
    }
    assert!(fit(one().min_samples_leaf(20)).0.iter().all(|count| *count >= 20));
    assert_eq!(fit(one().min_samples_leaf(151)).0, [300]);
    assert!(fit(one().min_samples_split(100)).0.len() < full.len());
    assert_eq!(fit(one().min_samples_split(301)).0, [300]);
}

#[test]
fn a_full_tree_without_bootstrap_learns_by_heart() {
    let table = clouds(300, 7);
    let forest = Forest::params()
        .trees(1)
        .bootstrap(false)
        .max_features(MaxFeatures::All)
        .fit(&table)
        .unwrap();
    assert_eq!(forest.predict(&table), table.targets);
    let table = numbers(300, 7);
    let forest = RegressionForest::params()
        .trees(1)
        .bootstrap(false)
        .fit(&table)
        .unwrap();
    let error = metrics::rmse(&forest.predict(&table), &table.targets).unwrap();
    assert!(error < 1e-4, "{error}");
}

#[test]
fn the_first_cut_is_the_best_one() {
    // Gini: 3 + 1 against 4 of the other class are best parted between 3 and 4, at 3.5.
    let table = Dataset::new(
        array![
            [1.0, 0.0],
            [2.0, 0.0],
            [3.0, 0.0],
            [4.0, 0.0],
            [5.0, 0.0],
            [6.0, 0.0]
        ],
        array![0usize, 0, 0, 1, 1, 1],
    );
    // The second column is constant and does not count as tried.
    let forest = Forest::params()
        .trees(1)
        .bootstrap(false)
        .max_features(MaxFeatures::Count(1))
        .fit(&table)
        .unwrap();
    assert_eq!(
        forest.ensemble().trees()[0].nodes,
        [
            Node::Branch {
                feature: 0,
                threshold: 3.5,
                low: 1,
                high: 2
            },
            Node::Leaf { first: 0 },
            Node::Leaf { first: 2 }
        ]
    );
    // Variance: the jump from 1 to 9 is worth more than the steps around it.
    let table = Dataset::new(array![[1.0], [2.0], [3.0], [4.0]], array![0.0, 1.0, 9.0, 10.0]);
    let forest = RegressionForest::params()
        .trees(1)
        .bootstrap(false)
        .max_depth(Some(1))
        .fit(&table)
        .unwrap();
    assert!(matches!(
        forest.ensemble().trees()[0].nodes[0],
        Node::Branch { threshold: 2.5, .. }
    ));
    assert_eq!(forest.predict(&table.records), array![0.5, 0.5, 9.5, 9.5]);
    assert_eq!(forest.ensemble().output(), Output::Number { base: 5.0 });
}

#[test]
fn degenerate_tables() {
    let constant = Dataset::new(Array2::from_elem((5, 2), 3.0), array![0usize, 1, 0, 1, 1]);
    let forest = Forest::params().trees(50).fit(&constant).unwrap();
    assert_eq!(forest.predict(&constant), Array1::from_elem(5, 1));
    let single = Dataset::new(array![[1.0]], array![1usize]);
    assert_eq!(Forest::params().fit(&single).unwrap().predict(&single), array![1]);
    let same = Dataset::new(array![[1.0], [2.0]], array![1e30, 1e30]);
    let forest = RegressionForest::params().fit(&same).unwrap();
    assert_eq!(
        forest.predict(&same),
        array![f64::from(1e30f32), f64::from(1e30f32)]
    );
    // Classes that no row has keep their place.
    let forest = Forest::params().classes(4).fit(&single).unwrap();
    assert_eq!(
        forest.predict_probabilities(&single.records),
        array![[0.0, 1.0, 0.0, 0.0]]
    );
}

#[test]
fn neighbouring_floats_stay_apart() {
    let (low, high) = (1.0f32, 1.0f32.next_up());
    let records = array![[f64::from(low)], [f64::from(high)]];
    let table = Dataset::new(records, array![0usize, 1]);
    let forest = Forest::params().trees(1).bootstrap(false).fit(&table).unwrap();
    assert_eq!(forest.predict(&table), table.targets);
}
