//! `{"features":[…]}` or `{"instances":[[…],…]}` to rows, in one pass and without a tree of values.
//!
//! Nothing recurses into what the client nests: the first wrong token ends it.

use super::rows::Rows;
use crate::error::{ApiError, Code};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// What the model takes.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    /// Names of the features, in order.
    pub names: &'a [String],
    /// Most rows in one request.
    pub max_instances: usize,
    /// Whether values must fit float32; others must fit float64.
    pub float32: bool,
}

impl Schema<'_> {
    /// What values must fit, for a message.
    pub fn range(&self) -> &'static str {
        match self.float32 {
            true => "the model's float32 holds (±3.4028235e38)",
            false => "float64 holds (±1.7976931348623157e308)",
        }
    }
}

/// Which of the two bodies it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `features`
    One,
    /// `instances`
    Many,
}

/// Reads a body into `rows` (values finite, each row of the model's width).
pub fn parse(body: &[u8], schema: Schema<'_>, rows: &mut Rows) -> Result<Shape, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::new(
            Code::EmptyBody,
            "the body is empty, expected {\"features\":[…]} or {\"instances\":[[…],…]}",
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let mut reader = Reader { schema, rows };
    let result = Top(&mut reader)
        .deserialize(&mut deserializer)
        .and_then(|shape| deserializer.end().map(|()| shape));
    result.map_err(|error| match rows.fault.take() {
        Some(fault) => fault,
        None => super::fault::syntax(body, &error, schema, rows),
    })
}

struct Reader<'a> {
    schema: Schema<'a>,
    rows: &'a mut Rows,
}

/// Refuses every kind of value but the one that the visitor is for.
macro_rules! refuse_others {
    ($($kind:ident)*) => { $(refuse_others!(@ $kind);)* };
    (@ unit) => { fn visit_unit<E: Error>(self) -> Result<Self::Value, E> { Err(self.refuse("null")) } };
    (@ bool) => { fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> { Err(self.refuse(&value.to_string())) } };
    (@ number) => {
        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> { Err(self.refuse("a number")) }
        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> { Err(self.refuse("a number")) }
        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> { Err(self.refuse("a number")) }
    };
    (@ str) => {
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let text = super::fault::quoted(text);
            Err(self.refuse(&format!("the string {text}")))
        }
    };
    (@ seq) => { fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> { Err(self.refuse("an array")) } };
    (@ map) => { fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> { Err(self.refuse("an object")) } };
    (@ expecting) => { fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("what the API documents") } };
}

struct Top<'r, 'a>(&'r mut Reader<'a>);

impl Top<'_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let message = format!(
            "the body is {found}, expected an object: {{\"features\":[…]}} or {{\"instances\":[[…],…]}}"
        );
        self.0.rows.refuse(Code::NotAnObject, message)
    }
}

impl<'de> DeserializeSeed<'de> for Top<'_, '_> {
    type Value = Shape;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_, '_> {
    type Value = Shape;
    refuse_others! { expecting unit bool number str seq }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let Top(reader) = self;
        let mut seen = None;
        while let Some(field) = map.next_key_seed(Field)? {
            let shape = match field {
                Ok(shape) => shape,
                Err(name) => {
                    let message =
                        format!("field {name} is not known, expected \"features\" or \"instances\"");
                    return Err(reader.rows.refuse(Code::UnknownField, message));
                }
            };
            match seen.replace(shape) {
                None => {}
                Some(before) if before == shape => {
                    let name = if shape == Shape::One {
                        "features"
                    } else {
                        "instances"
                    };
                    let message = format!("field \"{name}\" is there twice");
                    return Err(reader.rows.refuse(Code::DuplicateField, message));
                }
                Some(_) => {
                    let message = "the body has both \"features\" and \"instances\", expected one of them";
                    return Err(reader.rows.refuse(Code::ConflictingFields, message));
                }
            }
            match shape {
                Shape::One => map.next_value_seed(Row {
                    reader: &mut *reader,
                    instance: None,
                })?,
                Shape::Many => map.next_value_seed(Instances(&mut *reader))?,
            }
        }
        seen.ok_or_else(|| {
            let message = "the body has neither \"features\" (one row) nor \"instances\" (many rows)";
            reader.rows.refuse(Code::MissingField, message)
        })
    }
}

/// A key: known, or its text for the message.
struct Field;

impl<'de> DeserializeSeed<'de> for Field {
    type Value = Result<Shape, String>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Field {
    type Value = Result<Shape, String>;
    refuse_others! { expecting }
    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(match name {
            "features" => Ok(Shape::One),
            "instances" => Ok(Shape::Many),
            _ => Err(super::fault::quoted(name)),
        })
    }
}

struct Instances<'r, 'a>(&'r mut Reader<'a>);

impl Instances<'_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let message = format!("instances is {found}, expected an array of rows");
        self.0.rows.refuse(Code::NotAnArray, message)
    }
}

impl<'de> DeserializeSeed<'de> for Instances<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Instances<'_, '_> {
    type Value = ();
    refuse_others! { expecting unit bool number str map }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Instances(reader) = self;
        let most = reader.schema.max_instances;
        while seq
            .next_element_seed(Row {
                instance: Some(reader.rows.count),
                reader: &mut *reader,
            })?
            .is_some()
        {
            if reader.rows.count > most {
                let message =
                    format!("instances has more than {most} rows, the most for one request; send several");
                return Err(reader.rows.refuse(Code::TooManyInstances, message));
            }
        }
        match reader.rows.count {
            0 => Err(reader
                .rows
                .refuse(Code::EmptyBatch, "instances is empty, expected at least one row")),
            _ => Ok(()),
        }
    }
}

struct Row<'r, 'a> {
    reader: &'r mut Reader<'a>,
    /// `None`: the row is `features` itself.
    instance: Option<usize>,
}

impl Row<'_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let place = super::fault::row_name(self.instance);
        let message = format!(
            "{place} is {found}, expected an array of {} numbers",
            self.reader.schema.names.len()
        );
        self.reader.rows.refuse(Code::NotAnArray, message)
    }
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_> {
    type Value = ();
    refuse_others! { expecting unit bool number str map }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Row { reader, instance } = self;
        let mut index = 0;
        // A row that is too long is counted to its end, not stored: the message tells its length.
        while seq
            .next_element_seed(Number {
                reader: &mut *reader,
                instance,
                index,
            })?
            .is_some()
        {
            index += 1;
        }
        if index != reader.schema.names.len() {
            let message = super::fault::feature_count(instance, index, reader.schema.names);
            return Err(reader.rows.refuse(Code::FeatureCount, message));
        }
        reader.rows.count += 1;
        Ok(())
    }
}

struct Number<'r, 'a> {
    reader: &'r mut Reader<'a>,
    instance: Option<usize>,
    index: usize,
}

impl Number<'_, '_> {
    fn place(&self) -> String {
        super::fault::value_name(self.instance, self.index, self.reader.schema.names)
    }

    fn refuse<E: Error>(self, found: &str) -> E {
        let message = format!("{} is {found}, expected a number", self.place());
        self.reader.rows.refuse(Code::NotANumber, message)
    }

    fn take<E: Error>(self, value: f64) -> Result<(), E> {
        let input = value as f32;
        if self.reader.schema.float32 && !input.is_finite() {
            let message = format!(
                "{} is {value:e}, beyond what {}",
                self.place(),
                self.reader.schema.range()
            );
            return Err(self.reader.rows.refuse(Code::NumberOutOfRange, message));
        }
        if self.index < self.reader.schema.names.len() {
            self.reader.rows.values.push(value);
            self.reader.rows.inputs.push(input);
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Number<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.reader.rows.at = (self.instance, self.index);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Number<'_, '_> {
    type Value = ();
    refuse_others! { expecting unit bool str seq map }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.take(value as f64)
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.take(value as f64)
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.take(value)
    }
}

#[cfg(test)]
mod tests;
