//! JSON and binary are two texts of the same numbers; no bytes are more than a refusal.

use super::{INFER, floats, infer, infer_binary, parts};
use crate::{fixture, server::Server};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use std::cell::RefCell;

fn request(rows: usize, input: &str, outputs: &str) -> String {
    format!(
        r#"{{"inputs":[{{"name":"features","datatype":"FP32","shape":[{rows},4]{input}}}],"outputs":[{{"name":"probabilities"{outputs}}},{{"name":"label"{outputs}}}]}}"#
    )
}

#[test]
fn json_and_binary_answer_the_same() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    // The runner's closure may only borrow.
    let client = RefCell::new(server.client());
    let finite = any::<f32>().prop_filter("JSON has no others", |value| value.is_finite());
    // Near the thresholds of the trees too.
    let value = prop_oneof![finite, (0.0f32..8.0), Just(2.5), Just(1.75)];
    let rows = vec([value.clone(), value.clone(), value.clone(), value], 1..20);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(200));
    runner
        .run(&rows, |rows| {
            let values = rows.concat();
            let sized = format!(r#","parameters":{{"binary_data_size":{}}}"#, values.len() * 4);
            let data = format!(r#","data":{}"#, serde_json::to_string(&rows).unwrap());
            let asked = r#","parameters":{"binary_data":true}"#;
            let in_json = infer(&mut client.borrow_mut(), INFER, &request(rows.len(), &data, ""));
            let in_binary = infer_binary(
                &mut client.borrow_mut(),
                INFER,
                &request(rows.len(), &sized, asked),
                &floats(&values),
            );
            prop_assert_eq!((in_json.status, in_binary.status), (200, 200), "{:?}", in_json);
            let (json, _) = parts(&in_json);
            let scores: Vec<f32> = serde_json::from_value(json["outputs"][0]["data"].clone()).unwrap();
            let labels: Vec<i64> = serde_json::from_value(json["outputs"][1]["data"].clone()).unwrap();
            let labels = labels.iter().flat_map(|label| label.to_le_bytes());
            let expected: Vec<u8> = floats(&scores).into_iter().chain(labels).collect();
            prop_assert_eq!(parts(&in_binary).1, &expected[..]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn no_bytes_are_more_than_a_refusal() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    // The runner's closure may only borrow.
    let client = RefCell::new(server.client());
    let right = request(1, r#","parameters":{"binary_data_size":16}"#, "");
    let whole = [right.as_bytes(), &[0; 16]].concat();
    // Anything at all, and what was right but for some bytes.
    let damaged = (
        vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        0..whole.len(),
    )
        .prop_map({
            let whole = whole.clone();
            move |(changes, end)| {
                let mut bytes = whole.clone();
                for (place, byte) in changes {
                    let place = place.index(bytes.len());
                    bytes[place] = byte;
                }
                if end % 3 == 0 {
                    bytes.truncate(end);
                }
                bytes
            }
        });
    let bytes = prop_oneof![vec(any::<u8>(), 0..200), damaged];
    let length = prop_oneof![Just(None), Just(Some(right.len())), (0usize..400).prop_map(Some)];
    let mut runner = TestRunner::new(ProptestConfig::with_cases(1500));
    runner
        .run(&(bytes, length), |(bytes, length)| {
            let header = match length {
                Some(length) => format!("Inference-Header-Content-Length: {length}\r\n"),
                None => String::new(),
            };
            let answer = client.borrow_mut().send("POST", INFER, &header, &bytes);
            prop_assert!(
                answer.status == 200 || (answer.status == 400 && answer.json()["error"].is_string()),
                "{:?}",
                answer
            );
            Ok(())
        })
        .unwrap();
    let panics = client.borrow_mut().get("/metrics").body;
    assert!(panics.contains("prediction_errors_total{protocol=\"v2\",code=\"internal\"} 0\n"));
}
