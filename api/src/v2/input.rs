//! One input of a request's JSON: data straight into its buffer as soon as the datatype is known.

use super::data::Elements;
use crate::{
    predict::fault,
    tensor::{Data, Datatype},
};
use onnx::plan::MAX_RANK;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{fmt, marker::PhantomData};

/// An input as it is in the JSON.
pub struct Input<'b> {
    /// Which.
    pub name: String,
    /// As it says.
    pub datatype: Datatype,
    /// As it says, of [`MAX_RANK`] sizes at most.
    pub shape: Vec<usize>,
    /// Where its elements are.
    pub source: Source<'b>,
}

/// Where the elements of an input are.
pub enum Source<'b> {
    /// Elements, and the sizes of the arrays around them.
    Json(Data, Vec<usize>),
    /// Elements in front of the datatype that says how to read them.
    Late(&'b RawValue),
    /// This many bytes behind the JSON.
    Binary(usize),
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Name,
    Shape,
    Datatype,
    Parameters,
    Data,
    #[serde(other)]
    Other,
}

#[derive(Default, Deserialize)]
#[serde(expecting = "an object")]
struct InputParameters {
    binary_data_size: Option<Size>,
    shared_memory_region: Option<IgnoredAny>,
}

impl<'de: 'b, 'b> Deserialize<'de> for Input<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InputVisitor(PhantomData))
    }
}

struct InputVisitor<'b>(PhantomData<&'b ()>);

impl<'de: 'b, 'b> Visitor<'de> for InputVisitor<'b> {
    type Value = Input<'b>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an input, an object with \"name\", \"shape\", \"datatype\" and \"data\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Input<'b>, A::Error> {
        let (mut name, mut shape, mut datatype) = (None, None::<Vec<Size>>, None);
        let (mut parameters, mut source) = (None::<Option<InputParameters>>, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::Name => once("name", name.replace(map.next_value::<String>()?))?,
                Field::Shape => once("shape", shape.replace(map.next_value()?))?,
                Field::Datatype => once("datatype", datatype.replace(map.next_value()?))?,
                Field::Parameters => once("parameters", parameters.replace(map.next_value()?))?,
                Field::Data => {
                    let read = match datatype {
                        Some(Word(datatype)) => {
                            let sizes = shape.iter().flatten().map(|Size(size)| *size);
                            let (data, sizes) = map.next_value_seed(Elements::new(datatype, sizes))?;
                            Source::Json(data, sizes)
                        }
                        None => Source::Late(map.next_value()?),
                    };
                    once("data", source.replace(read))?;
                }
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let name = name.ok_or_else(|| A::Error::missing_field("name"))?;
        let lacks = |field: &str| A::Error::custom(format!("input {} has no {field}", fault::quoted(&name)));
        let parameters = parameters.flatten().unwrap_or_default();
        if parameters.shared_memory_region.is_some() {
            let name = fault::quoted(&name);
            return Err(A::Error::custom(format!(
                "input {name} is in shared memory, which is not supported"
            )));
        }
        let source = match (source, parameters.binary_data_size) {
            (Some(source), None) => source,
            (None, Some(Size(size))) => Source::Binary(size),
            (None, None) => return Err(lacks("data")),
            (Some(_), Some(_)) => {
                let name = fault::quoted(&name);
                return Err(A::Error::custom(format!(
                    "input {name} has both data and binary_data_size, expected one of them"
                )));
            }
        };
        let Word(datatype) = datatype.ok_or_else(|| lacks("datatype"))?;
        let shape = shape.ok_or_else(|| lacks("shape"))?;
        if shape.len() > MAX_RANK {
            return Err(A::Error::invalid_length(
                shape.len(),
                &format!("a shape of {MAX_RANK} sizes at most").as_str(),
            ));
        }
        Ok(Input {
            name,
            datatype,
            shape: shape.into_iter().map(|Size(size)| size).collect(),
            source,
        })
    }
}

/// Refuses a field that was there before.
fn once<T, E: Error>(field: &'static str, before: Option<T>) -> Result<(), E> {
    before.map_or(Ok(()), |_| Err(E::duplicate_field(field)))
}

/// A datatype by the protocol's word.
#[derive(Clone, Copy)]
struct Word(Datatype);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WordVisitor)
    }
}

struct WordVisitor;

impl Visitor<'_> for WordVisitor {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = Datatype::ALL.iter().map(|datatype| datatype.word()).collect();
        write!(f, "a datatype of {}", words.join(", "))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Word, E> {
        let invalid = || E::invalid_value(serde::de::Unexpected::Str(word), &self);
        Datatype::of_word(word).map(Word).ok_or_else(invalid)
    }
}

/// A size of a shape, or of binary data.
struct Size(usize);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

/// Whole numbers that a float64 tells from their neighbours.
const SIZE_MOST: f64 = 9_007_199_254_740_991.0;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size from 0")
    }

    fn visit_u64<E: Error>(self, size: u64) -> Result<Size, E> {
        let invalid = |_| E::invalid_value(serde::de::Unexpected::Unsigned(size), &self);
        usize::try_from(size).map(Size).map_err(invalid)
    }
    fn visit_i64<E: Error>(self, size: i64) -> Result<Size, E> {
        Err(E::invalid_value(serde::de::Unexpected::Signed(size), &self))
    }
    /// JSON has one kind of number: 2.0 is 2.
    fn visit_f64<E: Error>(self, size: f64) -> Result<Size, E> {
        let is_size = size.fract() == 0.0 && (0.0..=SIZE_MOST).contains(&size);
        let invalid = || E::invalid_value(serde::de::Unexpected::Float(size), &self);
        is_size.then_some(Size(size as usize)).ok_or_else(invalid)
    }
}
