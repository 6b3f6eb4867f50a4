//! Pure: a run's parameters are checked before they are sent.
//!
//! The server checks only some of it, and late: it takes 1.5 for an integer, and its workflow
//! engine replaces `{{workflow.name}}` and the like inside of a user's value.

use serde_json::{Map, Number, Value};

/// Whole numbers beyond it lose digits on the way: the server holds numbers as doubles.
const EXACT_MAX: i64 = 1 << 53;

/// Type of a root parameter, by its name in the pipeline document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// `STRING`.
    String,
    /// `NUMBER_INTEGER`.
    Integer,
    /// `NUMBER_DOUBLE`.
    Double,
    /// `BOOLEAN`.
    Boolean,
    /// `LIST`.
    List,
    /// `STRUCT`.
    Struct,
}

impl ParameterType {
    /// From the document's `parameterType`; `None` for those that no run can be given.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "STRING" => Self::String,
            "NUMBER_INTEGER" => Self::Integer,
            "NUMBER_DOUBLE" => Self::Double,
            "BOOLEAN" => Self::Boolean,
            "LIST" => Self::List,
            "STRUCT" => Self::Struct,
            _ => return None,
        })
    }

    fn expected(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "a whole number",
            Self::Double => "a number",
            Self::Boolean => "true or false",
            Self::List => "a list",
            Self::Struct => "a mapping",
        }
    }
}

/// A root parameter of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Name.
    pub name: String,
    /// Type.
    pub kind: ParameterType,
    /// Whether it may be left out; one with a default may be, too.
    pub optional: bool,
    /// What the server takes when it is left out.
    pub default: Option<Value>,
}

/// Parameters that were found to fit; the only ones that can be sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunParameters(Map<String, Value>);

impl RunParameters {
    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Name and value of each.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// A value that does not fit its parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The pipeline has no such parameter.
    #[error(
        "parameter {name:?} with value {value}: the pipeline has none of that name; expected one of: {known}"
    )]
    Unknown {
        /// As given.
        name: String,
        /// As JSON, shortened.
        value: String,
        /// Names that there are.
        known: String,
    },
    /// One without a default was left out.
    #[error("parameter {name:?} is missing: expected {expected}; it has no default")]
    Missing {
        /// Which.
        name: String,
        /// What would do.
        expected: &'static str,
    },
    /// The value is of another type.
    #[error("parameter {name:?}: expected {expected}, not {value}")]
    Type {
        /// Which.
        name: String,
        /// As JSON, shortened.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// A number with a fraction where a whole one is needed; the server would let it pass.
    #[error("parameter {name:?}: expected a whole number, not {value}; the server would pass it on as it is")]
    NotWhole {
        /// Which.
        name: String,
        /// As JSON.
        value: String,
    },
    /// A whole number that the server cannot hold.
    #[error(
        "parameter {name:?}: expected a whole number from -2^53 to 2^53, not {value}; the server would round it"
    )]
    TooLarge {
        /// Which.
        name: String,
        /// As JSON.
        value: String,
    },
    /// `{{` in a value, which the workflow engine reads as a placeholder of its own.
    #[error(
        "parameter {path}: expected a text without {{{{, not {value}; the workflow engine replaces {{{{...}}}} in values"
    )]
    Placeholder {
        /// Name, and where in the value, e.g. `hyper.layers[0]`.
        path: String,
        /// As JSON, shortened.
        value: String,
    },
}

impl ParameterError {
    /// Stable name of the cause.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "kfp-parameter-unknown",
            Self::Missing { .. } => "kfp-parameter-missing",
            Self::Type { .. } => "kfp-parameter-type",
            Self::NotWhole { .. } => "kfp-parameter-not-whole",
            Self::TooLarge { .. } => "kfp-parameter-too-large",
            Self::Placeholder { .. } => "kfp-parameter-placeholder",
        }
    }
}

/// Checks what was given against what the pipeline declares.
///
/// A whole number written as `3.0` becomes `3`. What is left out is not filled in: the server knows
/// the defaults.
///
/// # Errors
/// The first misfit: an unknown name, then the declared ones in their order.
pub fn check_parameters(
    declared: &[Parameter],
    given: &Map<String, Value>,
) -> Result<RunParameters, ParameterError> {
    for (name, value) in given {
        if !declared.iter().any(|parameter| parameter.name == *name) {
            let names: Vec<&str> = declared.iter().map(|parameter| parameter.name.as_str()).collect();
            return Err(ParameterError::Unknown {
                name: name.clone(),
                value: shown(value),
                known: if names.is_empty() {
                    "none, it has no parameters".to_owned()
                } else {
                    names.join(", ")
                },
            });
        }
    }
    let mut checked = Map::new();
    for parameter in declared {
        match given.get(&parameter.name) {
            Some(value) => {
                checked.insert(parameter.name.clone(), fit(parameter, value)?);
            }
            None if parameter.optional || parameter.default.is_some() => (),
            None => {
                return Err(ParameterError::Missing {
                    name: parameter.name.clone(),
                    expected: parameter.kind.expected(),
                });
            }
        }
    }
    Ok(RunParameters(checked))
}

fn fit(parameter: &Parameter, value: &Value) -> Result<Value, ParameterError> {
    let name = || parameter.name.clone();
    let fits = match parameter.kind {
        ParameterType::String => value.is_string(),
        ParameterType::Integer | ParameterType::Double => value.is_number(),
        ParameterType::Boolean => value.is_boolean(),
        ParameterType::List => value.is_array(),
        ParameterType::Struct => value.is_object(),
    };
    if !fits {
        return Err(ParameterError::Type {
            name: name(),
            value: shown(value),
            expected: parameter.kind.expected(),
        });
    }
    placeholder(&parameter.name, value)?;
    match value {
        Value::Number(number) if parameter.kind == ParameterType::Integer => {
            whole(&parameter.name, number).map(Value::from)
        }
        other => Ok(other.clone()),
    }
}

fn whole(name: &str, number: &Number) -> Result<i64, ParameterError> {
    let (name, value) = (name.to_owned(), number.to_string());
    let as_double = number.as_f64().unwrap_or(f64::NAN);
    if as_double.fract() != 0.0 {
        return Err(ParameterError::NotWhole { name, value });
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole, and beyond the range it saturates"
    )]
    let exact = number.as_i64().unwrap_or(as_double as i64);
    if exact.unsigned_abs() > EXACT_MAX.unsigned_abs() {
        return Err(ParameterError::TooLarge { name, value });
    }
    Ok(exact)
}

/// Looks into lists and mappings too: they reach the workflow engine as JSON text.
fn placeholder(path: &str, value: &Value) -> Result<(), ParameterError> {
    let refuse = |text: &str| {
        if !text.contains("{{") {
            return Ok(());
        }
        Err(ParameterError::Placeholder {
            path: path.to_owned(),
            value: shown(&Value::from(text)),
        })
    };
    match value {
        Value::String(text) => refuse(text),
        Value::Array(items) => (0..)
            .zip(items)
            .try_for_each(|(i, item): (usize, _)| placeholder(&format!("{path}[{i}]"), item)),
        Value::Object(fields) => fields.iter().try_for_each(|(key, item)| {
            refuse(key)?;
            placeholder(&format!("{path}.{key}"), item)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// As JSON, shortened: a message is read by people.
fn shown(value: &Value) -> String {
    const CHARS_MAX: usize = 80;
    let text = value.to_string();
    if text.chars().count() <= CHARS_MAX {
        return text;
    }
    text.chars().take(CHARS_MAX).chain("...".chars()).collect()
}
