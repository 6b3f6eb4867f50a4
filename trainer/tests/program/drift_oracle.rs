//! Statistics of the report beside SciPy's, on tables that pandas has written as CSV and as Parquet.

use crate::drift::column;
use crate::support::program::trainer_in;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pinned Python environment; `None`, said aloud, where it was not made.
fn python() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/oracle/bin/python");
    let python = std::env::var_os("DRIFTLESS_ORACLE_PYTHON").map_or(tools, Into::into);
    if python.is_file() {
        return Some(python);
    }
    assert!(
        std::env::var_os("DRIFTLESS_STRICT").is_none(),
        "no oracle environment"
    );
    eprintln!("SKIPPED drift_oracle: no oracle environment; run cargo xtask test");
    None
}

/// Relative to 1e-9; what is next to zero is so on both sides.
#[track_caller]
fn agree(what: &str, ours: &Value, theirs: &Value) {
    let [x, y] = [ours, theirs].map(|value| {
        value
            .as_f64()
            .unwrap_or_else(|| panic!("{what}: {ours} {theirs}"))
    });
    assert!((x - y).abs() <= 1e-9 * y.abs() + 1e-13, "{what}: {x}, SciPy {y}");
}

#[test]
fn scipy_says_the_same() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(python)
        .args(["-c", include_str!("support/drift_tables.py")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let expected: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut reports = Vec::new();
    for case in expected.as_array().unwrap() {
        for (reference, current) in [("csv", "csv"), ("parquet", "parquet"), ("csv", "parquet")] {
            let name = case["name"].as_str().unwrap();
            let files = [format!("{name}-a.{reference}"), format!("{name}-b.{current}")];
            let args = [
                "drift",
                "--reference",
                &files[0],
                "--current",
                &files[1],
                "--categorical",
                "code",
            ];
            let report = trainer_in(folder.path(), &args, &[]).expect(0).json();
            for (column_name, numbers) in case["columns"].as_object().unwrap() {
                let ours = column(&report, column_name);
                for (pointer, theirs) in numbers.as_object().unwrap() {
                    let what = format!("{} {column_name} {pointer}", files[1]);
                    agree(&what, ours.pointer(pointer).unwrap_or(&Value::Null), theirs);
                }
            }
            reports.push(report);
        }
    }
    // Which kind of file the rows came in makes no difference.
    for of_one in reports.chunks(3) {
        for other in &of_one[1..] {
            assert_eq!(
                (&of_one[0]["features"], &of_one[0]["verdict"]),
                (&other["features"], &other["verdict"])
            );
        }
    }
}

/// Files as pandas writes them that are not, or not wholly, what is read here.
const ODD: &str = r#"
import pandas as pd

frame = pd.DataFrame({"x": range(60), "when": pd.date_range("2026", periods=60), "list": [[1]] * 60})
frame.to_parquet("odd.parquet")
frame[["x"]].to_parquet("gzip.parquet", compression="gzip")
frame[["x"]].astype(float).replace(7, float("inf")).to_parquet("infinite.parquet")
frame[["x"]].astype(str).to_parquet("text.parquet")
whole = open("odd.parquet", "rb").read()
open("cut.parquet", "wb").write(whole[:-9])
"#;

#[test]
fn parquet_that_is_odd() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(python)
        .args(["-c", ODD])
        .current_dir(folder.path())
        .status();
    assert!(status.unwrap().success());
    let drift = |reference: &str, current: &str, more: &[&str]| {
        let files = ["drift", "--reference", reference, "--current", current];
        trainer_in(folder.path(), &[&files[..], more].concat(), &[])
    };
    let said = drift("odd.parquet", "odd.parquet", &[]).expect(0);
    assert_eq!(said.json()["features"].as_array().unwrap().len(), 1);
    let refused = [
        ("odd.parquet", "odd.parquet", &["--columns", "when"][..]),
        ("odd.parquet", "gzip.parquet", &[]),
        ("infinite.parquet", "odd.parquet", &[]),
        ("odd.parquet", "text.parquet", &[]),
        ("odd.parquet", "cut.parquet", &[]),
    ];
    let mut lines: Vec<String> = said.stderr.lines().take(2).map(str::to_owned).collect();
    for (reference, current, more) in refused {
        let report = drift(reference, current, more).expect(10).json();
        lines.push(format!(
            "{}: {}",
            report["id"].as_str().unwrap(),
            report["reason"].as_str().unwrap()
        ));
    }
    insta::assert_snapshot!(lines.join("\n"));
    drift("odd.parquet", "text.parquet", &["--categorical", "x"]).expect(0);
}
