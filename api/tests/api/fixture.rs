//! A small model directory whose every answer can be worked out by hand.

use contract::{
    Manifest,
    manifest::{Dataset, DatasetFile, DriftReference, FORMAT, Feature, GoldenRow, Task},
    sha256_hex,
};
use drift::npy::{self, Matrix};
use onnx::{Node, Output, Tree, TreeEnsemble};
use std::{fs, path::Path};
use tempfile::TempDir;

/// Names, in order.
pub const FEATURES: [&str; 4] = ["sepal_length", "sepal_width", "petal_length", "petal_width"];
/// Rows of the drift reference.
pub const REFERENCE_ROWS: usize = 50;

fn branch(feature: u32, threshold: f32, low: u32, high: u32) -> Node {
    Node::Branch {
        feature,
        threshold,
        low,
        high,
    }
}

/// Two trees: petal_length <= 2.5 is setosa, petal_width <= 1.75 tells the others apart.
pub fn classifier() -> Vec<u8> {
    let tree = |threshold, sure: f32| Tree {
        nodes: vec![
            branch(2, threshold, 1, 2),
            Node::Leaf { first: 0 },
            branch(3, 1.75, 3, 4),
            Node::Leaf { first: 3 },
            Node::Leaf { first: 6 },
        ],
        values: vec![0.5, 0.0, 0.0, 0.0, sure, 0.5 - sure, 0.0, 0.5 - sure, sure],
    };
    let trees = vec![tree(2.5, 0.4375), tree(2.75, 0.375)];
    onnx::write(&TreeEnsemble::new(4, Output::Classes(3), trees).unwrap())
}

/// One tree over two features: base 10, minus or plus 0.3.
pub fn regression() -> Vec<u8> {
    let tree = Tree {
        nodes: vec![
            branch(0, 0.0, 1, 2),
            Node::Leaf { first: 0 },
            Node::Leaf { first: 1 },
        ],
        values: vec![-0.3, 0.3],
    };
    onnx::write(&TreeEnsemble::new(2, Output::Number { base: 10.0 }, vec![tree]).unwrap())
}

/// Answers 0 up to 0, and more than float32 holds above.
pub fn overflowing() -> Vec<u8> {
    let tree = || Tree {
        nodes: vec![
            branch(0, 0.0, 1, 2),
            Node::Leaf { first: 0 },
            Node::Leaf { first: 1 },
        ],
        values: vec![0.0, 3e38],
    };
    let output = Output::Number { base: 0.0 };
    onnx::write(&TreeEnsemble::new(1, output, vec![tree(), tree()]).unwrap())
}

/// Row `i` of the drift reference: every feature runs over 50 distinct values.
pub fn reference_row(i: usize) -> [f64; 4] {
    let i = i as f64;
    [4.5 + 0.05 * i, 2.0 + 0.04 * i, 1.0 + 0.1 * i, 0.1 + 0.05 * i]
}

/// Probability of the class that [`classifier`] answers to each row of the drift reference.
pub fn reference_scores() -> Vec<f64> {
    let score = |i| match i {
        0..=15 => 1.0,
        // Between the thresholds of both trees.
        16..=17 => 0.5,
        _ => 0.8125,
    };
    (0..REFERENCE_ROWS).map(score).collect()
}

/// [`directory`], with scores of held-out rows.
pub fn directory_with_scores() -> TempDir {
    directory_with(|manifest| {
        let reference = manifest.drift_reference.as_mut();
        reference.expect("it has one").scores = reference_scores();
    })
}

/// The manifest of [`classifier`].
pub fn manifest() -> Manifest {
    let feature = |name: &&str| Feature {
        name: (*name).to_owned(),
        dtype: "float64".to_owned(),
        min: 0.0,
        max: 8.0,
    };
    Manifest {
        format: FORMAT,
        name: "iris-model".to_owned(),
        task: Task::Classification,
        algorithm: "random-forest".to_owned(),
        features: FEATURES.iter().map(feature).collect(),
        classes: ["setosa", "versicolor", "virginica"].map(str::to_owned).to_vec(),
        parameters: [("trees".to_owned(), 2.into())].into(),
        seed: 42,
        metrics: [("accuracy".to_owned(), 0.9667)].into(),
        dataset: Dataset {
            digest: sha256_hex(b"dataset"),
            target: "species".to_owned(),
            files: vec![DatasetFile {
                name: "iris.csv".to_owned(),
                digest: sha256_hex(b"file"),
                rows: 150,
            }],
            rows: 150,
            holdout_rows: 30,
        },
        code_commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        model_digest: sha256_hex(&classifier()),
        drift_reference: Some(DriftReference {
            path: "drift/reference_data.npy".to_owned(),
            digest: sha256_hex(&reference()),
            rows: REFERENCE_ROWS as u64,
            sources: vec!["iris.csv".to_owned()],
            predictions: vec![15, 10, 25],
            scores: Vec::new(),
        }),
        golden_rows: vec![GoldenRow {
            features: vec![5.1, 3.5, 1.4, 0.2],
            prediction: 0.0,
            probabilities: vec![1.0, 0.0, 0.0],
        }],
        model_version: Some(3),
        run_id: Some("run-1".to_owned()),
    }
}

/// The `.npy` bytes of the drift reference.
pub fn reference() -> Vec<u8> {
    let values = (0..REFERENCE_ROWS).flat_map(reference_row).collect();
    npy::write(&Matrix {
        rows: REFERENCE_ROWS,
        columns: 4,
        values,
    })
}

/// Writes a model directory with a manifest changed by `change`.
pub fn directory_with(change: impl FnOnce(&mut Manifest)) -> TempDir {
    let directory = TempDir::new().unwrap();
    let mut manifest = manifest();
    change(&mut manifest);
    fs::create_dir(directory.path().join("drift")).unwrap();
    fs::write(directory.path().join("model.onnx"), classifier()).unwrap();
    fs::write(directory.path().join("drift/reference_data.npy"), reference()).unwrap();
    write_manifest(directory.path(), &manifest);
    directory
}

/// The directory as it should be.
pub fn directory() -> TempDir {
    directory_with(|_| ())
}

/// Writes `manifest.json`.
pub fn write_manifest(directory: &Path, manifest: &Manifest) {
    fs::write(
        directory.join("manifest.json"),
        serde_json::to_vec_pretty(manifest).unwrap(),
    )
    .unwrap();
}
