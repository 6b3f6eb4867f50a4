//! `inference-api score`: what is refused, large and damaged files, onnxruntime beside it.

use super::{csv, parquet_file, rows, score};
use crate::{fixture, oracle};
use parquet::{
    basic::{ConvertedType, Repetition, Type as Physical},
    data_type::Int64Type,
    file::writer::SerializedFileWriter,
    schema::types::Type,
};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Command,
    sync::Arc,
    time::Duration,
};

#[test]
fn refusals_name_file_row_and_column() {
    let directory = fixture::directory();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let header = "sepal_length,sepal_width,petal_length,petal_width\n";
    let good = format!("{header}1,2,3,4\n");
    fs::write(at("good.csv"), &good).unwrap();
    fs::write(
        at("bad.csv"),
        format!("{header}{}1,2,x,4\n", "1,2,3,4\n".repeat(30_000)),
    )
    .unwrap();
    fs::write(at("short.csv"), format!("{header}1,2,3,4\n1,2,3\n")).unwrap();
    fs::write(at("columns.csv"), "sepal_length,b\n1,2\n").unwrap();
    fs::write(at("twice.csv"), "sepal_length,sepal_length\n1,2\n").unwrap();
    fs::write(
        at("quote.csv"),
        format!("{header}1,2,3,\"{}", "4\n".repeat(20 << 19)),
    )
    .unwrap();
    fs::write(at("latin.csv"), [header.as_bytes(), b"1,2,3,\xe9\n"].concat()).unwrap();
    fs::write(at("empty.csv"), "").unwrap();
    fs::write(at("text.parquet"), "no parquet at all").unwrap();
    fs::create_dir(at("folder.csv")).unwrap();
    let model = directory.path();
    let mut texts = String::new();
    for (name, code, output) in [
        ("value", 4, score(model, &at("bad.csv"), &at("out.csv"), &[])),
        (
            "short row",
            4,
            score(model, &at("short.csv"), &at("out.csv"), &[]),
        ),
        (
            "columns",
            4,
            score(model, &at("columns.csv"), &at("out.csv"), &[]),
        ),
        (
            "column twice",
            4,
            score(model, &at("twice.csv"), &at("out.csv"), &[]),
        ),
        (
            "quote that is not closed",
            4,
            score(model, &at("quote.csv"), &at("out.csv"), &[]),
        ),
        (
            "not UTF-8",
            4,
            score(model, &at("latin.csv"), &at("out.csv"), &[]),
        ),
        ("empty", 4, score(model, &at("empty.csv"), &at("out.csv"), &[])),
        (
            "no Parquet",
            4,
            score(model, &at("text.parquet"), &at("out.csv"), &[]),
        ),
        (
            "no file",
            4,
            score(model, &at("nothing.csv"), &at("out.csv"), &[]),
        ),
        (
            "no column to keep",
            4,
            score(model, &at("good.csv"), &at("out.csv"), &["--keep", "id"]),
        ),
        (
            "column of the answer kept",
            2,
            score(model, &at("good.csv"), &at("good.csv"), &[]),
        ),
        (
            "data's extension",
            2,
            score(model, &at("good.txt"), &at("out.csv"), &[]),
        ),
        (
            "out's extension",
            2,
            score(model, &at("good.csv"), &at("out.xlsx"), &[]),
        ),
        (
            "flag",
            2,
            score(model, &at("good.csv"), &at("out.csv"), &["--threads", "0"]),
        ),
        (
            "no model",
            3,
            score(&at("none"), &at("good.csv"), &at("out.csv"), &[]),
        ),
        (
            "no model either",
            3,
            score(&at("good.csv"), &at("good.csv"), &at("out.csv"), &[]),
        ),
        (
            "no folder",
            5,
            score(model, &at("good.csv"), &at("none/out.csv"), &[]),
        ),
        (
            "a folder",
            5,
            score(model, &at("good.csv"), &at("folder.csv"), &[]),
        ),
    ] {
        assert_eq!(
            output.status.code(),
            Some(code),
            "{name}: {}",
            oracle::text(&output)
        );
        assert!(output.stdout.is_empty(), "{name}");
        let said = String::from_utf8_lossy(&output.stderr).replace(folder.path().to_str().unwrap(), "DIR");
        texts += &format!("{name}\n  {code} {said}\n");
    }
    insta::assert_snapshot!(texts);
    // Nothing was written, and nothing is left of what was begun.
    let mut left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left.len(), 10, "{left:?}");
    assert_eq!(fs::read_to_string(at("good.csv")).unwrap(), good);
    // What was there before stays as it was.
    fs::write(at("out.csv"), "before").unwrap();
    assert_eq!(
        score(model, &at("bad.csv"), &at("out.csv"), &[]).status.code(),
        Some(4)
    );
    assert_eq!(fs::read_to_string(at("out.csv")).unwrap(), "before");
}

#[test]
fn a_million_rows_in_bounded_memory() {
    let directory = fixture::directory();
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data.csv"), folder.path().join("out.csv"));
    let mut file = std::io::BufWriter::new(File::create(&data).unwrap());
    let block = csv(&rows(1000));
    let (header, block) = block.split_once('\n').unwrap();
    writeln!(file, "{header}").unwrap();
    (0..1000).for_each(|_| file.write_all(block.as_bytes()).unwrap());
    drop(file);
    let mut command = Command::new(env!("CARGO_BIN_EXE_inference-api"));
    command
        .env_clear()
        .args(["score", "--json", "--keep", "id", "--model"])
        .arg(directory.path());
    let mut child = command
        .arg("--data")
        .arg(&data)
        .arg("--out")
        .arg(&out)
        .spawn()
        .unwrap();
    let mut peak_kib = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak_kib = peak_kib.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    assert!((1024..64 * 1024).contains(&peak_kib), "{peak_kib} KiB");
    let text = fs::read_to_string(&out).unwrap();
    assert_eq!(text.lines().count(), 1_000_001);
    assert!(text.lines().next_back().unwrap().starts_with("999,"));
}

/// Bytes of a good file that are wrong: refused or read, never a crash, a hang or a file without end.
#[test]
fn damaged_parquet_files() {
    let directory = fixture::directory();
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data.parquet"), folder.path().join("out.csv"));
    let names = fixture::FEATURES;
    parquet_file(&data, [names[0], names[1], names[2], names[3], "id"], 500);
    let bytes = fs::read(&data).unwrap();
    let mut codes = std::collections::BTreeMap::<i32, usize>::new();
    let step = bytes.len() / 60;
    for at in (0..bytes.len()).step_by(step) {
        let mut damaged = bytes.clone();
        match at % 3 {
            0 => damaged.truncate(at),
            1 => damaged[at] ^= 0xff,
            _ => damaged[at..(at + 8).min(bytes.len())].fill(0),
        }
        fs::write(&data, damaged).unwrap();
        let output = score(directory.path(), &data, &out, &["--keep", "id"]);
        let code = output
            .status
            .code()
            .unwrap_or_else(|| panic!("{}", oracle::text(&output)));
        *codes.entry(code).or_default() += 1;
    }
    assert!(
        codes.keys().all(|code| matches!(code, 0 | 4)) && codes[&4] > 30,
        "{codes:?}"
    );
}

#[test]
fn the_same_as_onnxruntime() {
    let Some(mut python) = oracle::script("import onnxruntime, pandas, pyarrow", "score.py") else {
        return;
    };
    let directory = fixture::directory();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    let output = python
        .arg(env!("CARGO_BIN_EXE_inference-api"))
        .arg(directory.path().join("model.onnx"))
        // A column each, of every type, with a ZipMap; an outlier's label and score.
        .args(["columns", "outliers"].map(|name| models.join(format!("{name}.onnx"))))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", oracle::text(&output));
}

#[test]
fn times_are_no_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data, out) = (
        folder.path().join("m.onnx"),
        folder.path().join("d.parquet"),
        folder.path().join("o.csv"),
    );
    fs::write(&model, fixture::regression()).unwrap();
    let field = |name, converted| {
        let field = Type::primitive_type_builder(name, Physical::INT64).with_repetition(Repetition::REQUIRED);
        Arc::new(field.with_converted_type(converted).build().unwrap())
    };
    let fields = vec![
        field("a", ConvertedType::NONE),
        field("b", ConvertedType::INT_64),
        field("time", ConvertedType::TIMESTAMP_MILLIS),
    ];
    let schema = Type::group_type_builder("schema")
        .with_fields(fields)
        .build()
        .unwrap();
    let mut writer =
        SerializedFileWriter::new(File::create(&data).unwrap(), Arc::new(schema), Default::default())
            .unwrap();
    let mut group = writer.next_row_group().unwrap();
    for value in [1, -5, 1_700_000_000_000] {
        let mut column = group.next_column().unwrap().unwrap();
        column
            .typed::<Int64Type>()
            .write_batch(&[value], None, None)
            .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    let output = score(&model, &data, &out, &["--keep", "time"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(4) && said.contains("column \"time\" is of the type INT64"),
        "{said}"
    );
}
