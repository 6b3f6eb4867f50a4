//! What is wrong is named, with its path, before anything is sent.

mod changes;

use changes::{CHANGES, container, right};
use kfp::build::{Builder, Step, TaskHandle};
use kfp::check::{Level, check};
use kfp::condition::Condition;
use kfp::kind::{Kind, Text};
use kfp::names;

#[test]
fn each_problem_is_named() {
    for (expected, change) in CHANGES {
        let mut pipeline = right();
        change(&mut pipeline);
        let problems = check(&pipeline, Level::Ours).expect_err(expected).to_string();
        assert!(
            problems.contains(expected),
            "expected {expected}\nfound    {problems}"
        );
    }
    check(&right(), Level::Ours).expect("is right");
}

/// A pipeline that is no right one is never written.
#[test]
fn what_no_engine_could_run_is_not_written() {
    let mut pipeline = right();
    container(&mut pipeline, "train").command.clear();
    let problems = pipeline.emit().expect_err("no command").to_string();
    assert_eq!(problems.lines().count(), 1, "{problems}");
}

#[test]
fn the_builder_names_what_types_cannot() {
    let mut step = Step::new("step", "image:1", 60);
    let (input, output) = (step.input::<Text>("a"), step.output::<Text>("b"));
    let twice = step.input::<Text>("a");
    step.command(["step"]).arg(&input).arg(&twice);
    let mut pipeline = Builder::new("retrain");
    let name = pipeline.parameter::<Text>("name");
    let inner = pipeline.when("if", &name.equals("x"), |pipeline| {
        pipeline
            .task("inner", &step)
            .set(&input, &name)
            .add()
            .output(&output)
    });
    let first: TaskHandle = pipeline.task("outer", &step).set(&input, &inner.value).add();
    pipeline.task("outer", &step).set(&input, "x").after(&first).add();
    let mut other = Step::new("step", "image:2", 60);
    other.command(["other"]);
    pipeline.task("other", &other).add();
    let problems = pipeline.build().expect_err("is wrong").to_string();
    for expected in [
        "pipeline retrain: task if: component step: a is declared twice",
        "pipeline retrain: value: output b of task inner is not to be had here",
        "pipeline retrain: task outer: there are two of this name",
        "pipeline retrain: component step: there is another one of this name",
    ] {
        assert!(
            problems.contains(expected),
            "expected {expected}\nfound {problems}"
        );
    }
}

#[test]
fn conditions_are_read_as_they_are_written() {
    for text in [
        "inputs.parameter_values['a'] == true",
        "!(int(inputs.parameter_values['a']) > 10) && int(inputs.parameter_values['a']) >= 5",
        "inputs.parameter_values['a'] != inputs.parameter_values['b']",
        "(inputs.parameter_values['a'] == 'it\\'s' || inputs.parameter_values['a'] < -2.5) && 1e-7 <= 1.0",
    ] {
        assert_eq!(Condition::parse(text).expect(text).to_string(), text);
    }
    for (text, expected) in [
        ("", "at 0: expected inputs.parameter_values"),
        ("a == 1", "at 0: expected inputs.parameter_values"),
        ("1 == 1 &&", "at 9: expected inputs.parameter_values"),
        ("1 == 1)", "at 6: expected the end"),
        ("'a == 1", "expected the end of the text"),
        ("size(inputs.parameter_values['a']) > 1", "at 0: expected"),
        (
            "inputs.parameter_values['a'] in [1]",
            "at 29: expected ==, !=, <, <=, > or >=",
        ),
    ] {
        let error = Condition::parse(text).expect_err(text);
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    let deep = format!("{}1 == 1{}", "(".repeat(9999), ")".repeat(9999));
    assert!(
        Condition::parse(&deep)
            .expect_err("deep")
            .contains("less nesting")
    );
}

#[test]
fn names_of_uploads_have_their_own_bound() {
    assert!(names::upload(&"ü".repeat(127)).is_ok());
    assert!(names::upload(&"a".repeat(128)).is_err());
    assert!(names::upload("").is_err());
    assert_eq!(Kind::read("STRING"), Some(Kind::Text));
}
