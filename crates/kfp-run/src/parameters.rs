//! Parameters as a person types them.

use kfp::run::parse;
use kfp::{Pipeline, Problem, Problems};
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads values by the types that the pipeline's parameters have. What is unknown stays text: the run names it.
///
/// # Errors
/// What is of another type, and what is given twice.
pub fn parameters(
    pipeline: &Pipeline,
    given: &[(String, String)],
) -> Result<BTreeMap<String, Value>, Problems> {
    let mut values = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, text) in given {
        let mut say = |what: String| {
            problems.push(Problem {
                path: vec![format!("run of {}", pipeline.name), format!("parameter {name}")],
                what,
            });
        };
        let value = match pipeline.face.parameters.get(name) {
            Some(input) => parse(input.kind, text).map_err(|why| format!("{why} ({})", input.kind)),
            None => Ok(Value::from(text.as_str())),
        };
        match value {
            Ok(value) => {
                if values.insert(name.clone(), value).is_some() {
                    say("is given twice".to_owned());
                }
            }
            Err(why) => say(why),
        }
    }
    match problems.is_empty() {
        true => Ok(values),
        false => Err(Problems(problems)),
    }
}
