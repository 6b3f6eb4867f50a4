//! `application/json` to a table, in one pass and without a tree of values.
//!
//! Nothing recurses into what the client nests: each level knows what may be in it.

use super::{named::Named, rows::Rows, split::Split};
use crate::{
    error::{ApiError, Code},
    predict::fault::word_at,
    table::{Place, Table, quoted},
};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

const FIELDS: &str = "dataframe_split, dataframe_records, instances, inputs";

/// Says of every kind of value that it is not what was expected, but for the kinds that the visitor
/// is for. `self.refuse(found)` makes the error.
macro_rules! refuse_others {
    ($($kind:ident)*) => { $(refuse_others!(@ $kind);)* };
    (@ unit) => { fn visit_unit<E: Error>(self) -> Result<Self::Value, E> { Err(self.refuse("null")) } };
    (@ bool) => { fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> { Err(self.refuse(if value { "true" } else { "false" })) } };
    (@ number) => {
        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> { Err(self.refuse("a number")) }
        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> { Err(self.refuse("a number")) }
        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> { Err(self.refuse("a number")) }
    };
    (@ str) => {
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Err(self.refuse(&format!("the string {}", crate::table::quoted(text))))
        }
    };
    (@ seq) => { fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> { Err(self.refuse("a list")) } };
    (@ map) => { fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> { Err(self.refuse("a dictionary")) } };
    (@ expecting) => { fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("what the API documents") } };
}
pub(super) use refuse_others;

/// Hands every kind of plain value to a method.
macro_rules! take_values {
    ($method:ident) => {
        fn visit_unit<E: Error>(self) -> Result<(), E> {
            self.$method(Value::Missing)
        }
        fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
            self.$method(Value::Bool(value))
        }
        fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
            self.$method(Value::Int(value))
        }
        fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
            self.$method(Value::Uint(value))
        }
        fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
            self.$method(Value::Float(value))
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
            self.$method(Value::Text(text))
        }
    };
}
pub(super) use take_values;

/// Reads a body into `table`, which is whole rows of the model afterwards.
pub(super) fn read(body: &[u8], table: &mut Table<'_>) -> Result<(), ApiError> {
    match parse(body, table) {
        // Python's json writes NaN, and so does MLflow's client for what is missing.
        Err(error) if error.code == Code::InvalidJson => match nan_as_null(body) {
            Some(body) => {
                table.clear();
                parse(&body, table)
            }
            None => Err(error),
        },
        result => result,
    }
}

fn parse(body: &[u8], table: &mut Table<'_>) -> Result<(), ApiError> {
    let mut header = None;
    loop {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let mut top = Top {
            table: &mut *table,
            header: header.take(),
            later: None,
        };
        let result = (&mut top)
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end());
        let later = top.later;
        result.map_err(|error| match table.fault.take() {
            Some(fault) => fault,
            None => syntax(body, &error, table),
        })?;
        match later {
            // The columns came after the data: now that they are known, once more.
            Some(columns) => header = Some(columns),
            None => return Ok(()),
        }
    }
}

struct Top<'t, 'c> {
    table: &'t mut Table<'c>,
    /// Where the columns of `dataframe_split` go, where an earlier pass has seen it.
    header: Option<Vec<Option<usize>>>,
    /// The same, found too late by this pass.
    later: Option<Vec<Option<usize>>>,
}

impl Top<'_, '_> {
    fn refuse<E: Error>(&mut self, found: &str) -> E {
        let message = format!(
            "The input must be a JSON dictionary with exactly one of the input fields {FIELDS}. Received {found}."
        );
        self.table.refuse(ApiError::new(Code::NotAnObject, message))
    }
}

impl<'de> DeserializeSeed<'de> for &mut Top<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Top<'_, '_> {
    type Value = ();
    refuse_others! { expecting unit bool number str seq }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut format = None;
        while let Some(field) = map.next_key_seed(Field)? {
            let name = match field {
                Field::PARAMS => {
                    map.next_value_seed(Params(&mut *self.table))?;
                    continue;
                }
                // As MLflow does with fields that it does not know.
                Field::OTHER => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                name => name,
            };
            if let Some(before) = format.replace(name) {
                let message = format!(
                    "The input must be a JSON dictionary with exactly one of the input fields {FIELDS}. \
                     Received dictionary with input fields: {before}, {name}."
                );
                return Err(self.table.refuse(ApiError::new(Code::ConflictingFields, message)));
            }
            let table = &mut *self.table;
            match name {
                "dataframe_split" => {
                    let header = self.header.take();
                    self.later = map.next_value_seed(Split { table, header })?;
                }
                "dataframe_records" => {
                    table.place = Place::Row(name);
                    map.next_value_seed(Rows::records(table, name))?;
                }
                name => {
                    table.place = Place::Row(name);
                    map.next_value_seed(Named { table, field: name })?;
                }
            }
        }
        if format.is_some() {
            return Ok(());
        }
        let message = format!(
            "The input must be a JSON dictionary with exactly one of the input fields {FIELDS}. Received none of them."
        );
        Err(self.table.refuse(ApiError::new(Code::MissingField, message)))
    }
}

/// A key of the body: one of the formats, `params`, or [`Field::OTHER`].
struct Field;

impl Field {
    const PARAMS: &str = "params";
    const OTHER: &str = "";
}

impl<'de> DeserializeSeed<'de> for Field {
    type Value = &'static str;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Field {
    type Value = &'static str;
    refuse_others! { expecting }
    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        const KNOWN: [&str; 5] = [
            "dataframe_split",
            "dataframe_records",
            "instances",
            "inputs",
            Field::PARAMS,
        ];
        let known = KNOWN.into_iter().find(|known| *known == name);
        Ok(known.unwrap_or(Field::OTHER))
    }
}

/// `params`: nothing, since no model here has parameters of prediction.
struct Params<'t, 'c>(&'t mut Table<'c>);

impl Params<'_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let message = format!("params has {found}, but this model takes no parameters; leave it out");
        self.0.refuse(ApiError::new(Code::UnknownField, message))
    }
}

impl<'de> DeserializeSeed<'de> for Params<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Params<'_, '_> {
    type Value = ();
    refuse_others! { expecting bool number str seq }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        match map.next_key::<String>()? {
            None => Ok(()),
            Some(name) => Err(self.refuse(&quoted(&name))),
        }
    }
}

/// serde_json's refusal of what is not JSON, or of a number that no float64 holds.
fn syntax(body: &[u8], error: &serde_json::Error, table: &Table<'_>) -> ApiError {
    let words = error.to_string();
    if words.starts_with("number out of range") {
        let name = table.name(table.at.0, table.at.1);
        let message = format!("{name} is a number beyond what float64 holds (±1.8e308)");
        return ApiError::new(Code::NumberOutOfRange, message);
    }
    let message = if body.trim_ascii().is_empty() {
        "Ensure that input is a valid JSON formatted string. The body is empty".to_owned()
    } else if std::str::from_utf8(body).is_err() {
        "Ensure that input is a valid JSON formatted string. The body is not UTF-8".to_owned()
    } else if let Some(word) = word_at(body, error.line(), error.column()) {
        format!("{word} is not JSON, expected a finite number, null or NaN: {words}")
    } else {
        format!("Ensure that input is a valid JSON formatted string. Error: {words}")
    };
    ApiError::new(Code::InvalidJson, message)
}

/// The body with `null` for every `NaN` outside of strings; `None` where there is none.
fn nan_as_null(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut copied, mut at, mut in_string) = (0, 0, false);
    while at < body.len() {
        match body[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'N' if !in_string && body[at..].starts_with(b"NaN") => {
                out.extend_from_slice(&body[copied..at]);
                out.extend_from_slice(b"null");
                copied = at + 3;
            }
            _ => {}
        }
        at += 1;
    }
    (copied > 0).then(|| {
        out.extend_from_slice(&body[copied..]);
        out
    })
}
