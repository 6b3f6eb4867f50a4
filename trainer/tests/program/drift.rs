//! `trainer drift` on tables that can be compared: verdicts, exit codes, formats, states.

use crate::support::program::{Said, trainer_in};
use crate::support::tables::{Unit, shop, write_shop};
use contract::names::exit;
use serde_json::{Value, json};
use std::path::Path;

pub fn drift(folder: &Path, more: &[&str]) -> Said {
    let args = [
        "drift",
        "--reference",
        "reference.csv",
        "--current",
        "current.csv",
    ];
    trainer_in(folder, &[&args[..], more].concat(), &[])
}

/// Writes both tables.
pub fn write(folder: &Path, reference: &str, current: &str) {
    std::fs::write(folder.join("reference.csv"), reference).unwrap();
    std::fs::write(folder.join("current.csv"), current).unwrap();
}

/// A column of the report.
pub fn column<'a>(report: &'a Value, name: &str) -> &'a Value {
    let features = report["features"].as_array().unwrap();
    features.iter().find(|feature| feature["name"] == name).unwrap()
}

#[test]
fn two_files_compared() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "x,word,y\n1,a,5\n2,b,5\n3,c,5\n",
        "y,x,word\n5,4,a\n5,5,b\n",
    );
    let report = drift(folder.path(), &[]).expect(0).json();
    // What programs have read from the first version on.
    let ks = |statistic: f64, p_value: f64, location: f64| json!({"statistic": statistic, "p_value": p_value, "location": location, "sign": 1, "method": "exact"});
    assert_eq!(report["features"][0]["name"], "x");
    assert_eq!(report["features"][0]["ks"], ks(1.0, 0.2, 3.0));
    assert_eq!(report["features"][2]["ks"], ks(0.0, 1.0, 5.0));
    assert_eq!(report["verdict"], "collecting");
    let said = drift(folder.path(), &["--method", "asymp", "--fail-on-drift"]).expect(0);
    assert_eq!(column(&said.json(), "x")["ks"]["method"], "asymp");
    insta::assert_snapshot!(said.stderr.trim(), @"trainer drift: not judged: 3 and 2 rows, at least 50 of each are needed [drift-not-judged]");
}

#[test]
fn three_formats_of_one_comparison() {
    let folder = tempfile::tempdir().unwrap();
    write_shop(folder.path());
    let text = drift(folder.path(), &["--format", "text"]).expect(0);
    insta::assert_snapshot!("text", text.stdout);
    insta::assert_json_snapshot!("json", drift(folder.path(), &[]).expect(0).json());
    let html = drift(folder.path(), &["--format", "html"]).expect(0).stdout;
    // The template gives one line; a line for each element is a snapshot that can be read.
    insta::assert_snapshot!("html", html.replace("><", ">\n<"));
    assert!(!html.contains("<b>plan</b>") && html.contains("&lt;b&gt;plan&lt;/b&gt;"));
}

#[test]
fn a_gate_for_ci() {
    let folder = tempfile::tempdir().unwrap();
    write_shop(folder.path());
    let said = drift(folder.path(), &["--fail-on-drift"]).expect(exit::DRIFT);
    assert_eq!(said.json()["drift_detected"], true);
    assert!(said.stderr.contains("[drift-found]"), "{}", said.stderr);
    drift(folder.path(), &["--columns", "age", "--fail-on-drift"]).expect(0);
    // The same flags that make the rule stricter make it find less.
    drift(
        folder.path(),
        &["--columns", "price", "--least-effect", "0.9", "--fail-on-drift"],
    )
    .expect(0);
    drift(
        folder.path(),
        &["--columns", "price", "--least-rows", "201", "--fail-on-drift"],
    )
    .expect(0);
    let careful = [
        "--correction",
        "benjamini-yekutieli",
        "--level",
        "0.01",
        "--fail-on-drift",
    ];
    let report = drift(folder.path(), &careful).expect(exit::DRIFT).json();
    assert_eq!(
        (&report["rule"]["level"], &report["rule"]["looks"]),
        (&json!(0.01), &json!(1))
    );
    assert_eq!(report["signal_level"], json!(0.001));
}

#[test]
fn the_report_goes_to_a_file_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    write_shop(folder.path());
    let printed = drift(folder.path(), &["--format", "html"]).expect(0).stdout;
    let said = drift(
        folder.path(),
        &[
            "--format",
            "html",
            "--out",
            "reports/new/drift.html",
            "--fail-on-drift",
        ],
    )
    .expect(exit::DRIFT);
    assert_eq!(said.stdout, "");
    let path = folder.path().join("reports/new/drift.html");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), printed);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    // A refused table leaves the report of before.
    std::fs::write(folder.path().join("current.csv"), "age\n").unwrap();
    drift(
        folder.path(),
        &["--format", "html", "--out", "reports/new/drift.html"],
    )
    .expect(exit::BAD_DATA);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), printed);
    write_shop(folder.path());
    let said = drift(folder.path(), &["--out", "reference.csv/drift.json"]).expect(1);
    assert!(
        said.stderr.contains("[drift-report-unwritable]"),
        "{}",
        said.stderr
    );
    assert_eq!(said.json()["id"], "drift-report-unwritable");
}

#[test]
fn every_column_has_a_state() {
    let folder = tempfile::tempdir().unwrap();
    let (mut reference, mut current) = (String::new(), String::new());
    let head = "one,gone,never,came,far,kind,code,same\n";
    reference.push_str(head);
    current.push_str(head);
    for row in 0..100 {
        let far = if row == 7 { "-inf" } else { "3" };
        let kind = ["a", "none", "-"][row % 3];
        let new = if row % 20 == 0 { "x, y" } else { kind };
        reference.push_str(&format!("4,{row},,NaN,{},{kind},{},c\n", row % 5, row % 3));
        // Pandas writes a column of integers so as soon as one is missing.
        let code = if row == 0 {
            String::new()
        } else {
            format!("{}.0", row % 3)
        };
        current.push_str(&format!("4,NA,n/a,{row},{far},\"{new}\",{code},c\n"));
    }
    write(folder.path(), &reference, &current);
    let report = drift(folder.path(), &["--categorical", "code"]).expect(0).json();
    let said: Vec<String> = report["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|feature| {
            format!(
                "{} {} {} drift={} {}",
                feature["name"], feature["type"], feature["state"], feature["drift"], feature["notes"]
            )
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    "one" "number" "compared" drift=false ["one value on each side"]
    "gone" "number" "no_values" drift=true []
    "never" "number" "empty" drift=false []
    "came" "number" "no_reference" drift=true []
    "far" "number" "compared" drift=true ["infinite values: 1, counted as out of range, in no other statistic"]
    "kind" "category" "compared" drift=false ["new value \"x, y\" in 5 % of values","an expected count of 2.5 is below 5: chi-square and G are rough, Fisher's test is exact"]
    "code" "category" "compared" drift=false []
    "same" "category" "compared" drift=false ["one category on both sides"]
    "#);
    assert_eq!(column(&report, "code")["new"], json!({"events": 0, "of": 99}));
    assert_eq!(column(&report, "far")["infinite"], 1);
    assert_eq!(column(&report, "gone").get("ks"), None);
    let words: Vec<&str> = report["moved"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|movement| movement["words"].as_str())
        .collect();
    insta::assert_snapshot!(words.join("\n"), @r"
    gone is missing in 100 % of rows, in 0 % of the reference's
    came is missing in 0 % of rows, in 100 % of the reference's
    far is 1 higher than in the reference (median 3, was 2)
    ");
    // The page has to stand all of them, too.
    let page = drift(folder.path(), &["--format", "html", "--categorical", "code"])
        .expect(0)
        .stdout;
    assert!(
        page.contains("no values in the current table") && !page.contains("NaN\""),
        "{page}"
    );
}

/// Many small moves that no column shows by itself are found by the joint tests, and said so.
#[test]
fn all_together() {
    let folder = tempfile::tempdir().unwrap();
    let table = |seed: u64, shift: f64| {
        let mut unit = Unit(seed);
        let names: Vec<String> = (0..20).map(|column| format!("c{column}")).collect();
        let mut text = names.join(",") + "\n";
        for _ in 0..200 {
            let row: Vec<String> = (0..20).map(|_| (unit.normal() + shift).to_string()).collect();
            text += &(row.join(",") + "\n");
        }
        text
    };
    write(folder.path(), &table(1, 0.0), &table(2, 0.25));
    let said = drift(folder.path(), &["--fail-on-drift"]).expect(exit::DRIFT);
    assert!(
        said.stderr
            .contains("none of 20 columns alone, but all of them together"),
        "{}",
        said.stderr
    );
    let report = said.json();
    assert!(
        report["joint"]["diffuse"].as_f64() <= report["joint_levels"][1].as_f64(),
        "{report}"
    );
    let moved = report["moved"].as_array().unwrap();
    assert!(!moved.is_empty() && moved.iter().all(|movement| movement["drift"] == false));
    // Without the shift there is nothing.
    write(folder.path(), &table(1, 0.0), &table(2, 0.0));
    let report = drift(folder.path(), &["--fail-on-drift"]).expect(0).json();
    assert_eq!(
        (&report["verdict"], &report["moved"]),
        (&json!("quiet"), &json!([]))
    );
}

#[test]
fn order_of_rows_and_columns_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let swapped = |text: &str| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines[1..].reverse();
        lines.join("\r\n")
    };
    write_shop(folder.path());
    let columns = ["--columns", "price,place"];
    let first = drift(folder.path(), &columns).expect(0).json();
    write(
        folder.path(),
        &swapped(&shop(300, false)),
        &("\u{feff}".to_owned() + &swapped(&shop(200, true))),
    );
    let second = drift(folder.path(), &["--columns", "place,price"])
        .expect(0)
        .json();
    assert_eq!(first, second);
}
