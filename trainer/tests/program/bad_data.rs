//! A table of bad tables: what is said about each, word for word.

use crate::support::program::trainer_in;
use contract::names::exit;
use std::path::Path;

const HEAD: &str = "a,b,kind";

/// 24 good rows of two classes.
fn rows() -> Vec<String> {
    (0..24)
        .map(|row| {
            format!(
                "{row}.5,{},{}",
                row * row % 7,
                if row < 12 { "low" } else { "high" }
            )
        })
        .collect()
}

fn table(head: &str, change: impl FnOnce(&mut Vec<String>)) -> Vec<u8> {
    let mut rows = rows();
    change(&mut rows);
    (head.to_owned() + "\n" + &rows.join("\n") + "\n").into_bytes()
}

fn row(index: usize, text: &str) -> Vec<u8> {
    table(HEAD, |rows| rows[index] = text.to_owned())
}

fn said(folder: &Path, bytes: &[u8], args: &[&str]) -> String {
    std::fs::write(folder.join("t.csv"), bytes).unwrap();
    let all = [&["train", "--data", "t.csv", "--out", "out"], args].concat();
    let said = trainer_in(folder, &all, &[]).expect(exit::BAD_DATA);
    let result = said.json();
    assert_eq!(
        (&result["step"], &result["status"]),
        (&"train".into(), &"failed".into())
    );
    assert_eq!(
        said.stderr,
        format!("trainer train: {}\n", result["reason"].as_str().unwrap())
    );
    assert!(!folder.join("out").exists(), "something was written");
    result["reason"].as_str().unwrap().to_owned()
}

#[test]
fn every_bad_table_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let good = rows().join("\n");
    let semicolons = String::from_utf8(table(HEAD, |_| ())).unwrap().replace(',', ";");
    let mut latin = row(2, "1,2,low");
    latin.extend(b"1,2,caf\xe9\n");
    let plain: &[&str] = &[];
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("empty file", Vec::new(), plain),
        ("head only", b"a,b,kind\n".to_vec(), plain),
        (
            "no head",
            good.clone().replace("low", "0").replace("high", "1").into_bytes(),
            plain,
        ),
        (
            "missing target column",
            table(HEAD, |_| ()),
            &["--target", "species"],
        ),
        ("missing target value", row(4, "1,2,"), plain),
        ("a number that is none", row(6, "1,x1,low"), plain),
        ("missing value", row(7, "1,,low"), plain),
        ("NaN", row(7, "NaN,2,low"), plain),
        ("infinity", row(8, "1,-inf,low"), plain),
        ("too large", row(8, "1,1e39,low"), plain),
        (
            "one class",
            String::from_utf8(table(HEAD, |_| ()))
                .unwrap()
                .replace("high", "low")
                .into_bytes(),
            plain,
        ),
        (
            "constant number",
            table("kind,b,a", |rows| {
                rows.iter_mut()
                    .for_each(|row| *row = row.replace("low", "7").replace("high", "7"));
            }),
            &["--task", "regression"],
        ),
        (
            "a target that is an id",
            table(HEAD, |rows| {
                rows.iter_mut()
                    .enumerate()
                    .for_each(|(n, row)| *row = format!("{n},{n},id-{n}"));
            }),
            plain,
        ),
        (
            "target half numbers",
            table(HEAD, |rows| {
                rows.iter_mut()
                    .enumerate()
                    .for_each(|(n, row)| *row = format!("{n},1,{n}.5"));
                rows[5] = "5,1,five".to_owned();
            }),
            plain,
        ),
        (
            "regression on words",
            table(HEAD, |_| ()),
            &["--task", "regression"],
        ),
        (
            "same label twice",
            table(HEAD, |rows| {
                rows.iter_mut()
                    .enumerate()
                    .for_each(|(n, row)| *row = format!("{n},1,{}", ["1", "1.0", "2"][n % 3]));
            }),
            &["--task", "classification"],
        ),
        ("duplicate names", table("a,a,kind", |_| ()), plain),
        ("a column without name", table("a,,kind", |_| ()), plain),
        ("19 rows", table(HEAD, |rows| rows.truncate(19)), plain),
        ("short row", row(9, "1,low"), plain),
        ("long row", row(9, "1,2,low,3"), plain),
        ("semicolons", semicolons.into_bytes(), plain),
        (
            "tabs",
            String::from_utf8(table(HEAD, |_| ()))
                .unwrap()
                .replace(',', "\t")
                .into_bytes(),
            plain,
        ),
        ("one column", b"a\n1\n2\n".to_vec(), plain),
        ("not UTF-8", latin, plain),
        ("UTF-16", b"\xff\xfea\0,\0b\0\n\0".to_vec(), plain),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0".to_vec(), plain),
        ("a quote that is never closed", row(3, "1,\"2,low"), plain),
        (
            "only missing values",
            table(HEAD, |rows| {
                rows.iter_mut()
                    .for_each(|row| *row = format!("?{}", &row[row.find(',').unwrap()..]));
            }),
            &["--missing", "mean"],
        ),
        (
            "dropped until too few",
            table(HEAD, |rows| {
                rows.iter_mut()
                    .take(10)
                    .for_each(|row| *row = format!("{row}x").replace("lowx", ""));
            }),
            &["--missing", "drop"],
        ),
        (
            "too many bytes",
            table(HEAD, |_| ()),
            &["--data-bytes-max", "100"],
        ),
        (
            "too many values",
            table(HEAD, |_| ()),
            &["--data-cells-max", "60"],
        ),
    ];
    let mut text = String::new();
    for (name, bytes, args) in &cases {
        text.push_str(&format!("{name}:\n    {}\n", said(folder.path(), bytes, args)));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn places_where_there_is_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (place, words) in [
        (
            "absent.csv",
            "data place \"absent.csv\": cannot be read: No such file or directory (os error 2)",
        ),
        ("absent-*.csv", "data place \"absent-*.csv\": no CSV file there"),
        ("empty", "data place \"empty\": no CSV file there"),
        (
            &format!("http://user:secret@{closed}/x.csv?token=secret"),
            &format!("cannot fetch http://{closed}/x.csv: "),
        ),
    ] {
        let said = trainer_in(folder.path(), &["train", "--data", place, "--out", "out"], &[])
            .expect(exit::BAD_DATA);
        let reason = said.json()["reason"].as_str().unwrap().to_owned();
        assert!(
            reason.starts_with(words) && !reason.contains("secret"),
            "{place}: {reason}"
        );
    }
}

#[test]
fn a_file_of_ten_gigabytes_is_refused_before_a_byte_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("huge.csv")).unwrap();
    file.set_len(10 << 30).unwrap(); // sparse: takes no room
    let start = std::time::Instant::now();
    let said = trainer_in(
        folder.path(),
        &["train", "--data", "huge.csv", "--out", "out"],
        &[],
    )
    .expect(exit::BAD_DATA);
    insta::assert_snapshot!(said.json()["reason"].as_str().unwrap(), @"the data up to huge.csv has 10737418240 bytes, more than the limit of 536870912 (raise it with --data-bytes-max)");
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn files_of_two_schemas() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("1.csv"), table(HEAD, |_| ())).unwrap();
    std::fs::write(folder.path().join("2.csv"), table("a,c,kind", |_| ())).unwrap();
    let said =
        trainer_in(folder.path(), &["train", "--data", ".", "--out", "out"], &[]).expect(exit::BAD_DATA);
    insta::assert_snapshot!(said.json()["reason"].as_str().unwrap(), @"2.csv has the columns a, c, kind, but 1.csv has a, b, kind: all files need one schema");
}

#[test]
fn odd_but_good_tables() {
    let folder = tempfile::tempdir().unwrap();
    let text = String::from_utf8(table(HEAD, |_| ())).unwrap();
    let marked = format!("\u{feff}{text}");
    let quoted = text
        .replace("a,b,kind", "\"a, in cm\",\"b \"\"x\"\"\",kind")
        .replace("low", "\"lo, w\"");
    let windows = text.replace('\n', "\r\n");
    let spaced = text.replace(',', " , ");
    let semicolons = text.replace(',', ";");
    let unended = text.trim_end().to_owned();
    let gaps = text.replace("3.5,2,", "NA,2,").replace("5.5,4,", "5.5,inf,");
    for (name, text, args) in [
        ("byte order mark", marked, vec![]),
        ("quoted fields", quoted, vec![]),
        ("line ends of Windows", windows, vec![]),
        ("spaces", spaced, vec![]),
        ("semicolons, as said", semicolons, vec!["--delimiter", ";"]),
        ("no last line end", unended, vec![]),
        ("filled in", gaps.clone(), vec!["--missing", "median"]),
        ("left out", gaps, vec!["--missing", "drop"]),
    ] {
        std::fs::write(folder.path().join("t.csv"), text).unwrap();
        let args = [vec!["train", "--data", "t.csv", "--out", "out"], args].concat();
        let result = trainer_in(folder.path(), &args, &[]).expect(0).json();
        let rows = if name == "left out" { 22 } else { 24 };
        assert_eq!(result["dataset"]["rows"], rows, "{name}");
        assert_eq!(result["task"], "classification", "{name}");
        let manifest = std::fs::read_to_string(folder.path().join("out/manifest.json")).unwrap();
        if name == "quoted fields" {
            assert!(
                manifest.contains(r#""a, in cm""#) && manifest.contains(r#""lo, w""#),
                "{manifest}"
            );
        } else {
            assert!(manifest.contains("\"name\": \"a\""), "{name}: {manifest}");
        }
    }
}
