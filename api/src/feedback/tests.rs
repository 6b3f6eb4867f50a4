//! What a client does not see: what is kept, and for how long.

use super::*;
use crate::error::Code;
use clap::Parser;
use contract::manifest::{Dataset, FORMAT, Feature};

fn manifest(task: Task) -> Manifest {
    let feature = |name: &str| Feature {
        name: name.to_owned(),
        dtype: "float64".to_owned(),
        min: 0.0,
        max: 1.0,
    };
    let classes = ["a", "b"].map(str::to_owned);
    Manifest {
        format: FORMAT,
        name: "m".to_owned(),
        task,
        algorithm: "random-forest".to_owned(),
        features: vec![feature("x"), feature("name")],
        classes: if task == Task::Classification {
            classes.to_vec()
        } else {
            Vec::new()
        },
        parameters: Default::default(),
        seed: 0,
        metrics: [("accuracy", 0.9), ("rmse", 1.5), ("median_absolute_error", 1.0)]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        dataset: Dataset {
            digest: String::new(),
            target: "y".to_owned(),
            files: Vec::new(),
            rows: 100,
            holdout_rows: 20,
        },
        code_commit: "unknown".to_owned(),
        model_digest: "sha256:1".to_owned(),
        drift_reference: None,
        golden_rows: Vec::new(),
        model_version: None,
        run_id: None,
    }
}

fn feedback(task: Task, flags: &[&str]) -> Result<Arc<Feedback>, String> {
    let config = Config::parse_from(["test"].iter().chain(flags));
    Feedback::new(&manifest(task), &config).map(|feedback| feedback.expect("rows are remembered"))
}

fn item(id: &str, label: serde_json::Value) -> Item {
    Item {
        request_id: id.to_owned(),
        labels: vec![label],
        single: true,
    }
}

#[test]
fn inputs_are_forgotten_when_nothing_comes_in() {
    let flags = ["--capture", "on", "--capture-hours", "0.00003"];
    let feedback = feedback(Task::Classification, &flags).unwrap();
    for id in ["one", "two"] {
        feedback.record(id, [1.0].into_iter(), &[0.5, 0.25], false);
    }
    feedback.label(&item("one", "b".into())).unwrap();
    assert_eq!(lock(&feedback.core).inputs_kept(), [2, 1]);
    assert_eq!(feedback.export().unwrap().csv, b"x,name,y\n0.5,0.25,b\n");
    std::thread::sleep(Duration::from_millis(150));
    feedback.sweep();
    assert_eq!(lock(&feedback.core).inputs_kept(), [0, 0]);
    assert_eq!(feedback.export().unwrap().csv, b"x,name,y\n");
    // What was right is known all the same.
    assert_eq!(feedback.performance().unwrap().rows, 1);
    assert_eq!(feedback.label(&item("two", "b".into())).unwrap().matched, 1);
    assert_eq!(feedback.export().unwrap().rows, 0);
}

#[test]
fn columns_that_are_never_kept_are_nowhere() {
    let flags = ["--capture", "on", "--capture-except", "name, "];
    let feedback = feedback(Task::Classification, &flags).unwrap();
    let secret = 0.123_456_789;
    feedback.record("one", [0.0].into_iter(), &[0.5, secret], true);
    assert!(!format!("{:?}", feedback.answers).contains("0.123"));
    feedback.label(&item("one", 0.into())).unwrap();
    assert_eq!(feedback.export().unwrap().csv, b"x,name,y\n0.5,,a\n");
    assert_eq!(feedback.never_kept(), ["name"]);
    let refused = self::feedback(Task::Classification, &["--capture-except", "Name"]).unwrap_err();
    assert_eq!(
        refused,
        "--capture-except (CAPTURE_EXCEPT) names \"Name\", expected features of the model: x, name"
    );
}

#[test]
fn memory_is_bounded_by_what_was_said() {
    let flags = [
        "--capture",
        "on",
        "--feedback-rows",
        "50",
        "--capture-rows",
        "20",
        "--feedback-window-size",
        "30",
    ];
    let feedback = feedback(Task::Regression, &flags).unwrap();
    for request in 0..1_000 {
        let id = request.to_string();
        feedback.record(&id, [1.0].into_iter(), &[0.5, 0.5], false);
        if request % 3 == 0 {
            feedback.label(&item(&id, 2.into())).unwrap();
        }
    }
    let [waiting, labelled] = lock(&feedback.core).inputs_kept();
    assert!(waiting <= 20 && labelled == 20, "{waiting} {labelled}");
    let performance = feedback.performance().unwrap();
    assert_eq!((performance.rows, performance.total), (30, 334));
    assert_eq!(
        feedback.label(&item("900", 2.into())).unwrap_err().code,
        Code::UnknownRequest
    );
    assert!(feedback.label(&item("999", 2.into())).is_ok());
}

#[test]
fn errors_of_numbers_are_judged_by_their_median() {
    let label = |truth: f64| {
        let feedback = feedback(Task::Regression, &["--drift-least-rows", "20"]).unwrap();
        for request in 0..200 {
            let id = request.to_string();
            feedback.record(&id, [10.0].into_iter(), &[0.0, 0.0], false);
            let off = if request % 2 == 0 { 0.5 } else { truth };
            feedback.label(&item(&id, (10.0 + off).into())).unwrap();
        }
        feedback.performance().unwrap()
    };
    let good = label(-1.5);
    assert!(!good.drift, "{good:?}");
    assert_eq!(good.mae.unwrap().value, 1.0);
    assert_eq!(good.held_out, Some(1.5));
    let feedback = feedback(Task::Regression, &[]).unwrap();
    for request in 0..200 {
        let id = request.to_string();
        feedback.record(&id, [10.0].into_iter(), &[0.0, 0.0], false);
        feedback.label(&item(&id, 13.into())).unwrap();
    }
    let bad = feedback.performance().unwrap();
    assert!(bad.drift && bad.p_value.unwrap() < bad.threshold, "{bad:?}");
    let rmse = bad.rmse.unwrap();
    assert_eq!((rmse.value, rmse.low, rmse.high), (3.0, 3.0, 3.0));
}
