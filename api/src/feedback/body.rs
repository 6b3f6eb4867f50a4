//! The body of `POST /feedback`, read without losing a field that is there twice.

use crate::error::{ApiError, Code};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};
use std::fmt;

/// Most requests that one body gives labels for.
const ITEMS_MOST: usize = 1_000;

/// Labels of one request, as sent.
#[derive(Clone, Debug)]
pub struct Item {
    /// The `x-request-id` of its answer.
    pub request_id: String,
    /// One for each row; null is not known yet.
    pub labels: Vec<Value>,
    /// `label` and not `labels`.
    pub single: bool,
}

impl Item {
    /// The name of a row's label in errors.
    pub fn place(&self, row: usize) -> String {
        match self.single {
            true => "label".to_owned(),
            false => format!("labels[{row}]"),
        }
    }
}

/// What was sent.
#[derive(Clone, Debug)]
pub enum Feedback {
    /// Labels of one request.
    One(Item),
    /// Of many.
    Many(Vec<Item>),
}

/// An object's fields in the order they stand.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Reads a body.
///
/// # Errors
/// `empty_body`, `invalid_json`, `not_an_object`, `missing_field`, `unknown_field`, `duplicate_field`,
/// `conflicting_fields`, `not_an_array`, `empty_batch`, `too_many_instances`, `invalid_request`, `unknown_label`.
pub fn read(body: &[u8]) -> Result<Feedback, ApiError> {
    if body.trim_ascii().is_empty() {
        let message = "the body is empty, expected {\"request_id\": …, \"label\": …}";
        return Err(ApiError::new(Code::EmptyBody, message));
    }
    // Syntax first: what follows reads parts of what is JSON already.
    let whole: &RawValue = serde_json::from_slice(body)
        .map_err(|error| ApiError::new(Code::InvalidJson, format!("the body is not JSON: {error}")))?;
    let mut fields = fields(whole, "the body")?;
    if fields.iter().any(|(name, _)| name == "feedback") {
        if let Some((name, _)) = fields.iter().find(|(name, _)| name != "feedback") {
            let message = format!("{name} stands beside feedback, expected it in each entry of feedback");
            return Err(ApiError::new(Code::ConflictingFields, message));
        }
        let (_, list) = fields.swap_remove(0);
        return many(&list).map(Feedback::Many);
    }
    item(fields, "").map(Feedback::One)
}

fn fields(value: &RawValue, what: &str) -> Result<Vec<(String, Box<RawValue>)>, ApiError> {
    let fields: Fields = serde_json::from_str(value.get()).map_err(|_| {
        let message = format!("{what} is no object, expected {{\"request_id\": …, \"label\": …}}");
        ApiError::new(Code::NotAnObject, message)
    })?;
    for (place, (name, _)) in fields.0.iter().enumerate() {
        if fields.0[..place].iter().any(|(before, _)| before == name) {
            let message = format!("{what} has the field {name:?} twice");
            return Err(ApiError::new(Code::DuplicateField, message));
        }
    }
    Ok(fields.0)
}

fn many(list: &RawValue) -> Result<Vec<Item>, ApiError> {
    let list: Vec<Box<RawValue>> = serde_json::from_str(list.get()).map_err(|_| {
        ApiError::new(
            Code::NotAnArray,
            "feedback is no array, expected a list of objects",
        )
    })?;
    match list.len() {
        0 => return Err(ApiError::new(Code::EmptyBatch, "feedback is empty")),
        count if count > ITEMS_MOST => {
            let message = format!("feedback has {count} entries, at most {ITEMS_MOST} are taken");
            return Err(ApiError::new(Code::TooManyInstances, message));
        }
        _ => {}
    }
    let items = list.iter().enumerate().map(|(place, value)| {
        let what = format!("feedback[{place}]");
        item(fields(value, &what)?, &format!("{what}."))
    });
    items.collect()
}

fn item(fields: Vec<(String, Box<RawValue>)>, at: &str) -> Result<Item, ApiError> {
    let (mut request_id, mut labels, mut single) = (None, None, false);
    for (name, value) in fields {
        let read = |value: &RawValue| -> Result<Value, ApiError> {
            // A number that float64 cannot hold is JSON all the same.
            serde_json::from_str(value.get())
                .map_err(|error| ApiError::new(Code::InvalidJson, format!("{at}{name}: {error}")))
        };
        match name.as_str() {
            "request_id" => match read(&value)? {
                Value::String(id) => request_id = Some(id),
                _ => {
                    let message = format!("{at}request_id is no string");
                    return Err(ApiError::new(Code::InvalidRequest, message));
                }
            },
            "label" | "labels" if labels.is_some() => {
                let message = format!("{at}label and {at}labels are both there, expected one of them");
                return Err(ApiError::new(Code::ConflictingFields, message));
            }
            "label" => (labels, single) = (Some(vec![read(&value)?]), true),
            "labels" => match read(&value)? {
                Value::Array(values) if !values.is_empty() => labels = Some(values),
                Value::Array(_) => {
                    return Err(ApiError::new(Code::EmptyBatch, format!("{at}labels is empty")));
                }
                _ => {
                    let message = format!("{at}labels is no array, expected one label for each row");
                    return Err(ApiError::new(Code::NotAnArray, message));
                }
            },
            _ => {
                let message =
                    format!("{at}{name:?} is no field here, expected request_id and label or labels");
                return Err(ApiError::new(Code::UnknownField, message));
            }
        }
    }
    let missing = |name: &str| {
        let message = format!("{at}{name} is missing");
        ApiError::new(Code::MissingField, message)
    };
    let item = Item {
        request_id: request_id.ok_or_else(|| missing("request_id"))?,
        labels: labels.ok_or_else(|| missing("label"))?,
        single,
    };
    // What can be said whoever the request is.
    let is_label = |label: &Value| label.is_string() || label.is_number() || (label.is_null() && !single);
    if let Some(row) = item.labels.iter().position(|label| !is_label(label)) {
        let message = format!("{at}{} is neither a string nor a number", item.place(row));
        return Err(ApiError::new(Code::UnknownLabel, message));
    }
    Ok(item)
}
