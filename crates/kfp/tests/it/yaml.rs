//! Texts and numbers that readers of YAML disagree on.

use crate::generate::HOSTILE;
use crate::{oracle, python};
use kfp::Pipeline;
use kfp::build::{Builder, Step};
use kfp::kind::{List, Struct};
use serde_json::{Map, Value, json};

const NUMBERS: &[f64] = &[
    0.0,
    1.0,
    -1.0,
    0.1,
    1e-7,
    1e21,
    1.5e300,
    -2.5e-300,
    9_007_199_254_740_992.0,
    f64::MIN_POSITIVE,
    f64::MAX,
    5e-324,
];

fn pipeline() -> Pipeline {
    let mut step = Step::new("step", "image:1", 60);
    let (texts, keys) = (step.input::<List>("texts"), step.input::<Struct>("keys"));
    let numbers = step.input::<List>("numbers");
    step.command(HOSTILE.iter().copied().filter(|text| !text.is_empty()))
        .arg(&texts)
        .arg(&keys)
        .arg(&numbers);
    for (at, text) in HOSTILE.iter().enumerate() {
        step.env(&format!("V{at}"), text);
    }
    let mut pipeline = Builder::new("on");
    let every = HOSTILE.iter().map(|text| Value::from(*text)).collect::<Vec<_>>();
    let map: Map<String, Value> = HOSTILE
        .iter()
        .map(|text| ((*text).to_owned(), json!({*text: [*text]})))
        .collect();
    let all = NUMBERS.iter().map(|number| json!(number)).collect::<Vec<_>>();
    pipeline
        .task("off", &step)
        .set(&texts, every)
        .set(&keys, map)
        .set(&numbers, all)
        .add();
    pipeline.build().unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn hostile_texts_are_texts_for_readers_of_yaml_1_1_and_1_2() {
    let pipeline = pipeline();
    let text = pipeline.emit().expect("was checked").text;
    assert!(text.is_ascii());
    assert_eq!(
        Pipeline::read(&text).unwrap_or_else(|error| panic!("{error}")),
        pipeline
    );
    let documents = oracle::documents(&text);
    expected(&documents);
    let Some(python) = python::kfp("hostile_texts_are_texts_for_readers_of_yaml_1_1_and_1_2") else {
        return;
    };
    let judged = python::run(&python, "strict.py", &json!([text]));
    assert_eq!(judged[0]["errors"], json!([]));
    expected(&judged[0]["documents"]);
}

/// Each text and number where it was put.
fn expected(documents: &Value) {
    let container = &documents[0]["deploymentSpec"]["executors"]["exec-step"]["container"];
    let inputs = &documents[0]["root"]["dag"]["tasks"]["off"]["inputs"]["parameters"];
    let env = container["env"].as_array().expect("a list");
    for (text, pair) in HOSTILE.iter().zip(env) {
        assert_eq!(pair["value"], json!(text));
        assert_eq!(
            inputs["keys"]["runtimeValue"]["constant"][*text],
            json!({*text: [*text]})
        );
    }
    assert_eq!(env.len(), HOSTILE.len());
    assert_eq!(inputs["texts"]["runtimeValue"]["constant"], json!(HOSTILE));
    let numbers = inputs["numbers"]["runtimeValue"]["constant"]
        .as_array()
        .expect("a list");
    for (number, found) in NUMBERS.iter().zip(numbers) {
        assert_eq!(found.as_f64(), Some(*number), "{found}");
    }
}
