//! Values as JSON schemas, as exactly as the readers of the protocols take them; and values to show.

use crate::tensor::Datatype;
use contract::manifest::Feature;
use serde_json::{Value, json};

/// Halfway from float32's largest number to the next power of two: from here on rounding gives infinity.
const FLOAT32_BEYOND: f64 = 3.402_823_567_797_336_6e38;

/// A feature of `/predict` for an input of numbers.
pub fn feature(datatype: Datatype, whole_most: f64) -> Value {
    match datatype {
        Datatype::Int32 | Datatype::Int64 => {
            let most = whole_most as i64;
            json!({"type": "integer", "minimum": -most, "maximum": most})
        }
        datatype => element(datatype),
    }
}

/// An element of a tensor's JSON data.
pub fn element(datatype: Datatype) -> Value {
    match datatype {
        Datatype::Fp32 => {
            json!({"type": "number", "exclusiveMinimum": -FLOAT32_BEYOND, "exclusiveMaximum": FLOAT32_BEYOND})
        }
        Datatype::Fp64 => {
            json!({"type": "number", "format": "double", "minimum": f64::MIN, "maximum": f64::MAX})
        }
        Datatype::Int32 => {
            json!({"type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX})
        }
        Datatype::Int64 => {
            json!({"type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX})
        }
        Datatype::Bool => json!({"type": "boolean"}),
        Datatype::Bytes => json!({"type": "string"}),
    }
}

/// A cell of a JSON table: truth values count as numbers, and floating point has a word for what is missing.
pub fn cell(datatype: Datatype) -> Value {
    let mut one = element(datatype);
    match datatype {
        Datatype::Fp32 | Datatype::Fp64 => {
            one["type"] = json!(["number", "boolean", "null"]);
            one["description"] = "A number; null where it is missing.".into();
        }
        Datatype::Int32 | Datatype::Int64 => one["type"] = json!(["integer", "boolean"]),
        Datatype::Bool => one = json!({"anyOf": [{"type": "boolean"}, {"type": "integer", "enum": [0, 1]}]}),
        Datatype::Bytes => {}
    }
    one
}

/// A cell that is a list of such.
pub fn cells(datatype: Datatype, one: Value, width: usize) -> Value {
    let mut list = many(one, width, width);
    if matches!(datatype, Datatype::Fp32 | Datatype::Fp64) {
        list["type"] = json!(["array", "null"]);
    }
    list
}

/// A plain cell of a text table, as a regular expression: digits that every datatype holds.
pub fn text_cell(datatype: Datatype) -> &'static str {
    match datatype {
        Datatype::Fp32 | Datatype::Fp64 => r"-?[0-9]{1,9}(\.[0-9]{1,9})?",
        Datatype::Int32 | Datatype::Int64 => "-?[0-9]{1,9}",
        Datatype::Bool => "(true|false)",
        Datatype::Bytes => "[A-Za-z0-9]{1,20}",
    }
}

/// An array of so many.
pub fn many(items: Value, least: usize, most: usize) -> Value {
    json!({"type": "array", "items": items, "minItems": least, "maxItems": most})
}

/// An array of these, in this order.
pub fn tuple(items: Vec<Value>) -> Value {
    let count = items.len();
    json!({"type": "array", "prefixItems": items, "minItems": count, "maxItems": count})
}

/// A value to show, another one for each of the first two rows. `feature` is what the model has learnt from.
pub fn sample(datatype: Datatype, feature: Option<&Feature>, row: usize) -> Value {
    match (datatype, feature) {
        (Datatype::Bytes, _) => json!("a"),
        (Datatype::Bool, _) => json!(row == 1),
        (Datatype::Int32 | Datatype::Int64, _) => json!(row),
        (_, None) => json!(row as f64),
        (_, Some(Feature { min, max, .. })) => {
            let share = if row == 0 { 0.5 } else { 0.25 };
            let exact = min * (1.0 - share) + max * share;
            let short = format!("{exact:.2e}").parse().unwrap_or(exact);
            json!(if (*min..=*max).contains(&short) {
                short
            } else {
                exact
            })
        }
    }
}
