//! The drift page in headless Chromium, driven over the DevTools protocol by `../browser/page.py`.

use crate::{fixture, plain};
use drift::npy::{self, Matrix};
use onnx::{Node, Output, Tree, TreeEnsemble};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Names that would be markup, were they not text; one of them long.
const HOSTILE: [&str; 4] = [
    "<img src=x onerror=\"hacked=1\">",
    "</script><script>hacked=1</script>",
    "'\"&amp;`${hacked=1}",
    "a_name_without_any_place_to_break_it_that_goes_on_and_on_and_on_and_on_and_on_and_on_and_on_until_it_is_wider_than_a_phone",
];

/// Another forest for the same rows.
fn replaced() -> TempDir {
    let branch = |feature, threshold, low, high| Node::Branch {
        feature,
        threshold,
        low,
        high,
    };
    let tree = Tree {
        nodes: vec![
            branch(2, 2.625, 1, 2),
            Node::Leaf { first: 0 },
            branch(3, 1.625, 3, 4),
            Node::Leaf { first: 3 },
            Node::Leaf { first: 6 },
        ],
        values: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    };
    let bytes = onnx::write(&TreeEnsemble::new(4, Output::Classes(3), vec![tree]).unwrap());
    let directory = fixture::directory_with(|manifest| manifest.model_digest = contract::sha256_hex(&bytes));
    fs::write(directory.path().join("model.onnx"), bytes).unwrap();
    directory
}

/// A hundred features: the fixture's four, over and over.
fn wide() -> TempDir {
    const WIDTH: u8 = 100;
    let tree = Tree {
        nodes: vec![
            Node::Branch {
                feature: 2,
                threshold: 2.5,
                low: 1,
                high: 2,
            },
            Node::Leaf { first: 0 },
            Node::Leaf { first: 3 },
        ],
        values: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    };
    let bytes = onnx::write(&TreeEnsemble::new(WIDTH.into(), Output::Classes(3), vec![tree]).unwrap());
    let rows = fixture::REFERENCE_ROWS;
    let values = (0..rows)
        .flat_map(|i| (0..WIDTH).map(move |column| fixture::reference_row(i)[usize::from(column) % 4]))
        .collect();
    let reference = npy::write(&Matrix {
        rows,
        columns: WIDTH.into(),
        values,
    });
    let directory = fixture::directory_with(|manifest| {
        manifest.model_digest = contract::sha256_hex(&bytes);
        let like = manifest.features[0].clone();
        manifest.features = (0..WIDTH)
            .map(|index| contract::manifest::Feature {
                name: format!("measure_{index:02}"),
                ..like.clone()
            })
            .collect();
        let golden = &mut manifest.golden_rows[0];
        golden.features = golden
            .features
            .iter()
            .copied()
            .cycle()
            .take(WIDTH.into())
            .collect();
        let drift = manifest.drift_reference.as_mut().unwrap();
        drift.digest = contract::sha256_hex(&reference);
        // Petals up to 2.5, and the others.
        drift.predictions = vec![16, 34, 0];
    });
    fs::write(directory.path().join("model.onnx"), &bytes).unwrap();
    fs::write(directory.path().join("drift/reference_data.npy"), &reference).unwrap();
    directory
}

/// Browser and Python; `None`, with a line saying so, where one is missing and not demanded.
fn tools() -> Option<(PathBuf, PathBuf)> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/clients/bin/python");
    let python = std::env::var_os("DRIFTLESS_CLIENTS_PYTHON").map_or(default, PathBuf::from);
    let chromium = std::env::var_os("DRIFTLESS_CHROMIUM").map_or("chromium".into(), PathBuf::from);
    let works = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    let missing: Vec<_> = [
        ("chromium", works(&chromium, &["--version"])),
        (
            "the clients' Python with websockets",
            works(&python, &["-c", "import websockets.sync.client"]),
        ),
    ]
    .into_iter()
    .filter_map(|(what, is_there)| (!is_there).then_some(what))
    .collect();
    if missing.is_empty() {
        return Some((chromium, python));
    }
    assert!(
        std::env::var_os("DRIFTLESS_STRICT").is_none_or(|strict| strict != "1"),
        "the drift page cannot be tested without {missing:?}"
    );
    eprintln!("SKIPPED the_drift_page_works: {missing:?} not found (DRIFTLESS_CHROMIUM, cargo xtask test)");
    None
}

#[test]
fn the_drift_page_works() {
    let Some((chromium, python)) = tools() else { return };
    let hostile = fixture::directory_with(|manifest| {
        for (feature, name) in manifest.features.iter_mut().zip(HOSTILE) {
            feature.name = name.to_owned();
        }
    });
    let (iris, other, wide) = (fixture::directory_with_scores(), replaced(), wide());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/page.py");
    let output = Command::new(python)
        .arg(script)
        .args([&chromium, Path::new(env!("CARGO_BIN_EXE_inference-api"))])
        .args([iris.path(), other.path(), hostile.path(), wide.path()])
        .arg(plain::corpus("minmaxscaler_multi_f32"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(said.lines().count(), 7, "{said}");
    println!("{said}");
}
