//! The reader against serde_json's own, and against anything at all.

use super::*;
use proptest::prelude::*;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("f{i}")).collect()
}

fn read(body: &[u8], features: usize, max_instances: usize) -> Result<(Shape, Vec<f64>, Vec<f32>), ApiError> {
    let names = names(features);
    let schema = Schema {
        names: &names,
        max_instances,
        float32: true,
    };
    Rows::with(|rows| {
        parse(body, schema, rows).map(|shape| (shape, rows.values.clone(), rows.inputs.clone()))
    })
}

proptest! {
    /// Every finite value keeps its last bit, whichever way it is written.
    #[test]
    fn values_survive(values in prop::collection::vec(-3e38..3e38_f64, 1..9)) {
        let body = serde_json::json!({ "features": values }).to_string();
        let (shape, read_values, inputs) = read(body.as_bytes(), values.len(), 1).unwrap();
        prop_assert_eq!(shape, Shape::One);
        prop_assert_eq!(&read_values, &values);
        prop_assert_eq!(inputs, values.iter().map(|value| *value as f32).collect::<Vec<_>>());
    }

    #[test]
    fn batches_are_rows_in_order(rows in prop::collection::vec(prop::collection::vec(any::<i32>(), 3), 1..20)) {
        let body = serde_json::json!({ "instances": rows }).to_string();
        let (shape, values, _) = read(body.as_bytes(), 3, 20).unwrap();
        prop_assert_eq!(shape, Shape::Many);
        prop_assert_eq!(values, rows.concat().into_iter().map(f64::from).collect::<Vec<_>>());
    }

    /// No bytes make it panic, and what it takes serde_json takes too.
    #[test]
    fn any_bytes(body in prop::collection::vec(any::<u8>(), 0..200)) {
        if read(&body, 2, 3).is_ok() {
            prop_assert!(serde_json::from_slice::<contract::PredictRequest>(&body).is_ok());
        }
    }

    /// The same for what looks like a request: tokens in any order.
    #[test]
    fn any_tokens(tokens in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"features\"", "\"instances\"", "\"x\"", "1", "-2.5e3", "1e400", "null", "true", "NaN", " ", "\"",
    ]), 0..20)) {
        let body = tokens.concat();
        if read(body.as_bytes(), 2, 3).is_ok() {
            prop_assert!(serde_json::from_str::<contract::PredictRequest>(&body).is_ok());
        }
    }
}

#[test]
fn long_lists_of_names_are_cut_in_messages() {
    let error = read(br#"{"features":[1]}"#, 30, 1).unwrap_err();
    assert!(error.message.ends_with("f18, f19 and 10 more"), "{error}");
}
