//! `inference-api score`: files in, files out.

mod hard;

use crate::{fixture, oracle, server::Server};
use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical},
    data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type},
    file::{
        properties::WriterProperties,
        reader::{FileReader, SerializedFileReader},
        writer::SerializedFileWriter,
    },
    schema::types::Type,
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

fn score(model: &Path, data: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inference-api"));
    command.env_clear().arg("score").arg("--model").arg(model);
    command.arg("--data").arg(data).arg("--out").arg(out).args(more);
    command.output().unwrap()
}

fn scored(model: &Path, data: &Path, out: &Path, more: &[&str]) -> String {
    let output = score(model, data, out, more);
    assert!(output.status.success(), "{}", oracle::text(&output));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Rows with every class among them.
pub fn rows(count: usize) -> Vec<[f64; 4]> {
    (0..count).map(|i| fixture::reference_row(i % 50)).collect()
}

/// Columns in another order, one that the model does not have, one with commas in it.
pub fn csv(rows: &[[f64; 4]]) -> String {
    let mut text = "id,petal_width,note,sepal_length,petal_length,sepal_width\n".to_owned();
    for (index, [a, b, c, d]) in rows.iter().enumerate() {
        text += &format!("{index},{d},\"n, {index}\",{a},{c},{b}\n");
    }
    text
}

#[test]
fn the_same_as_predict_in_every_format() {
    let directory = fixture::directory();
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data.csv"), folder.path().join("out.csv"));
    // More than one block, and not a whole number of them.
    let rows = rows(20_001);
    fs::write(&data, csv(&rows)).unwrap();
    let said = scored(directory.path(), &data, &out, &["--keep", "note", "--keep", "id"]);
    assert_eq!(said, "");
    let text = fs::read_to_string(&out).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("note,id,prediction,class_name,probability_setosa,probability_versicolor,probability_virginica")
    );
    let server = Server::start(directory.path(), &["--max-instances", "50"]);
    let answer = server
        .client()
        .predict(&json!({"instances": rows[..50]}).to_string())
        .json();
    let expected: Vec<String> = (answer["predictions"].as_array().unwrap().iter())
        .map(|row| {
            let numbers = row["probabilities"]
                .as_array()
                .unwrap()
                .iter()
                .map(Value::to_string);
            let numbers: Vec<_> = numbers.collect();
            format!(
                "{},{},{}",
                row["prediction"],
                row["class_name"].as_str().unwrap(),
                numbers.join(",")
            )
        })
        .collect();
    let mut count = 0;
    for (index, line) in lines.enumerate() {
        assert_eq!(line, format!("\"n, {index}\",{index},{}", expected[index % 50]));
        count += 1;
    }
    assert_eq!(count, rows.len());

    let (jsonl, parquet) = (folder.path().join("out.jsonl"), folder.path().join("out.parquet"));
    scored(
        directory.path(),
        &data,
        &jsonl,
        &["--keep", "note", "--threads", "1"],
    );
    let first: Value =
        serde_json::from_str(fs::read_to_string(&jsonl).unwrap().lines().next().unwrap()).unwrap();
    assert_eq!(
        first,
        json!({"note": "n, 0", "prediction": 0, "class_name": "setosa", "probability_setosa": 1.0, "probability_versicolor": 0.0, "probability_virginica": 0.0})
    );
    scored(directory.path(), &data, &parquet, &["--keep", "note"]);
    let lines = |path: &Path| {
        fs::read_to_string(path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .collect::<Vec<_>>()
    };
    assert!(read_parquet(&parquet) == lines(&jsonl));
}

/// A file as records.
pub fn read_parquet(path: &Path) -> Vec<Value> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let value = |field: &parquet::record::Field| match field {
        parquet::record::Field::Null => Value::Null,
        parquet::record::Field::Long(value) => json!(value),
        parquet::record::Field::Float(value) => json!(value),
        parquet::record::Field::Double(value) => json!(value),
        parquet::record::Field::Str(value) => json!(value),
        other => panic!("{other:?}"),
    };
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        row.get_column_iter()
            .map(|(name, field)| (name.clone(), value(field)))
            .collect()
    })
    .collect()
}

/// Four features, the third one with gaps and the last one of whole numbers, and a text; `rows` in each
/// of two row groups.
fn parquet_file(path: &Path, names: [&str; 5], rows: usize) {
    let field = |name, kind, logical| {
        let field = Type::primitive_type_builder(name, kind).with_repetition(Repetition::OPTIONAL);
        Arc::new(field.with_logical_type(logical).build().unwrap())
    };
    let fields = vec![
        field(names[0], Physical::DOUBLE, None),
        field(names[1], Physical::DOUBLE, None),
        field(names[2], Physical::DOUBLE, None),
        field(names[3], Physical::INT32, None),
        field(names[4], Physical::BYTE_ARRAY, Some(LogicalType::String)),
    ];
    let schema = Type::group_type_builder("schema")
        .with_fields(fields)
        .build()
        .unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(Default::default()))
        .set_data_page_row_count_limit(700)
        .build();
    let mut writer = SerializedFileWriter::new(
        File::create(path).unwrap(),
        Arc::new(schema),
        Arc::new(properties),
    )
    .unwrap();
    let all = vec![1; rows];
    for _ in 0..2 {
        let mut group = writer.next_row_group().unwrap();
        for column in 0..5 {
            let mut writer = group.next_column().unwrap().unwrap();
            let feature = |i: usize| fixture::reference_row(i % 50)[column];
            match column {
                0 | 1 => {
                    let values: Vec<f64> = (0..rows).map(feature).collect();
                    writer
                        .typed::<DoubleType>()
                        .write_batch(&values, Some(&all), None)
                        .unwrap();
                }
                2 => {
                    let levels: Vec<i16> = (0..rows).map(|i| i16::from(i % 7 != 3)).collect();
                    let values: Vec<f64> = (0..rows).filter(|i| i % 7 != 3).map(feature).collect();
                    writer
                        .typed::<DoubleType>()
                        .write_batch(&values, Some(&levels), None)
                        .unwrap();
                }
                3 => {
                    let values: Vec<i32> = (0..rows).map(|i| feature(i) as i32).collect();
                    writer
                        .typed::<Int32Type>()
                        .write_batch(&values, Some(&all), None)
                        .unwrap();
                }
                _ => {
                    let values: Vec<ByteArray> =
                        (0..rows).map(|i| format!("row {i}").as_str().into()).collect();
                    writer
                        .typed::<ByteArrayType>()
                        .write_batch(&values, Some(&all), None)
                        .unwrap();
                }
            }
            writer.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn parquet_in_by_name_and_by_position() {
    let directory = fixture::directory();
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (
        folder.path().join("data.parquet"),
        folder.path().join("out.jsonl"),
    );
    let names = fixture::FEATURES;
    parquet_file(&data, [names[0], names[1], names[2], names[3], "id"], 10_000);
    assert_eq!(
        scored(
            directory.path(),
            &data,
            &out,
            &["--keep", "id", "--keep", names[2]]
        ),
        ""
    );
    let by_name = fs::read_to_string(&out).unwrap();
    let lines: Vec<Value> = by_name
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 20_000);
    for (index, line) in lines.iter().enumerate() {
        let i = index % 10_000;
        let [.., length, width] = fixture::reference_row(i % 50);
        let missing = i % 7 == 3;
        assert_eq!(line["id"], format!("row {i}"));
        assert_eq!(line[names[2]], if missing { Value::Null } else { json!(length) });
        // A missing value goes the way of a large one: the second branch.
        let class = match (!missing && length <= 2.5, width.trunc() <= 1.75) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        };
        assert!(
            line["prediction"] == class || (!missing && length > 2.5 && length <= 2.75),
            "{line}"
        );
    }
    // The same under names that the model does not have, the copied column aside.
    parquet_file(&data, ["a", "b", "c", "d", "id"], 10_000);
    let output = score(directory.path(), &data, &out, &["--keep", "id"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "inference-api: columns are taken by position, since none has a name of the model's: \"a\", \"b\", \"c\", \"d\" \
         for \"sepal_length\", \"sepal_width\", \"petal_length\", \"petal_width\"\n"
    );
    let parts = |text: &str| {
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["prediction"].clone())
            .collect::<Vec<_>>()
    };
    assert!(parts(&fs::read_to_string(&out).unwrap()) == parts(&by_name));
}

#[test]
fn regressions_and_results_for_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data, out) = (
        folder.path().join("m.onnx"),
        folder.path().join("d.csv"),
        folder.path().join("o.csv"),
    );
    fs::write(&model, fixture::regression()).unwrap();
    fs::write(&data, "\u{feff}x,y\r\n1,2\r\n-1,\r\n\"0.5\",NA\r\n").unwrap();
    let output = score(&model, &data, &out, &["--json"]);
    assert_eq!(output.stderr, b"");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&result["rows"], &result["columns"]),
        (&json!(3), &json!(["prediction"])),
        "{result}"
    );
    assert!(result["seconds"].as_f64().is_some() && result["rows_per_second"].as_f64().is_some());
    assert_eq!(fs::read_to_string(&out).unwrap(), "prediction\n10.3\n9.7\n10.3\n");
    // No rows.
    fs::write(&data, "x,y\n").unwrap();
    let output = score(&model, &data, &out, &[]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("scored 0 rows in "));
    assert_eq!(fs::read_to_string(&out).unwrap(), "prediction\n");
    // A number that CSV has words for.
    fs::write(&model, fixture::overflowing()).unwrap();
    fs::write(&data, "feature_0\n1\n0\n").unwrap();
    scored(&model, &data, &out, &[]);
    assert_eq!(fs::read_to_string(&out).unwrap(), "prediction\ninf\n0.0\n");
}
