//! Objects whose every field is known.

use crate::problem::Problem;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Fields of an object that have not been taken yet. What nobody takes is unknown.
pub(super) struct Fields {
    pub(super) path: String,
    map: Map<String, Value>,
}

/// Something wrong at a place in the document.
pub(super) fn problem(path: &str, what: impl Into<String>) -> Problem {
    let path = if path.is_empty() { "document" } else { path };
    Problem {
        path: vec![path.to_owned()],
        what: what.into(),
    }
}

/// The path of a field.
pub(super) fn below(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

fn unfit(path: &str, expected: &str, value: &Value) -> Problem {
    problem(path, format!("expected {expected}, found {}", shown(value)))
}

/// Not more of a value than fits on a line.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) if text.chars().count() > 60 => {
            format!("{:?}…", text.chars().take(60).collect::<String>())
        }
        other => other.to_string(),
    }
}

impl Fields {
    pub(super) fn new(path: String, value: Value) -> Result<Fields, Problem> {
        match value {
            Value::Object(map) => Ok(Fields { path, map }),
            other => Err(unfit(&path, "an object", &other)),
        }
    }

    pub(super) fn at(&self, field: &str) -> String {
        below(&self.path, field)
    }

    /// The field, with its path. Null is not there, as in the messages' JSON.
    pub(super) fn take(&mut self, field: &str) -> Option<(String, Value)> {
        let value = self.raw(field)?;
        (!value.is_null()).then(|| (self.at(field), value))
    }

    /// The field, also where it is null.
    pub(super) fn raw(&mut self, field: &str) -> Option<Value> {
        self.map.remove(field)
    }

    pub(super) fn required(&mut self, field: &str) -> Result<(String, Value), Problem> {
        let missing = || problem(&self.path, format!("has no `{field}`"));
        let missing = missing();
        self.take(field).ok_or(missing)
    }

    pub(super) fn object(&mut self, field: &str) -> Result<Fields, Problem> {
        let (path, value) = self.required(field)?;
        Fields::new(path, value)
    }

    pub(super) fn optional_object(&mut self, field: &str) -> Result<Option<Fields>, Problem> {
        self.take(field)
            .map(|(path, value)| Fields::new(path, value))
            .transpose()
    }

    /// Entries of a map, each with its name and path; none where it is not there.
    pub(super) fn entries(&mut self, field: &str) -> Result<Vec<(String, String, Value)>, Problem> {
        let Some(fields) = self.optional_object(field)? else {
            return Ok(Vec::new());
        };
        let path = fields.path;
        let mut entries: Vec<_> = fields
            .map
            .into_iter()
            .map(|(name, value)| {
                let path = below(&path, &name);
                (name, path, value)
            })
            .collect();
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(entries)
    }

    /// Items of a list, each with its path; none where it is not there.
    pub(super) fn items(&mut self, field: &str) -> Result<Vec<(String, Value)>, Problem> {
        match self.take(field) {
            None => Ok(Vec::new()),
            Some((path, Value::Array(items))) => {
                let items = items.into_iter().enumerate();
                Ok(items.map(|(at, item)| (format!("{path}[{at}]"), item)).collect())
            }
            Some((path, other)) => Err(unfit(&path, "a list", &other)),
        }
    }

    /// Texts of a list.
    pub(super) fn texts(&mut self, field: &str) -> Result<Vec<(String, String)>, Problem> {
        let items = self.items(field)?.into_iter();
        items
            .map(|(path, value)| Ok((path.clone(), text(&path, value)?)))
            .collect()
    }

    pub(super) fn text(&mut self, field: &str) -> Result<String, Problem> {
        let (path, value) = self.required(field)?;
        text(&path, value)
    }

    pub(super) fn optional_text(&mut self, field: &str) -> Result<Option<String>, Problem> {
        self.take(field)
            .map(|(path, value)| text(&path, value))
            .transpose()
    }

    /// Text for people; an empty one is none.
    pub(super) fn note(&mut self, field: &str) -> Result<Option<String>, Problem> {
        Ok(self.optional_text(field)?.filter(|text| !text.is_empty()))
    }

    pub(super) fn text_map(&mut self, field: &str) -> Result<BTreeMap<String, String>, Problem> {
        let entries = self.entries(field)?.into_iter();
        entries
            .map(|(name, path, value)| Ok((name, text(&path, value)?)))
            .collect()
    }

    pub(super) fn flag(&mut self, field: &str) -> Result<Option<bool>, Problem> {
        match self.take(field) {
            None => Ok(None),
            Some((_, Value::Bool(yes))) => Ok(Some(yes)),
            Some((path, other)) => Err(unfit(&path, "true or false", &other)),
        }
    }

    /// A whole number; the messages' JSON writes those of 64 bits as text.
    pub(super) fn whole<N: TryFrom<i64>>(&mut self, field: &str) -> Result<Option<N>, Problem> {
        let Some((path, value)) = self.take(field) else {
            return Ok(None);
        };
        let whole = match crate::value::canonical(value.clone()) {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let fits = whole.and_then(|whole| N::try_from(whole).ok());
        fits.map(Some)
            .ok_or_else(|| unfit(&path, "a whole number in its range", &value))
    }

    pub(super) fn number(&mut self, field: &str) -> Result<Option<f64>, Problem> {
        match self.take(field) {
            None => Ok(None),
            Some((path, value)) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(unfit(&path, "a number", &value)),
            },
        }
    }

    /// A field that has a meaning which we have not.
    pub(super) fn refuse(&mut self, field: &str, why: &str) -> Result<(), Problem> {
        match self.take(field) {
            Some((path, _)) => Err(problem(&path, format!("is not supported: {why}"))),
            None => Ok(()),
        }
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Problem> {
        match self.map.keys().min() {
            None => Ok(()),
            Some(field) => Err(problem(&self.path, format!("unknown field {field:?}"))),
        }
    }
}

pub(super) fn text(path: &str, value: Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(unfit(path, "text", &other)),
    }
}
