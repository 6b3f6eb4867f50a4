//! YAML to JSON values.

use super::{ReadError, fields};
use crate::problem::Problem;
use serde::Deserialize;
use serde_json::{Map, Number, Value};
use serde_yaml::Value as Yaml;

/// The documents that are not empty.
pub(super) fn documents(text: &str, found: &mut Vec<Problem>) -> Result<Vec<Value>, ReadError> {
    let mut documents = Vec::new();
    for (at, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let value = Yaml::deserialize(document).map_err(|error| syntax(&error))?;
        if value.is_null() {
            continue;
        }
        match json(value, "") {
            Ok(value @ Value::Object(_)) => documents.push(value),
            Ok(_) => found.push(fields::problem("", format!("document {} is no object", at + 1))),
            Err(problem) => found.push(problem),
        }
    }
    Ok(documents)
}

fn syntax(error: &serde_yaml::Error) -> ReadError {
    let place = error.location();
    ReadError::Syntax {
        line: place.as_ref().map_or(0, serde_yaml::Location::line),
        column: place.as_ref().map_or(0, serde_yaml::Location::column),
        what: error.to_string(),
    }
}

fn json(value: Yaml, path: &str) -> Result<Value, Problem> {
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(yes) => Value::Bool(yes),
        Yaml::String(text) => Value::String(text),
        Yaml::Number(number) => {
            let whole = number.as_i64().map(Number::from);
            let whole = whole.or_else(|| number.as_u64().map(Number::from));
            let number = whole.or_else(|| number.as_f64().and_then(Number::from_f64));
            Value::Number(number.ok_or_else(|| fields::problem(path, "is no finite number"))?)
        }
        Yaml::Sequence(items) => {
            let items = items.into_iter().enumerate();
            let items = items.map(|(at, item)| json(item, &format!("{path}[{at}]")));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, item) in entries {
                let Yaml::String(key) = key else {
                    return Err(fields::problem(path, "has a key that is no text"));
                };
                let item = json(item, &fields::below(path, &key))?;
                map.insert(key, item);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tagged) => {
            let what = format!("has the tag {}, which has no meaning here", tagged.tag);
            return Err(fields::problem(path, what));
        }
    })
}
