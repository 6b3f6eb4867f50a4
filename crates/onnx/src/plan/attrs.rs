//! The attributes of one node, taken by name; what is left over is refused.

use super::consts;
use super::fault::{Fault, short};
use super::value::{Strings, Tensor};
use crate::proto::AttributeProto;
use crate::proto::attribute_proto::AttributeType;
use prost::bytes::Bytes;
use std::collections::BTreeMap;

pub(crate) struct Attributes {
    by_name: BTreeMap<String, AttributeProto>,
    /// Every name that was asked for: the list for the message about one that was not.
    known: Vec<&'static str>,
}

impl Attributes {
    pub(crate) fn new(list: Vec<AttributeProto>) -> Result<Self, Fault> {
        let mut by_name = BTreeMap::new();
        for attribute in list {
            let name = attribute.name().to_owned();
            if let Some(earlier) = by_name.insert(name, attribute) {
                return Err(Fault::attribute(
                    &short(&earlier.name()),
                    &"given twice",
                    "it once",
                ));
            }
        }
        Ok(Attributes {
            by_name,
            known: Vec::new(),
        })
    }

    fn take(&mut self, name: &'static str, kind: AttributeType) -> Result<Option<AttributeProto>, Fault> {
        self.known.push(name);
        let Some(attribute) = self.by_name.remove(name) else {
            return Ok(None);
        };
        // Files of the first IR versions leave the type out.
        if attribute.r#type() != kind && attribute.r#type() != AttributeType::Undefined {
            let expected = kind.as_str_name();
            return Err(Fault::attribute(
                name,
                &attribute.r#type().as_str_name(),
                expected,
            ));
        }
        Ok(Some(attribute))
    }

    /// Takes what has no influence on answers.
    pub(crate) fn ignore(&mut self, name: &'static str) {
        self.known.push(name);
        self.by_name.remove(name);
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(crate) fn int(&mut self, name: &'static str, default: i64) -> Result<i64, Fault> {
        Ok(self.optional_int(name)?.unwrap_or(default))
    }

    pub(crate) fn optional_int(&mut self, name: &'static str) -> Result<Option<i64>, Fault> {
        let attribute = self.take(name, AttributeType::Int)?;
        Ok(attribute.map(|attribute| attribute.i()))
    }

    pub(crate) fn float(&mut self, name: &'static str, default: f32) -> Result<f32, Fault> {
        Ok(self.optional_float(name)?.unwrap_or(default))
    }

    pub(crate) fn optional_float(&mut self, name: &'static str) -> Result<Option<f32>, Fault> {
        let attribute = self.take(name, AttributeType::Float)?;
        Ok(attribute.map(|attribute| attribute.f()))
    }

    pub(crate) fn string(&mut self, name: &'static str, default: &str) -> Result<String, Fault> {
        match self.take(name, AttributeType::String)? {
            Some(attribute) => text(name, attribute.s.unwrap_or_default()),
            None => Ok(default.into()),
        }
    }

    pub(crate) fn ints(&mut self, name: &'static str) -> Result<Option<Vec<i64>>, Fault> {
        Ok(self
            .take(name, AttributeType::Ints)?
            .map(|attribute| attribute.ints))
    }

    pub(crate) fn floats(&mut self, name: &'static str) -> Result<Option<Vec<f32>>, Fault> {
        Ok(self
            .take(name, AttributeType::Floats)?
            .map(|attribute| attribute.floats))
    }

    /// Strings that are compared and dropped need not be UTF-8.
    pub(crate) fn words(&mut self, name: &'static str) -> Result<Option<Vec<Bytes>>, Fault> {
        Ok(self
            .take(name, AttributeType::Strings)?
            .map(|attribute| attribute.strings))
    }

    pub(crate) fn strings(&mut self, name: &'static str) -> Result<Option<Strings>, Fault> {
        let Some(words) = self.words(name)? else {
            return Ok(None);
        };
        let mut strings = Strings::new();
        for word in words {
            strings.push(&text(name, word.into())?);
        }
        Ok(Some(strings))
    }

    pub(crate) fn tensor(&mut self, name: &'static str) -> Result<Option<Tensor>, Fault> {
        let Some(attribute) = self.take(name, AttributeType::Tensor)? else {
            return Ok(None);
        };
        let Some(tensor) = attribute.t else {
            return Err(Fault::attribute(name, &"empty", "a tensor"));
        };
        consts::tensor(tensor)
            .map(Some)
            .map_err(|fault| Fault::attribute(name, &fault.to_string(), "a plain tensor"))
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        match std::mem::take(&mut self.by_name).into_keys().next() {
            Some(name) => Err(Fault::UnknownAttribute {
                attribute: name.chars().take(80).collect(),
                supported: if self.known.is_empty() {
                    "none".into()
                } else {
                    self.known.join(", ")
                },
            }),
            None => Ok(()),
        }
    }
}

fn text(name: &str, bytes: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(bytes).map_err(|error| {
        let start = &error.as_bytes()[..error.as_bytes().len().min(64)];
        Fault::attribute(name, &String::from_utf8_lossy(start), "UTF-8")
    })
}

/// The attribute that has to be there.
pub(crate) fn required<T>(name: &'static str, value: Option<T>, expected: &str) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::MissingAttribute {
        attribute: name.into(),
        expected: expected.into(),
    })
}

/// One of a few words.
pub(crate) fn word<T: Copy>(name: &'static str, value: &str, words: &[(&str, T)]) -> Result<T, Fault> {
    match words.iter().find(|(word, _)| *word == value) {
        Some((_, meaning)) => Ok(*meaning),
        None => {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Err(Fault::attribute(name, &value, words.join(", ")))
        }
    }
}
