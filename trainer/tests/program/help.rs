//! The surface: help of every subcommand, and mistakes in its use.

use crate::support::program::trainer_in;
use std::path::Path;

#[test]
fn help() {
    let mut text = String::new();
    let names = [
        "", "load", "train", "validate", "register", "package", "promote", "confirm", "run", "smoke",
        "trigger", "drift",
    ];
    for name in names {
        let args: &[&str] = if name.is_empty() {
            &["--help"]
        } else {
            &[name, "--help"]
        };
        text.push_str(&trainer_in(Path::new("."), args, &[]).expect(0).stdout);
        text.push_str("\n----\n");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn mistakes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("iris.csv"), crate::support::world::IRIS).unwrap();
    let train = ["train", "--data", "iris.csv", "--out", "out"];
    let cases: [(&[&str], &str); 9] = [
        (&["--trees", "0"], "parameter trees is 0, expected 1 to 10000"),
        (
            &["--max-depth", "0"],
            "parameter max_depth is 0, expected at least 1, or none",
        ),
        (&["--holdout", "0.95"], "expected 0 to 0.9"),
        (&["--holdout", "nan"], "expected 0 to 0.9"),
        (&["--folds", "1"], "1 is not in 2..=100"),
        (&["--delimiter", ",,"], "expected one ASCII character"),
        (&["--task", "clustering"], "expected classification or regression"),
        (
            &["--max-features", "none"],
            "expected sqrt, all or a number from 1 on",
        ),
        (
            &[
                "--target",
                "petal_width",
                "--algorithm",
                "decision-tree",
                "--task",
                "classification",
            ],
            "1.8",
        ),
    ];
    for (more, words) in cases {
        let said = trainer_in(folder.path(), &[&train[..], more].concat(), &[]);
        if more.contains(&"petal_width") {
            // Not a mistake: 22 widths are classes when one says so. Species is text, which is one.
            assert_eq!(said.code, Some(10), "{said:?}");
            continue;
        }
        assert_eq!(said.code, Some(2), "{more:?}: {said:?}");
        assert!(said.stderr.contains(words), "{more:?}: {}", said.stderr);
    }
    let said = trainer_in(folder.path(), &["run", "--min-accuracy", "nan"], &[]).expect(2);
    assert!(
        said.stderr.contains("expected a finite number"),
        "{}",
        said.stderr
    );
    let said = trainer_in(folder.path(), &["run"], &[]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let said = trainer_in(folder.path(), &["train", "--out", "out"], &[]).expect(2);
    assert!(said.stderr.contains("--data PLACE is needed"), "{}", said.stderr);
}

#[test]
fn the_same_twice_gives_the_same_bytes_and_all_rows_can_be_learnt() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("iris.csv"), crate::support::world::IRIS).unwrap();
    let train = |out: &str, more: &[&str]| {
        let args = [
            &[
                "train", "--data", "iris.csv", "--target", "species", "--out", out, "--trees", "50",
            ],
            more,
        ]
        .concat();
        trainer_in(folder.path(), &args, &[]).expect(0).json()
    };
    let read = |out: &str, file: &str| std::fs::read(folder.path().join(out).join(file)).unwrap();
    train("one", &["--seed", "7"]);
    train("two", &["--seed", "7"]);
    for file in ["model.onnx", "manifest.json", "drift/reference_data.npy"] {
        assert_eq!(read("one", file), read("two", file), "{file}");
    }
    let other = train("three", &["--seed", "8", "--folds", "5"]);
    assert_ne!(read("one", "model.onnx"), read("three", "model.onnx"));
    assert!(
        other["cross_validation"]["mean"].as_f64().unwrap() > 0.9,
        "{other}"
    );
    assert!(other["metrics"]["accuracy"].as_f64().unwrap() > 0.8, "{other}");
    let all = train("four", &["--holdout", "0"]);
    assert_eq!(
        (&all["rows"]["train"], &all["metrics"]),
        (&150.into(), &serde_json::json!({}))
    );
}

#[test]
fn numbers_are_learnt_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "x,y,price\n".to_owned();
    for row in 0..200 {
        text.push_str(&format!(
            "{},{},{}\n",
            row,
            row % 13,
            3.5 * f64::from(row) + f64::from(row % 13)
        ));
    }
    std::fs::write(folder.path().join("t.csv"), text).unwrap();
    let args = ["train", "--data", "t.csv", "--out", "out", "--folds", "4"];
    let result = trainer_in(folder.path(), &args, &[]).expect(0).json();
    assert_eq!(result["task"], "regression");
    assert!(result["metrics"]["r2"].as_f64().unwrap() > 0.95, "{result}");
    assert_eq!(result["cross_validation"]["metric"], "rmse");
    let said = trainer_in(
        folder.path(),
        &[&args[..], &["--algorithm", "decision-tree"]].concat(),
        &[],
    )
    .expect(2);
    assert!(said.stderr.contains("predicts classes only"), "{}", said.stderr);
}
