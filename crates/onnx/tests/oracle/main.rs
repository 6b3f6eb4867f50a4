//! Every kind of exported model against onnxruntime: equal labels, scores to 1e-5.

use onnx::plan::{Limits, Strings, Values, View};
use onnx::{Plan, Scratch};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Relative to the score, and absolute below one.
const TOLERANCE: f64 = 1e-5;
/// What the issue asks for at least.
const MODELS: usize = 80;

#[derive(Deserialize)]
struct Case {
    inputs: Vec<Entry>,
    outputs: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    file: String,
    r#type: String,
}

#[derive(Debug)]
enum Owned {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    Bool(Vec<bool>),
    Str(Strings),
}

#[derive(Debug)]
struct Table {
    shape: Vec<usize>,
    values: Owned,
}

fn numbers<const N: usize, T>(bytes: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|bytes| read(*bytes))
        .collect()
}

impl Table {
    fn read(folder: &Path, entry: &Entry) -> Self {
        let bytes = std::fs::read(folder.join(&entry.file)).unwrap();
        let values = match entry.r#type.as_str() {
            "float32" => Owned::F32(numbers(&bytes, f32::from_le_bytes)),
            "float64" => Owned::F64(numbers(&bytes, f64::from_le_bytes)),
            "int64" => Owned::I64(numbers(&bytes, i64::from_le_bytes)),
            "int32" => Owned::I64(numbers(&bytes, |bytes| i64::from(i32::from_le_bytes(bytes)))),
            "bool" => Owned::Bool(bytes.iter().map(|byte| *byte != 0).collect()),
            "string" => Owned::Str(
                serde_json::from_slice::<Vec<String>>(&bytes)
                    .unwrap()
                    .iter()
                    .collect(),
            ),
            other => panic!("{other}"),
        };
        Table {
            shape: entry.shape.clone(),
            values,
        }
    }

    fn view(&self) -> View<'_> {
        View {
            shape: &self.shape,
            values: match &self.values {
                Owned::F32(values) => Values::F32(values),
                Owned::F64(values) => Values::F64(values),
                Owned::I64(values) => Values::I64(values),
                Owned::Bool(values) => Values::Bool(values),
                Owned::Str(values) => Values::Str(values),
            },
        }
    }

    /// Some of its rows.
    fn rows(&self, first: usize, count: usize) -> Table {
        fn part<T: Clone>(values: &[T], first: usize, count: usize, width: usize) -> Vec<T> {
            values[first * width..(first + count) * width].to_vec()
        }
        let width = self.shape[1..].iter().product();
        let mut shape = self.shape.clone();
        shape[0] = count;
        let values = match &self.values {
            Owned::F32(values) => Owned::F32(part(values, first, count, width)),
            Owned::F64(values) => Owned::F64(part(values, first, count, width)),
            Owned::I64(values) => Owned::I64(part(values, first, count, width)),
            Owned::Bool(values) => Owned::Bool(part(values, first, count, width)),
            Owned::Str(values) => Owned::Str(
                (first * width..(first + count) * width)
                    .map(|at| values.get(at))
                    .collect(),
            ),
        };
        Table { shape, values }
    }
}

fn close(found: f64, expected: f64) -> bool {
    found == expected
        || (found.is_nan() && expected.is_nan())
        || (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0)
}

/// What differs; nothing when all is well. Labels are exact, scores are close.
fn difference(found: View<'_>, expected: View<'_>) -> Option<String> {
    if found.shape != expected.shape {
        return Some(format!(
            "shape {:?}, onnxruntime {:?}",
            found.shape, expected.shape
        ));
    }
    let floats = |found: &[f64], expected: &[f64]| {
        let wrong = (found.iter().zip(expected).enumerate())
            .find(|(_, (found, expected))| !close(**found, **expected));
        let count = found
            .iter()
            .zip(expected)
            .filter(|(found, expected)| !close(**found, **expected))
            .count();
        wrong.map(|(at, (found, expected))| {
            format!("{count} values, at {at}: {found}, onnxruntime {expected}")
        })
    };
    let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>();
    match (found.values, expected.values) {
        (Values::F32(found), Values::F32(expected)) => floats(&wide(found), &wide(expected)),
        (Values::F64(found), Values::F64(expected)) => floats(found, expected),
        // The graph declares doubles, onnxruntime was given a repaired one.
        (Values::F64(found), Values::F32(expected)) => floats(found, &wide(expected)),
        (found, expected) if found == expected => None,
        (found, expected) => Some(
            format!("{found:?}, onnxruntime {expected:?}")
                .chars()
                .take(600)
                .collect(),
        ),
    }
}

/// Asks a model for all rows at once, then one by one; the first difference.
fn check(folder: &Path) -> Result<Plan, String> {
    let bytes = std::fs::read(folder.join("model.onnx")).unwrap();
    let case: Case = serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
    let plan = Plan::read(&bytes, &Limits::default()).map_err(|error| error.to_string())?;
    let by_name = |name: &str| {
        let entry = case.inputs.iter().find(|entry| entry.name == name);
        Table::read(folder, entry.unwrap_or_else(|| panic!("no rows for {name}")))
    };
    let tables: Vec<Table> = plan.inputs().iter().map(|port| by_name(&port.name)).collect();
    let expected: Vec<Table> = case
        .outputs
        .iter()
        .map(|entry| Table::read(folder, entry))
        .collect();
    let names: Vec<&str> = plan.outputs().iter().map(|port| port.name.as_str()).collect();
    let asked: Vec<&str> = case.outputs.iter().map(|entry| entry.name.as_str()).collect();
    if names != asked {
        return Err(format!("outputs {names:?}, onnxruntime {asked:?}"));
    }
    let mut scratch = Scratch::new();
    let views: Vec<View<'_>> = tables.iter().map(Table::view).collect();
    let outputs = plan
        .run(&views, &mut scratch)
        .map_err(|error| error.to_string())?;
    for ((found, expected), port) in outputs.iter().zip(&expected).zip(plan.outputs()) {
        if let Some(difference) = difference(found, expected.view()) {
            return Err(format!("output {}: {difference}", port.name));
        }
        let fits = found.shape.len() == port.shape.len()
            && (found.shape.iter().zip(&port.shape))
                .all(|(found, said)| said.is_none_or(|said| said == *found));
        if !fits {
            return Err(format!(
                "output {} has shape {:?}, said {:?}",
                port.name, found.shape, port.shape
            ));
        }
    }
    let tables_rows = tables[0].shape[0];
    for row in [0, 1, 5, 6, 7, tables_rows - 1] {
        let tables: Vec<Table> = tables.iter().map(|table| table.rows(row, 1)).collect();
        let views: Vec<View<'_>> = tables.iter().map(Table::view).collect();
        let outputs = plan
            .run(&views, &mut scratch)
            .map_err(|error| format!("one row: {error}"))?;
        // Some exports give labels as one row.
        let by_row = |expected: &&Table| expected.shape.first() == Some(&tables_rows);
        for (found, expected) in outputs
            .iter()
            .zip(&expected)
            .filter(|(_, expected)| by_row(expected))
        {
            if let Some(difference) = difference(found, expected.rows(row, 1).view()) {
                return Err(format!("row {row} alone: {difference}"));
            }
        }
    }
    let none: Vec<Table> = tables.iter().map(|table| table.rows(0, 0)).collect();
    let views: Vec<View<'_>> = none.iter().map(Table::view).collect();
    // Whatever it says (not every exported graph can do without rows): it does not panic.
    let _ = plan.run(&views, &mut scratch);
    Ok(plan)
}

/// The pinned Python; `None`, with a line saying so, where it is missing and not demanded.
fn oracle() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/oracle/bin/python");
    let python = std::env::var_os("DRIFTLESS_ORACLE_PYTHON").map_or(default, PathBuf::from);
    let has = |python: &Path| {
        let mut command = Command::new(python);
        command.args([
            "-c",
            "import skl2onnx, onnxmltools, xgboost, lightgbm, onnxruntime",
        ]);
        command.output().is_ok_and(|output| output.status.success())
    };
    if has(&python) {
        return Some(python);
    }
    assert!(
        std::env::var_os("DRIFTLESS_STRICT").is_none_or(|strict| strict != "1"),
        "no oracle environment with the exporters at {}",
        python.display()
    );
    eprintln!("SKIPPED oracle: no oracle environment with the exporters; run cargo xtask test");
    None
}

#[test]
fn exported_models_answer_like_onnxruntime() {
    let temporary = tempfile::tempdir().unwrap();
    // A grid that was written before, for work on the operators.
    let folder = match std::env::var_os("DRIFTLESS_ONNX_GRID").map(PathBuf::from) {
        Some(folder) => folder,
        None => {
            let Some(python) = oracle() else { return };
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/grid.py");
            let output = Command::new(python)
                .arg(script)
                .arg(temporary.path())
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            temporary.path().to_owned()
        }
    };
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= MODELS, "{} models", cases.len());
    let mut operators = std::collections::BTreeSet::new();
    let mut wrong = Vec::new();
    for case in &cases {
        match check(case) {
            Ok(plan) => operators.extend(plan.operators().map(str::to_owned)),
            Err(problem) => wrong.push(format!("{}: {problem}", case.file_name().unwrap().display())),
        }
    }
    println!(
        "{} models, {} right; operators run: {operators:?}",
        cases.len(),
        cases.len() - wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{} of {} models:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
