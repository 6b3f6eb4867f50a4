//! Forests against scikit-learn and onnxruntime.

mod python;

use linfa::Dataset;
use linfa::traits::{Fit, Predict};
use model::{Forest, RegressionForest, baseline::BaselineParams, metrics};
use ndarray::{Array1, Array2};
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct Table {
    features: usize,
    splits: Vec<Split>,
}

#[derive(Deserialize)]
struct Split {
    train: Vec<f64>,
    test: Vec<f64>,
    train_target: Vec<f64>,
    test_target: Vec<f64>,
    /// Answers of scikit-learn's forest.
    predicted: Vec<f64>,
    /// Its accuracy or R².
    score: f64,
    /// Its weighted F1 or RMSE.
    other: f64,
}

fn table(interpreter: &Path, name: &str) -> Table {
    serde_json::from_str(&python::run(interpreter, "sklearn_data.py", &[name])).expect("JSON of the script")
}

fn rows(numbers: &[f64], features: usize) -> Array2<f64> {
    Array2::from_shape_vec((numbers.len() / features, features), numbers.to_vec()).unwrap()
}

fn classes(numbers: &[f64]) -> Array1<usize> {
    numbers.iter().map(|number| *number as usize).collect()
}

/// Exported models and rows, to be asked in one start of onnxruntime.
#[derive(Default)]
struct Exported(Vec<(tempfile::TempDir, onnx::Model, Vec<f32>)>);

impl Exported {
    fn add(&mut self, bytes: &[u8], rows: &Array2<f64>) {
        let folder = tempfile::tempdir().unwrap();
        let narrow: Vec<f32> = rows.iter().map(|value| *value as f32).collect();
        let raw: Vec<u8> = narrow.iter().flat_map(|value| value.to_le_bytes()).collect();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("model.onnx", bytes);
        write("rows.f32", &raw);
        write("columns", rows.ncols().to_string().as_bytes());
        self.0.push((folder, onnx::Model::read(bytes).unwrap(), narrow));
    }

    /// Same labels, same scores to the last bit.
    fn same_in_onnxruntime(self, interpreter: &Path) {
        let folders: Vec<&str> = self
            .0
            .iter()
            .map(|(folder, ..)| folder.path().to_str().unwrap())
            .collect();
        python::run(interpreter, "onnx_runtime.py", &folders);
        for (folder, model, rows) in &self.0 {
            let count = rows.len() / model.features();
            let (mut scores, mut labels) = (vec![0.0; count * model.outputs()], vec![0; count]);
            model.predict_batch(rows, &mut scores, &mut labels);
            let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
            let theirs = read("scores.f32");
            let theirs = theirs
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes));
            assert_eq!(scores, theirs.collect::<Vec<_>>());
            if model.is_classifier() {
                let theirs = read("labels.i64");
                let theirs = theirs
                    .as_chunks()
                    .0
                    .iter()
                    .map(|bytes| i64::from_le_bytes(*bytes));
                assert_eq!(labels, theirs.collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn as_good_as_scikit_learn_and_equal_in_onnxruntime() {
    let Some(interpreter) = python::oracle("as_good_as_scikit_learn_and_equal_in_onnxruntime") else {
        return;
    };
    let mut exported = Exported::default();
    for name in ["iris", "wine", "breast_cancer"] {
        let table = table(&interpreter, name);
        let (mut ours, mut theirs) = (0.0, 0.0);
        for (seed, split) in (0u64..).zip(&table.splits) {
            let train = Dataset::new(rows(&split.train, table.features), classes(&split.train_target));
            let test = rows(&split.test, table.features);
            let truth = classes(&split.test_target);
            let forest = Forest::params().seed(seed).fit(&train).unwrap();
            ours += metrics::accuracy(&forest.predict(&test), &truth).unwrap();
            theirs += split.score;
            // The metrics themselves, on scikit-learn's answers.
            let predicted = classes(&split.predicted);
            assert!((metrics::accuracy(&predicted, &truth).unwrap() - split.score).abs() < 1e-12);
            assert!((metrics::f1_weighted(&predicted, &truth).unwrap() - split.other).abs() < 1e-6);
            exported.add(&forest.to_onnx(), &test);
            if seed == 0 {
                let tree = BaselineParams::default().fit(&train).unwrap();
                exported.add(&tree.to_onnx(), &test);
            }
        }
        let splits = table.splits.len() as f64;
        let (ours, theirs) = (ours / splits, theirs / splits);
        assert!(
            (ours - theirs).abs() < 0.02,
            "{name}: ours {ours}, scikit-learn {theirs}"
        );
    }
    exported.same_in_onnxruntime(&interpreter);
}

#[test]
fn regression_as_good_as_scikit_learn_and_equal_in_onnxruntime() {
    let Some(interpreter) = python::oracle("regression_as_good_as_scikit_learn_and_equal_in_onnxruntime")
    else {
        return;
    };
    let mut exported = Exported::default();
    let table = table(&interpreter, "diabetes");
    let (mut ours, mut theirs) = (0.0, 0.0);
    for (seed, split) in (0u64..).zip(&table.splits) {
        let target = Array1::from(split.train_target.clone());
        let train = Dataset::new(rows(&split.train, table.features), target);
        let test = rows(&split.test, table.features);
        let truth = Array1::from(split.test_target.clone());
        let forest = RegressionForest::params().seed(seed).fit(&train).unwrap();
        ours += metrics::r2(&forest.predict(&test), &truth).unwrap();
        theirs += split.score;
        let predicted = Array1::from(split.predicted.clone());
        assert!((metrics::r2(&predicted, &truth).unwrap() - split.score).abs() < 1e-9);
        assert!((metrics::rmse(&predicted, &truth).unwrap() - split.other).abs() < 1e-9);
        exported.add(&forest.to_onnx(), &test);
    }
    let splits = table.splits.len() as f64;
    let (ours, theirs) = (ours / splits, theirs / splits);
    assert!(
        (ours - theirs).abs() < 0.03,
        "R²: ours {ours}, scikit-learn {theirs}"
    );
    exported.same_in_onnxruntime(&interpreter);
}

/// Close votes, many classes, many trees: where sums that round would tell runtimes apart.
#[test]
fn ties_are_the_same_in_onnxruntime() {
    let Some(interpreter) = python::oracle("ties_are_the_same_in_onnxruntime") else {
        return;
    };
    let mut exported = Exported::default();
    let noise = |row: usize, column: usize| ((row * 31 + column * 17) * 2_654_435_761 % 1_000) as f64 / 10.0;
    for (count, trees) in [(2, 100), (2, 333), (7, 100)] {
        let table = Array2::from_shape_fn((400, 3), |(row, column)| noise(row, column));
        // Targets that the features say nothing about.
        let target = Array1::from_shape_fn(400, |row| (noise(row, 99) as usize * 7) % count);
        let train = Dataset::new(table.clone(), target);
        let forest = Forest::params()
            .trees(trees)
            .max_depth(Some(6))
            .fit(&train)
            .unwrap();
        exported.add(&forest.to_onnx(), &table);
    }
    exported.same_in_onnxruntime(&interpreter);
}
