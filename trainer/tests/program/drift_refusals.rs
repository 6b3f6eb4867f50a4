//! Tables that cannot be compared: each is refused with its id, the place and what was expected.

use crate::drift::{drift, write};
use contract::names::exit;
use serde_json::Value;

/// What is said of a pair that is refused.
fn refused(reference: &[u8], current: &[u8], more: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("reference.csv"), reference).unwrap();
    std::fs::write(folder.path().join("current.csv"), current).unwrap();
    let said = drift(folder.path(), more);
    assert!(matches!(said.code, Some(2 | 10)), "{said:?}");
    let report: Value = said.json();
    let id = report["id"].as_str().unwrap();
    assert!(
        said.stderr.trim().ends_with(&format!("[{id}]")),
        "{}",
        said.stderr
    );
    format!("{id}: {}", report["reason"].as_str().unwrap())
}

#[test]
fn every_refusal_names_its_place() {
    let good = b"x,y\n1,2\n3,4\n";
    let numbers: String = (0..30).map(|row| format!("{row},1\n")).collect();
    let one_word = format!("x,y\n{numbers}abc,1\n");
    let only_words = "x,y\na,1\nb,2\n";
    let cases: Vec<(&[u8], &[u8], &[&str])> = vec![
        (b"", good, &[]),
        (b"x,y\n", good, &[]),
        (good, b"1,2\n3,4\n", &[]),
        (good, b"x,x\n1,2\n", &[]),
        (good, b"x,\n1,2\n", &[]),
        (good, b"x,y\n1,2\n3\n", &[]),
        (good, b"x;y\n1;2\n", &[]),
        (good, b"x,y\n1,caf\xe9\n", &[]),
        (good, b"\xff\xfex\0", &[]),
        (good, b"\x1f\x8b\x08\0", &[]),
        (good, b"PAR1 and no more", &[]),
        (b"x,y\n1,2\ninf,4\n", good, &[]),
        (b"x,y\n1,2\n1e999,4\n", good, &[]),
        (good, b"x,z\n1,2\n", &[]),
        (b"x,z\n1,2\n", good, &[]),
        (b"a\n1\n", b"b\n1\n", &[]),
        (good, one_word.as_bytes(), &[]),
        (good, only_words.as_bytes(), &[]),
        (only_words.as_bytes(), good, &[]),
        (good, good, &["--columns", "x,q"]),
        (good, good, &["--categorical", "q"]),
        (good, b"x,y\n1,\n", &["--missing", "refuse"]),
        (good, b"x,y\n1,inf\n", &["--missing", "refuse"]),
        (good, good, &["--data-cells-max", "3"]),
        (good, good, &["--data-bytes-max", "3"]),
        (good, good, &["--level", "0.7"]),
        (good, good, &["--least-effect", "nan"]),
        (good, good, &["--least-rows", "1"]),
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|(reference, current, more)| refused(reference, current, more))
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn what_is_refused_can_be_compared_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let numbers: String = (0..30).map(|row| format!("{row},1\n")).collect();
    write(
        folder.path(),
        &format!("x,y\n{numbers}inf,1\n"),
        &format!("x,y\n{numbers}abc,1\n"),
    );
    drift(folder.path(), &[]).expect(exit::BAD_DATA);
    drift(folder.path(), &["--categorical", "x"]).expect(0);
    drift(folder.path(), &["--columns", "y"]).expect(0);
    write(
        folder.path(),
        &format!("x,y\n{numbers}inf,1\n"),
        &format!("x,y\n{numbers},1\n"),
    );
    let report = drift(folder.path(), &["--missing", "drop"]).expect(0).json();
    assert_eq!(report["features"][0]["missing"]["reference"]["events"], 1);
    // A folder, and a file that is not there.
    std::fs::remove_file(folder.path().join("current.csv")).unwrap();
    let said = drift(folder.path(), &[]).expect(exit::BAD_DATA);
    assert!(
        said.stderr.contains("cannot read current.csv: No such file"),
        "{}",
        said.stderr
    );
    std::fs::create_dir(folder.path().join("current.csv")).unwrap();
    let said = drift(folder.path(), &[]).expect(exit::BAD_DATA);
    assert!(said.stderr.contains("current.csv is a folder"), "{}", said.stderr);
}
