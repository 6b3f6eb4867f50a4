//! ONNX files of other tools: names and types from the graph, `/predict` where it can be asked.
//! The expected numbers are onnxruntime's.

use crate::server::Server;
use contract::{ModelInfo, Prediction, Predictions};
use inference_api::{Config, load};
use std::{fs, path::PathBuf};

/// A file of the corpus of the crate `onnx`: small models that skl2onnx and onnxmltools exported.
pub fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../crates/onnx/fuzz/corpus/plan")
        .join(format!("{name}.onnx"))
}

fn close(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| (found - expected).abs() <= 1e-5 * expected.abs().max(1.0))
}

struct Case {
    model: &'static str,
    row: &'static str,
    prediction: f64,
    class_name: Option<&'static str>,
    probabilities: &'static [f64],
}

#[test]
fn rows_of_numbers_are_predicted() {
    let irises = "[5.1,3.5,1.4,0.2]";
    let tens = "[0.5,-1,2,0.25,-0.75,1.5,3,-2,0.1,0.9]";
    let cases = [
        // A scaler before a logistic regression.
        Case {
            model: "minmaxscaler_multi_f32",
            row: irises,
            prediction: 0.0,
            class_name: None,
            probabilities: &[0.8933794, 0.10302033, 0.003600355],
        },
        // Labels that are strings are told by their place among the classes and by name.
        Case {
            model: "logistic_words_f32",
            row: "[6.3,2.9,5.6,1.8]",
            prediction: 2.0,
            class_name: Some("virginica"),
            probabilities: &[3.1402276e-05, 8.1941351e-02, 9.1802722e-01],
        },
        // A ZipMap.
        Case {
            model: "forest_zip_words_f32",
            row: irises,
            prediction: 0.0,
            class_name: Some("setosa"),
            probabilities: &[1.0000001, 0.0, 0.0],
        },
        // float64 in and out, more than float32 holds.
        Case {
            model: "kmeans_multi_f64",
            row: irises,
            prediction: 1.0,
            class_name: None,
            probabilities: &[3.419250588, 0.141350622, 5.059541572],
        },
        // A label alone is an answer, and so is one that is no place among classes.
        Case {
            model: "one_class_multi_f32",
            row: irises,
            prediction: 1.0,
            class_name: None,
            probabilities: &[],
        },
        Case {
            model: "linear_int64",
            row: "[1,2,-3,4.0]",
            prediction: 2.0,
            class_name: None,
            probabilities: &[-4.5, 0.5],
        },
        Case {
            model: "ridge_number_f32",
            row: tens,
            prediction: 180.00311,
            class_name: None,
            probabilities: &[],
        },
        Case {
            model: "ridge_number_f64",
            row: tens,
            prediction: 180.003559754,
            class_name: None,
            probabilities: &[],
        },
    ];
    for case in cases {
        let server = Server::start(&corpus(case.model), &[]);
        let mut client = server.client();
        let one = client.predict(&format!("{{\"features\":{}}}", case.row));
        assert_eq!(one.status, 200, "{} {one:?}", case.model);
        let answer: Prediction = serde_json::from_str(&one.body).unwrap();
        assert!(
            close(&[answer.prediction.as_f64().unwrap()], &[case.prediction]),
            "{} {answer:?}",
            case.model
        );
        assert_eq!(answer.class_name.as_deref(), case.class_name, "{}", case.model);
        assert!(
            close(&answer.probabilities, case.probabilities),
            "{} {answer:?}",
            case.model
        );
        assert_eq!(serde_json::to_string(&answer).unwrap(), one.body);
        let many = client.predict(&format!("{{\"instances\":[{0},{0},{0}]}}", case.row));
        let answers: Predictions = serde_json::from_str(&many.body).unwrap();
        assert_eq!(answers.predictions, vec![answer; 3], "{}", case.model);
        let digest = contract::sha256_hex(&fs::read(corpus(case.model)).unwrap());
        assert_eq!(answers.predictions[0].model_version, digest[7..19]);
    }
}

#[test]
fn what_it_says_of_itself() {
    let info = |name: &str, flags: &[&str]| {
        let file = corpus(name);
        let given = ["inference-api", "--model", file.to_str().unwrap()];
        let config = Config::read(given.iter().chain(flags)).unwrap();
        load::load(&config).unwrap().info().clone()
    };
    let described = |info: &ModelInfo| {
        let features = info
            .features
            .iter()
            .map(|feature| format!("{} {}", feature.name, feature.dtype));
        let features: Vec<String> = features.collect();
        format!(
            "{} {} {:?}: {} -> {}",
            info.name,
            info.algorithm,
            info.task,
            features.join(", "),
            info.classes.join(", ")
        )
    };
    let texts = [
        ("minmaxscaler_multi_f32", &[][..]),
        ("logistic_words_f64", &["--name", "irises"]),
        ("columns_one", &[]),
        ("columns_passthrough", &[]),
        ("linear_int64", &[]),
        ("ridge_number_f64", &[]),
    ]
    .map(|(name, flags)| described(&info(name, flags)));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn predict_refuses_what_it_cannot_say() {
    let cases = [
        ("columns_one", r#"{"features":[1,2,3,4,5]}"#),
        ("multi_output_two_f32", r#"{"features":[1,2,3,4,5,6,7,8,9,10]}"#),
        ("op_Cast_words", r#"{"features":[1]}"#),
        ("linear_int64", r#"{"features":[1,2.5,3,4]}"#),
        ("linear_int64", r#"{"instances":[[1,2,3,4],[1,2,3,1e300]]}"#),
        ("linear_int64", r#"{"features":[1,2,3,1e400]}"#),
        // As float64 it is its neighbour.
        ("linear_int64", r#"{"features":[1,2,3,9007199254740993]}"#),
        ("ridge_number_f32", r#"{"features":[1,2,3,4,5,6,7,8,9,1e39]}"#),
        ("ridge_number_f32", r#"{"features":[1,2,3]}"#),
        (
            "ridge_number_f64",
            r#"{"features":[1.7e308,1.7e308,1.7e308,1.7e308,1.7e308,1.7e308,1.7e308,1.7e308,1.7e308,1.7e308]}"#,
        ),
    ];
    let texts = cases.map(|(model, body)| {
        let server = Server::start(&corpus(model), &["--name", "mine"]);
        let answer = server.client().predict(body);
        format!("{model} {body}\n  {} {}\n", answer.status, answer.body)
    });
    insta::assert_snapshot!(texts.concat());
}

#[test]
fn operators_that_are_not_known_are_refused_at_load() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("strange.onnx");
    let bytes = fs::read(corpus("op_Abs")).unwrap();
    let strange: Vec<u8> = String::from_utf8_lossy(&bytes).replace("Abs", "Abz").into_bytes();
    assert_eq!(
        strange.len(),
        bytes.len(),
        "the file is text but for control bytes"
    );
    fs::write(&file, strange).unwrap();
    let config = Config::read(["inference-api", "--model", file.to_str().unwrap()]).unwrap();
    let words = load::load(&config).unwrap_err().to_string();
    for expected in ["operator Abz is not supported, supported are: ", "Abs", "ZipMap"] {
        assert!(words.contains(expected), "{words}");
    }
}
